// Leases and worker sessions in memory. No clock, no store: a plain structure of the writer's
// thread. The store knows which shards are leased; deadlines live here, on the steady clock, and
// die with the process (the next start re-fences every lease).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

struct HeldLease {
  LeaseRef ref;
  std::string worker;
  SteadyTime deadline;
};

class LeaseTable {
 public:
  // Adds or replaces.
  void Add(const HeldLease& lease) { leases_[lease.ref.shard] = lease; }
  void Remove(ShardId shard) { leases_.erase(shard); }
  void Renew(ShardId shard, SteadyTime deadline) { leases_.at(shard).deadline = deadline; }
  // The lease with exactly this shard and fence.
  std::optional<HeldLease> Find(const LeaseRef& ref) const;
  std::vector<HeldLease> OfWorker(const std::string& worker) const;
  // Leases whose deadline is not after `now`.
  std::vector<HeldLease> Expired(SteadyTime now) const;
  // Makes the table agree with the shards that are leased on disk; one that was unknown here gets
  // `deadline`.
  void Match(const std::vector<Shard>& leased, SteadyTime deadline);
  std::size_t size() const { return leases_.size(); }

 private:
  std::map<ShardId, HeldLease> leases_;
};

// A worker as this process of the scheduler has seen it.
struct WorkerSession {
  WorkerRecord record;
  // Sessions that another process took over; they are refused. The latest few.
  std::deque<std::string> replaced;
  std::optional<SteadyTime> last_seen;  // None: not since this start.
  bool draining = false;
  bool offline_told = true;  // The event is written.
};

inline constexpr std::size_t kReplacedSessionsKept = 16;

}  // namespace inferon::scheduler
