// Leases and worker sessions in memory. No clock, no store: a plain structure of the writer's
// thread. The store knows which shards are leased; deadlines live here, on the steady clock, and
// die with the process (the next start re-fences every lease).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

struct HeldLease {
  LeaseRef ref;
  std::string worker;
  SteadyTime deadline;
  JobId job = 0;
  std::string project;
  SteadyTime since;
  double expected_seconds = 0;  // Held on the project's account until the lease ends.
  double switch_seconds = 0;    // Cost of switching the worker to it.
  bool alone = false;           // The worker gets nothing beside it.
};

class LeaseTable {
 public:
  // Adds or replaces.
  void Add(const HeldLease& lease);
  void Remove(ShardId shard);
  void Renew(ShardId shard, SteadyTime deadline) { leases_.at(shard).deadline = deadline; }
  // The lease with exactly this shard and fence.
  std::optional<HeldLease> Find(const LeaseRef& ref) const;
  std::vector<HeldLease> OfWorker(const std::string& worker) const;
  std::uint32_t CountOfWorker(const std::string& worker) const;
  std::vector<HeldLease> OfJob(JobId job) const;
  // Leases whose deadline is not after `now`.
  std::vector<HeldLease> Expired(SteadyTime now) const;
  // Makes the table agree with the shards that are leased on disk; one that was unknown here is
  // taken to be given `now`.
  void Match(const std::vector<Shard>& leased, SteadyTime now, SteadyTime deadline);
  std::vector<HeldLease> All() const;
  std::size_t size() const { return leases_.size(); }

  // Since when the job has held at least one lease without a break; nothing where it holds none.
  std::optional<SteadyTime> HeldSince(JobId job) const;
  // From now on its time counts from here: what came before is written down.
  void CountFrom(JobId job, SteadyTime now) { running_.at(job).since = now; }
  // Jobs that hold a lease.
  std::vector<JobId> Jobs() const;

 private:
  struct Running {
    std::set<ShardId> shards;
    SteadyTime since;
  };
  std::map<ShardId, HeldLease> leases_;
  std::map<std::string, std::set<ShardId>> by_worker_;
  std::map<JobId, Running> running_;
};

// A worker as this process of the scheduler has seen it.
struct WorkerSession {
  WorkerRecord record;
  // Sessions that another process took over; they are refused. The latest few.
  std::deque<std::string> replaced;
  std::optional<SteadyTime> last_seen;  // None: not since this start.
  bool draining = false;                // It shuts down.
  bool refuses = false;                 // It has no lease and wants none: it is not ready.
  bool offline_told = true;             // The event is written.
  std::string set_up;                   // What its last lease was for; a change costs a switch.
  JobId check = 0;                      // Health check under way; 0: none.
  std::optional<SteadyTime> checked;    // None: not since it came, or its calibration changed.
};

inline constexpr std::size_t kReplacedSessionsKept = 16;

}  // namespace inferon::scheduler
