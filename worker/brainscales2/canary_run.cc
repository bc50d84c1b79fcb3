#include "worker/brainscales2/canary_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "worker/brainscales2/monitors.h"
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
  Result<std::string> fault = Examine(device, stop);
  if (!fault) return tl::unexpected(fault.error());
  const Result<Profile> profile = ProfileOf(config_.canary);
  if (!profile) return tl::unexpected(profile.error());
  const auto path = PathOf(Key(device.hello().chip, profile->sha256));
  if (!std::filesystem::exists(path)) {
    if (!fault->empty()) return CanaryVerdict{.drifted = true, .fault = *fault};
    if (Status made = MakeNewReference(device, stop); !made) return tl::unexpected(made.error());
    return CanaryVerdict{.reference = true};
  }
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  const Result<CanaryReference> reference = DecodeReference(*text);
  if (!reference) {
    Error error = reference.error();
    error.message += " (" + path.string() + ")";
    return tl::unexpected(std::move(error));
  }
  const auto measured = Measure(device, config_.canary.repeats, stop);
  if (!measured) return tl::unexpected(measured.error());
  CanaryVerdict verdict = Judge(*reference, measured->features, measured->monitors.temperature_c,
                                config_.canary.limits);
  if (fault->empty()) *fault = JudgeSupplies(measured->monitors, config_.monitors.limits);
  verdict.drifted = verdict.drifted || !fault->empty();
  verdict.fault = std::move(*fault);
  return verdict;
}

Status CanaryRunner::MakeNewReference(Device& device, std::stop_token stop) {
  const auto measured = Measure(device, config_.canary.reference_repeats, stop);
  if (!measured) return tl::unexpected(measured.error());
  const CanaryReference reference =
      MakeReference(measured->key, measured->features, measured->monitors.temperature_c);
  WriteFileAtomically(PathOf(measured->key), EncodeReference(reference));
  return {};
}

Result<OpenRequest> CanaryRunner::Setting(const std::string& chip) const {
  auto planned = Plan(chip, 1);
  if (!planned) return tl::unexpected(planned.error());
  return std::move(planned->plan.open);
}

Result<CanaryRunner::Planned> CanaryRunner::Plan(const std::string& chip,
                                                 std::uint32_t repeats) const {
  Result<Profile> profile = ProfileOf(config_.canary);
  if (!profile) return tl::unexpected(profile.error());
  RunRequest request{.profile = *profile,
                     .protocol = profile->protocol,
                     .device = {.chip = chip, .neuron = config_.neuron},
                     .seed = runs_,
                     .count = repeats};
  request.sets.dimension = profile->dimension();
  for (std::uint32_t i = 0; i < repeats; ++i) {
    request.sets.codes.insert(request.sets.codes.end(), config_.canary.codes.begin(),
                              config_.canary.codes.end());
  }
  auto plan = PlanBatches(config_, mapping_, calibration_id_, request);
  if (!plan) return tl::unexpected(plan.error());
  return Planned{std::move(*profile), std::move(*plan)};
}

Result<std::string> CanaryRunner::Examine(Device& device, std::stop_token stop) {
  if (!config_.monitors.sawtooth) return std::string();
  const auto open = Setting(device.hello().chip);
  if (!open) return tl::unexpected(open.error());
  const auto health = device.Examine(*open, config_.margin + config_.queue_time, stop);
  if (!health) return tl::unexpected(health.error());
  return JudgeHealth(*health, config_.monitors.limits);
}

Result<CanaryRunner::Measured> CanaryRunner::Measure(Device& device, std::uint32_t repeats,
                                                     std::stop_token stop) {
  ++runs_;
  const auto planned = Plan(device.hello().chip, repeats);
  if (!planned) return tl::unexpected(planned.error());
  const auto& [profile, plan] = *planned;
  Measured measured{.key = Key(device.hello().chip, profile.sha256)};
  ObservationBatch batch;
  for (std::size_t i = 0; i < plan.batches.size(); ++i) {
    const auto time = std::chrono::microseconds(static_cast<std::int64_t>(plan.hardware_us[i])) +
                      config_.margin + config_.queue_time;
    const auto reply = device.Await(plan.open, plan.batches[i], time, stop);
    if (!reply) return tl::unexpected(reply.error());
    AppendOnGrid(*reply, profile.protocol, batch);
    if (reply->monitors.temperature_c) measured.monitors = reply->monitors;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    measured.features.push_back(ExtractFeatures(Extract(batch, i), profile.protocol));
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
