#include "worker/brainscales2/canary_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

constexpr std::size_t kKeyDigits = 16;

Result<Profile> ProfileOf(const CanarySettings& canary) {
  const auto names = BuiltInProfileNames();
  const bool built_in = std::find(names.begin(), names.end(), canary.profile) != names.end();
  Result<Profile> profile = built_in ? BuiltInProfile(canary.profile) : LoadProfile(canary.profile);
  if (!profile || profile->dimension() == canary.codes.size()) return profile;
  return InvalidArgument(fmt::format("the canary has {} codes, its profile {} has {} parameters",
                                     canary.codes.size(), profile->name, profile->dimension()),
                         "Give one code for each free parameter in [canary] codes");
}

}  // namespace

Result<CanaryVerdict> CanaryRunner::Run(Device& device, std::stop_token stop) {
  const Result<Profile> profile = ProfileOf(config_.canary);
  if (!profile) return tl::unexpected(profile.error());
  const auto path = PathOf(Key(device.hello().chip, profile->sha256));
  if (!std::filesystem::exists(path)) {
    if (Status made = MakeNewReference(device, stop); !made) return tl::unexpected(made.error());
    return CanaryVerdict{};
  }
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  const Result<CanaryReference> reference = DecodeReference(*text);
  if (!reference) return tl::unexpected(reference.error());
  const auto measured = Measure(device, config_.canary.repeats, stop);
  if (!measured) return tl::unexpected(measured.error());
  return Judge(*reference, measured->features, measured->temperature_c, config_.canary.limits);
}

Status CanaryRunner::MakeNewReference(Device& device, std::stop_token stop) {
  const auto measured = Measure(device, config_.canary.reference_repeats, stop);
  if (!measured) return tl::unexpected(measured.error());
  const CanaryReference reference =
      MakeReference(measured->key, measured->features, measured->temperature_c);
  WriteFileAtomically(PathOf(measured->key), EncodeReference(reference));
  return {};
}

Result<CanaryRunner::Measured> CanaryRunner::Measure(Device& device, std::uint32_t repeats,
                                                     std::stop_token stop) {
  const Result<Profile> profile = ProfileOf(config_.canary);
  if (!profile) return tl::unexpected(profile.error());
  RunRequest request{.profile = *profile,
                     .protocol = profile->protocol,
                     .device = {.chip = device.hello().chip, .neuron = config_.neuron},
                     .seed = ++runs_,
                     .count = repeats};
  request.sets.dimension = profile->dimension();
  for (std::uint32_t i = 0; i < repeats; ++i) {
    request.sets.codes.insert(request.sets.codes.end(), config_.canary.codes.begin(),
                              config_.canary.codes.end());
  }
  const auto plan = PlanBatches(config_, mapping_, calibration_id_, request);
  if (!plan) return tl::unexpected(plan.error());
  Measured measured{.key = Key(device.hello().chip, profile->sha256)};
  ObservationBatch batch;
  for (std::size_t i = 0; i < plan->batches.size(); ++i) {
    const auto time = std::chrono::microseconds(static_cast<std::int64_t>(plan->hardware_us[i])) +
                      config_.margin + config_.queue_time;
    const auto reply = device.Await(plan->open, plan->batches[i], time, stop);
    if (!reply) return tl::unexpected(reply.error());
    AppendOnGrid(*reply, request.protocol, batch);
    if (reply->monitors.temperature_c) measured.temperature_c = reply->monitors.temperature_c;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    measured.features.push_back(ExtractFeatures(Extract(batch, i), request.protocol));
  }
  return measured;
}

std::string CanaryRunner::Key(const std::string& chip, const std::string& profile_sha256) const {
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}", chip, config_.neuron, calibration_id_,
                     mapping_.sha256, profile_sha256, fmt::join(config_.canary.codes, ","),
                     config_.settle_us, config_.mode);
}

std::filesystem::path CanaryRunner::PathOf(const std::string& key) const {
  return config_.state_folder / fmt::format("canary-{}.json", Sha256Hex(key).substr(0, kKeyDigits));
}

}  // namespace inferon::worker
