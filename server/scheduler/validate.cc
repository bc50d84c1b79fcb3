#include "server/scheduler/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

Status ValidateProfile(const JobSpec& spec) {
  if (spec.profile_toml.size() > kMaxProfileBytes) {
    return InvalidArgument(fmt::format("the profile has {} bytes, more than the limit of {}",
                                       spec.profile_toml.size(), kMaxProfileBytes));
  }
  const Result<Profile> profile = ParseProfile(spec.profile_toml);
  if (!profile) return tl::unexpected(profile.error());
  if (profile->dimension() == spec.sets.dimension) return {};
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

Status ValidateJob(const JobRequest& request, const Limits& limits) {
  if (Status ok = ValidateIdentity(request); !ok) return ok;
  const JobSpec& spec = request.spec;
  if (Status ok = ValidateCodes(spec.sets); !ok) return ok;
  if (Status ok = ValidateSize(spec, limits); !ok) return ok;
  if (Status ok = ValidateDevice(spec); !ok) return ok;
  if (Status ok = ValidateProtocol(spec.protocol); !ok) return ok;
  if (Status ok = ValidateFrame(spec, limits); !ok) return ok;
  return ValidateProfile(spec);
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
  Hash(hash, std::uint64_t{spec.protocol.steps.size()});
  for (const CurrentStep& step : spec.protocol.steps) {
    Hash(hash, step.start_us);
    Hash(hash, step.stop_us);
    Hash(hash, step.scale);
  }
  Hash(hash, spec.protocol.duration_us);
  Hash(hash, spec.protocol.grid_step_us);
  HashText(hash, spec.device.chip);
  Hash(hash, spec.device.neuron);
  Hash(hash, spec.device.run);
  Hash(hash, spec.seed);
  HashText(hash, spec.substrate);
  Hash(hash, spec.shard_size);
  Hash(hash, spec.priority);
  return hash.Hex();
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
