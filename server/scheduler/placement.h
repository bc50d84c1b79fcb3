// Which worker may run which job, and when: functions of a snapshot.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// What a job asks of its worker.
struct Requirement {
  std::string substrate;
  std::string chip;
  std::uint32_t neuron = 0;
  std::string profile_sha256;
  Placement placement;
  auto operator<=>(const Requirement&) const = default;
};

Requirement RequirementOf(const Job& job);

// What about the worker does not fit, for people; nothing where it may run the job. A worker that
// is bound to a chip, neurons or profiles takes these only.
std::optional<std::string> Mismatch(const std::string& worker, const Capabilities& can,
                                    const Requirement& wants);

// The reservation that keeps a worker from starting a shard of `project` at `now` which is expected
// to take `expected`: one under way for somebody else, or one that begins before the shard ends.
std::optional<Reservation> BlockedBy(std::span<const Reservation> reservations,
                                     const std::string& worker, const std::string& project,
                                     WallTime now, std::chrono::duration<double> expected);

// Two reservations of one worker that share a moment.
bool Overlap(const Reservation& a, const Reservation& b);

}  // namespace inferon::scheduler
