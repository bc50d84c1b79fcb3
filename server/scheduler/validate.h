// What the queue accepts. Pure: a refusal names the field, what is wrong and what to do.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "server/scheduler/limits.h"
#include "server/scheduler/policy.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// [a-z0-9][a-z0-9-]{0,62}.
bool IsIdentifier(std::string_view text);
// [A-Za-z0-9._-]{1,max_length}.
bool IsToken(std::string_view text, std::size_t max_length);
// Lower-case hex of `least` to `most` characters.
bool IsHex(std::string_view text, std::size_t least, std::size_t most);
bool IsKnownSubstrate(std::string_view kind);

// Profiles that were found to be valid: parsing one costs more than all else of a small submission.
// Thread-safe.
class ProfileMemo {
 public:
  // The text was added with this number of free parameters.
  bool Knows(const std::string& text, std::size_t dimension) const;
  void Add(const std::string& text, std::size_t dimension);

 private:
  mutable std::mutex mu_;
  std::map<std::string, std::size_t> dimensions_;  // Guarded by mu_; at most kProfilesRemembered.
};
inline constexpr std::size_t kProfilesRemembered = 64;

// Everything about a submission that does not depend on the state of the queue. The memo only saves
// time.
Status ValidateJob(const JobRequest& request, const Limits& limits, ProfileMemo* memo = nullptr);

// SHA-256 of the submission's content: title and everything that decides what is run.
std::string ContentSha256(const JobRequest& request);

// SHA-256 of everything that decides the results of these experiments of a job: substrate,
// calibration, neuron, run, profile, protocol, seed, trials, indexes, codes.
std::string ReuseKey(const JobSpec& spec, const std::string& profile_sha256, const Range& range);

Status ValidateSettings(const std::string& project, const ProjectSettings& settings);
// A text for people of at most kMaxTitleCharacters.
Status ValidateReason(const std::string& text);
Status ValidateCanary(const Canary& canary, const Limits& limits);

// A worker's identity and what it can run.
Status ValidateWorker(const std::string& id, const std::string& session,
                      const Capabilities& capabilities);

// At most `most` characters of UTF-8 text; malformed bytes become '?'.
std::string Shorten(std::string_view text, std::size_t most);

}  // namespace inferon::scheduler
