#include "server/scheduler/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "common/base/hash.h"
#include "common/neuron/profile.h"

namespace inferon::scheduler {
namespace {

constexpr std::array<std::string_view, 2> kSubstrates{"emulator", "brainscales2"};
constexpr std::uint64_t kSpikeAllowance = 4;  // Bytes a point: no more spikes than points.

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::size_t Characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Status ValidateIdentity(const JobRequest& request) {
  if (!IsIdentifier(request.project)) {
    return InvalidArgument(fmt::format("'{}' is not a project id", request.project),
                           "Use lower-case letters, digits and '-', at most 63 characters");
  }
  if (request.project == kHealthProject) {
    return InvalidArgument(fmt::format("project {} is the scheduler's own", kHealthProject),
                           "Choose another project");
  }
  if (!IsToken(request.request_id, kMaxRequestIdLength)) {
    return InvalidArgument(fmt::format("'{}' is not a request id", request.request_id),
                           "Use 1 to 100 letters, digits, '.', '_' or '-'");
  }
  if (Characters(request.title) > kMaxTitleCharacters) {
    return InvalidArgument(fmt::format("the title has {} characters, more than the limit of {}",
                                       Characters(request.title), kMaxTitleCharacters),
                           "Shorten it");
  }
  return {};
}

Status ValidateCodes(const ParameterSets& sets) {
  if (sets.dimension == 0 || sets.codes.empty()) {
    return InvalidArgument("the job has no parameter sets", "Submit at least one");
  }
  if (sets.codes.size() % sets.dimension != 0) {
    return InvalidArgument("the parameter sets are not a full matrix",
                           "Give every set the same number of codes");
  }
  const auto bad = std::find_if(sets.codes.begin(), sets.codes.end(),
                                [](std::uint16_t code) { return code > kMaxCode; });
  if (bad == sets.codes.end()) return {};
  const auto at = static_cast<std::size_t>(bad - sets.codes.begin());
  return InvalidArgument(
      fmt::format("code {} in row {}, column {} of parameter_sets is outside 0..{}", *bad,
                  at / sets.dimension, at % sets.dimension, kMaxCode),
      "1023 switches a cell off and cannot be submitted");
}

Status ValidateProfile(const JobSpec& spec, ProfileMemo* memo) {
  if (memo != nullptr && memo->Knows(spec.profile_toml, spec.sets.dimension)) return {};
  if (spec.profile_toml.size() > kMaxProfileBytes) {
    return InvalidArgument(fmt::format("the profile has {} bytes, more than the limit of {}",
                                       spec.profile_toml.size(), kMaxProfileBytes));
  }
  const Result<Profile> profile = ParseProfile(spec.profile_toml);
  if (!profile) return tl::unexpected(profile.error());
  if (profile->dimension() == spec.sets.dimension) {
    if (memo != nullptr) memo->Add(spec.profile_toml, profile->dimension());
    return {};
  }
  return InvalidArgument(
      fmt::format("parameter_sets has {} columns, but the profile '{}' has {} free parameters ({})",
                  spec.sets.dimension, profile->name, profile->dimension(),
                  fmt::join(profile->ParameterNames(), ", ")),
      "Give one column for each free parameter, in this order");
}

Status ValidateDevice(const JobSpec& spec) {
  if (!IsToken(spec.device.chip, 64)) {
    return InvalidArgument(fmt::format("'{}' is not the name of a chip", spec.device.chip),
                           "Use 1 to 64 letters, digits, '.', '_' or '-'");
  }
  if (spec.device.neuron > kMaxNeuron) {
    return InvalidArgument(
        fmt::format("neuron {} is outside 0..{}", spec.device.neuron, kMaxNeuron));
  }
  if (spec.device.run > kMaxRun) {
    return InvalidArgument(fmt::format("run {} is outside 0..{}", spec.device.run, kMaxRun));
  }
  if (!IsKnownSubstrate(spec.substrate)) {
    return InvalidArgument(fmt::format("'{}' is not a kind of substrate", spec.substrate),
                           fmt::format("Use one of: {}", fmt::join(kSubstrates, ", ")));
  }
  return {};
}

Status ValidatePlacement(const JobSpec& spec) {
  const Placement& pin = spec.placement;
  if (!pin.worker.empty() && !IsIdentifier(pin.worker)) {
    return InvalidArgument(fmt::format("'{}' is not a worker id", pin.worker),
                           "Use lower-case letters, digits and '-', at most 63 characters");
  }
  if (!pin.calibration_id.empty() && !IsHex(pin.calibration_id, 64, 64)) {
    return InvalidArgument("placement.calibration_id is not 64 lower-case hex digits");
  }
  if (!std::isfinite(spec.max_run_seconds) || spec.max_run_seconds < 0 ||
      spec.max_run_seconds > kMaxRunSeconds) {
    return InvalidArgument(
        fmt::format("max_run_seconds is {}, outside 0..{}", spec.max_run_seconds, kMaxRunSeconds));
  }
  if (spec.reuse && spec.substrate != "emulator" && pin.calibration_id.empty()) {
    return InvalidArgument("results of hardware are the same under one calibration only",
                           "Pin the job to a calibration, or submit it without reuse");
  }
  return {};
}

Status ValidateSize(const JobSpec& spec, const Limits& limits) {
  if (spec.trials < 1 || spec.trials > kMaxTrials) {
    return InvalidArgument(fmt::format("trials is {}, outside 1..{}", spec.trials, kMaxTrials));
  }
  if (spec.shard_size < 1 || spec.shard_size > kMaxShardSize) {
    return InvalidArgument(
        fmt::format("shard_size is {}, outside 1..{}", spec.shard_size, kMaxShardSize));
  }
  if (spec.priority < -kMaxPriority || spec.priority > kMaxPriority) {
    return InvalidArgument(
        fmt::format("priority is {}, outside {}..{}", spec.priority, -kMaxPriority, kMaxPriority));
  }
  if (spec.Experiments() > limits.max_experiments_per_job) {
    return InvalidArgument(
        fmt::format("the job has {} experiments, more than this server's limit of {} for a job",
                    spec.Experiments(), limits.max_experiments_per_job),
        "Submit it in parts, or start the scheduler with a higher --max-experiments-per-job");
  }
  const std::uint64_t shards = (spec.Experiments() + spec.shard_size - 1) / spec.shard_size;
  if (shards > limits.max_shards_per_job) {
    return InvalidArgument(fmt::format("the job has {} shards, more than the limit of {}", shards,
                                       limits.max_shards_per_job),
                           "Choose a larger shard_size");
  }
  return {};
}

// Largest frame of a shard: traces of 2 bytes a point, spikes, a header.
Status ValidateFrame(const JobSpec& spec, const Limits& limits) {
  const std::uint64_t experiment = spec.protocol.Points() * (2 + kSpikeAllowance) + 4;
  const std::uint64_t count = std::min<std::uint64_t>(spec.shard_size, spec.Experiments());
  if (experiment * count <= limits.max_upload_bytes) return {};
  return InvalidArgument(
      fmt::format("a shard of {} experiments with {} points each could have {} bytes, more than "
                  "the limit of {}",
                  count, spec.protocol.Points(), experiment * count, limits.max_upload_bytes),
      fmt::format("Choose a shard_size of at most {}",
                  std::max<std::uint64_t>(1, limits.max_upload_bytes / experiment)));
}

template <typename T>
void Hash(Sha256& hash, const T& value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  hash.Update({bytes, sizeof(T)});
}

void HashText(Sha256& hash, std::string_view text) {
  Hash(hash, std::uint64_t{text.size()});
  hash.Update(text);
}

void HashProtocol(Sha256& hash, const Protocol& protocol) {
  Hash(hash, std::uint64_t{protocol.steps.size()});
  for (const CurrentStep& step : protocol.steps) {
    Hash(hash, step.start_us);
    Hash(hash, step.stop_us);
    Hash(hash, step.scale);
  }
  Hash(hash, protocol.duration_us);
  Hash(hash, protocol.grid_step_us);
}

// Fields that came later count only where they are set: a submission of before has its hash still.
void HashLater(Sha256& hash, const JobSpec& spec) {
  if (!spec.placement.worker.empty()) HashText(hash, "worker " + spec.placement.worker);
  if (!spec.placement.calibration_id.empty()) {
    HashText(hash, "calibration " + spec.placement.calibration_id);
  }
  if (spec.max_run_seconds != 0) {
    HashText(hash, "max_run_seconds");
    Hash(hash, spec.max_run_seconds);
  }
  if (spec.reuse) HashText(hash, "reuse");
}

}  // namespace

bool IsIdentifier(std::string_view text) {
  if (text.empty() || text.size() > 63 || text[0] == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

bool IsToken(std::string_view text, std::size_t max_length) {
  if (text.empty() || text.size() > max_length) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
  });
}

bool IsHex(std::string_view text, std::size_t least, std::size_t most) {
  if (text.size() < least || text.size() > most) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsKnownSubstrate(std::string_view kind) {
  return std::find(kSubstrates.begin(), kSubstrates.end(), kind) != kSubstrates.end();
}

bool ProfileMemo::Knows(const std::string& text, std::size_t dimension) const {
  std::lock_guard lock(mu_);
  const auto found = dimensions_.find(text);
  return found != dimensions_.end() && found->second == dimension;
}

void ProfileMemo::Add(const std::string& text, std::size_t dimension) {
  std::lock_guard lock(mu_);
  if (dimensions_.size() >= kProfilesRemembered) dimensions_.clear();
  dimensions_[text] = dimension;
}

Status ValidateJob(const JobRequest& request, const Limits& limits, ProfileMemo* memo) {
  if (Status ok = ValidateIdentity(request); !ok) return ok;
  const JobSpec& spec = request.spec;
  if (Status ok = ValidateCodes(spec.sets); !ok) return ok;
  if (Status ok = ValidateSize(spec, limits); !ok) return ok;
  if (Status ok = ValidateDevice(spec); !ok) return ok;
  if (Status ok = ValidatePlacement(spec); !ok) return ok;
  if (Status ok = ValidateProtocol(spec.protocol); !ok) return ok;
  if (Status ok = ValidateFrame(spec, limits); !ok) return ok;
  return ValidateProfile(spec, memo);
}

std::string ContentSha256(const JobRequest& request) {
  const JobSpec& spec = request.spec;
  Sha256 hash;
  HashText(hash, request.title);
  Hash(hash, std::uint64_t{spec.sets.dimension});
  HashText(hash, {reinterpret_cast<const char*>(spec.sets.codes.data()),
                  spec.sets.codes.size() * sizeof(std::uint16_t)});
  Hash(hash, spec.trials);
  HashText(hash, spec.profile_toml);
  HashProtocol(hash, spec.protocol);
  HashText(hash, spec.device.chip);
  Hash(hash, spec.device.neuron);
  Hash(hash, spec.device.run);
  Hash(hash, spec.seed);
  HashText(hash, spec.substrate);
  Hash(hash, spec.shard_size);
  Hash(hash, spec.priority);
  HashLater(hash, spec);
  return hash.Hex();
}

std::string ReuseKey(const JobSpec& spec, const std::string& profile_sha256, const Range& range) {
  Sha256 hash;
  HashText(hash, spec.substrate);
  HashText(hash, spec.placement.calibration_id);
  HashText(hash, spec.device.chip);
  Hash(hash, spec.device.neuron);
  Hash(hash, spec.device.run);
  HashText(hash, profile_sha256);
  HashProtocol(hash, spec.protocol);
  Hash(hash, spec.seed);
  Hash(hash, spec.trials);
  Hash(hash, range.first);
  Hash(hash, range.count);
  const std::uint64_t first = range.first / spec.trials;
  const std::uint64_t last = (range.first + range.count - 1) / spec.trials;
  const std::size_t row = spec.sets.dimension * sizeof(std::uint16_t);
  HashText(hash, {reinterpret_cast<const char*>(spec.sets[first].data()),
                  static_cast<std::size_t>(last - first + 1) * row});
  return hash.Hex();
}

Status ValidateSettings(const std::string& project, const ProjectSettings& settings) {
  if (!IsIdentifier(project)) {
    return InvalidArgument(fmt::format("'{}' is not a project id", project),
                           "Use lower-case letters, digits and '-', at most 63 characters");
  }
  if (project == kHealthProject) {
    return InvalidArgument(fmt::format("project {} is the scheduler's own", project),
                           "Choose another project");
  }
  if (!(settings.weight >= kMinWeight && settings.weight <= kMaxWeight)) {
    return InvalidArgument(
        fmt::format("weight is {}, outside {}..{}", settings.weight, kMinWeight, kMaxWeight));
  }
  if (!std::isfinite(settings.max_seconds_per_day) || settings.max_seconds_per_day < 0) {
    return InvalidArgument("max_substrate_seconds_per_day is not a number >= 0");
  }
  return ValidateReason(settings.description);
}

Status ValidateReason(const std::string& text) {
  if (Characters(text) <= kMaxTitleCharacters) return {};
  return InvalidArgument(fmt::format("the text has {} characters, more than the limit of {}",
                                     Characters(text), kMaxTitleCharacters),
                         "Shorten it");
}

Status ValidateCanary(const Canary& canary, const Limits& limits) {
  const JobSpec& spec = canary.spec;
  if (spec.sets.size() > kMaxCanarySets || spec.trials > kMaxCanaryTrials) {
    return InvalidArgument(fmt::format("a canary of {} sets and {} trials is larger than {} and {}",
                                       spec.sets.size(), spec.trials, kMaxCanarySets,
                                       kMaxCanaryTrials));
  }
  if (!(canary.interval_seconds >= 1 && canary.interval_seconds <= kMaxCanaryInterval)) {
    return InvalidArgument(fmt::format("interval_seconds is {}, outside 1..{}",
                                       canary.interval_seconds, kMaxCanaryInterval));
  }
  if (canary.baseline_checks < 2 || canary.baseline_checks > 100) {
    return InvalidArgument(
        fmt::format("baseline_checks is {}, outside 2..100", canary.baseline_checks));
  }
  if (!(canary.limit_sigmas >= 1 && canary.limit_sigmas <= 100)) {
    return InvalidArgument(fmt::format("limit_sigmas is {}, outside 1..100", canary.limit_sigmas));
  }
  JobRequest request{"default", "canary", "", spec};
  request.spec.shard_size =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(spec.Experiments(), kMaxShardSize));
  if (spec.Experiments() > kMaxShardSize) {
    return InvalidArgument(fmt::format("a canary of {} experiments is more than one shard of {}",
                                       spec.Experiments(), kMaxShardSize));
  }
  return ValidateJob(request, limits);
}

Status ValidateWorker(const std::string& id, const std::string& session,
                      const Capabilities& capabilities) {
  if (!IsIdentifier(id)) {
    return InvalidArgument(fmt::format("'{}' is not a worker id", id),
                           "Use lower-case letters, digits and '-', at most 63 characters");
  }
  if (!IsHex(session, 16, 64)) {
    return InvalidArgument("the session id is not hex of 16 to 64 characters");
  }
  if (!IsKnownSubstrate(capabilities.substrate)) {
    return InvalidArgument(fmt::format("'{}' is not a kind of substrate", capabilities.substrate),
                           fmt::format("Use one of: {}", fmt::join(kSubstrates, ", ")));
  }
  if (capabilities.neurons.size() > kMaxNeurons ||
      std::any_of(capabilities.neurons.begin(), capabilities.neurons.end(),
                  [](std::uint32_t neuron) { return neuron > kMaxNeuron; })) {
    return InvalidArgument(
        fmt::format("neurons are more than {} or outside 0..{}", kMaxNeurons, kMaxNeuron));
  }
  const auto& profiles = capabilities.profile_sha256;
  if (profiles.size() > kMaxProfiles ||
      !std::all_of(profiles.begin(), profiles.end(),
                   [](const std::string& hash) { return IsHex(hash, 64, 64); })) {
    return InvalidArgument(fmt::format(
        "profile_sha256 has more than {} entries, or one that is not 64 lower-case hex digits",
        kMaxProfiles));
  }
  if (!(capabilities.switch_seconds >= 0 && capabilities.switch_seconds <= kMaxSwitchSeconds)) {
    return InvalidArgument(fmt::format("switch_seconds is {}, outside 0..{}",
                                       capabilities.switch_seconds, kMaxSwitchSeconds));
  }
  if (!capabilities.chip.empty() && !IsToken(capabilities.chip, 64)) {
    return InvalidArgument(fmt::format("'{}' is not the name of a chip", capabilities.chip));
  }
  return {};
}

std::string Shorten(std::string_view text, std::size_t most) {
  std::string result;
  std::size_t characters = 0;
  for (const char c : text) {
    const bool starts = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (starts && ++characters > most) break;
    result += c;
  }
  return result;
}

}  // namespace inferon::scheduler
