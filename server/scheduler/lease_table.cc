#include "server/scheduler/lease_table.h"

namespace inferon::scheduler {

void LeaseTable::Add(const HeldLease& lease) {
  Remove(lease.ref.shard);
  leases_[lease.ref.shard] = lease;
  by_worker_[lease.worker].insert(lease.ref.shard);
  Running& running = running_[lease.job];
  if (running.shards.empty()) running.since = lease.since;
  running.shards.insert(lease.ref.shard);
}

void LeaseTable::Remove(ShardId shard) {
  const auto found = leases_.find(shard);
  if (found == leases_.end()) return;
  const auto worker = by_worker_.find(found->second.worker);
  worker->second.erase(shard);
  if (worker->second.empty()) by_worker_.erase(worker);
  const auto running = running_.find(found->second.job);
  running->second.shards.erase(shard);
  if (running->second.shards.empty()) running_.erase(running);
  leases_.erase(found);
}

std::optional<HeldLease> LeaseTable::Find(const LeaseRef& ref) const {
  const auto found = leases_.find(ref.shard);
  if (found == leases_.end() || found->second.ref != ref) return std::nullopt;
  return found->second;
}

std::vector<HeldLease> LeaseTable::OfWorker(const std::string& worker) const {
  std::vector<HeldLease> result;
  const auto found = by_worker_.find(worker);
  if (found == by_worker_.end()) return result;
  for (const ShardId shard : found->second) result.push_back(leases_.at(shard));
  return result;
}

std::uint32_t LeaseTable::CountOfWorker(const std::string& worker) const {
  const auto found = by_worker_.find(worker);
  return found == by_worker_.end() ? 0 : static_cast<std::uint32_t>(found->second.size());
}

std::vector<HeldLease> LeaseTable::OfJob(JobId job) const {
  std::vector<HeldLease> result;
  const auto found = running_.find(job);
  if (found == running_.end()) return result;
  for (const ShardId shard : found->second.shards) result.push_back(leases_.at(shard));
  return result;
}

std::vector<HeldLease> LeaseTable::Expired(SteadyTime now) const {
  std::vector<HeldLease> result;
  for (const auto& [shard, lease] : leases_) {
    if (lease.deadline <= now) result.push_back(lease);
  }
  return result;
}

std::vector<HeldLease> LeaseTable::All() const {
  std::vector<HeldLease> result;
  for (const auto& [shard, lease] : leases_) result.push_back(lease);
  return result;
}

void LeaseTable::Match(const std::vector<Shard>& leased, SteadyTime now, SteadyTime deadline) {
  LeaseTable matched;
  for (const Shard& shard : leased) {
    const LeaseRef ref{shard.id, shard.fence};
    const std::optional<HeldLease> known = Find(ref);
    matched.Add(known ? *known
                      : HeldLease{.ref = ref,
                                  .worker = shard.worker,
                                  .deadline = deadline,
                                  .job = shard.job,
                                  .since = now});
  }
  for (auto& [job, running] : matched.running_) {
    if (const auto since = HeldSince(job)) running.since = *since;
  }
  *this = std::move(matched);
}

std::optional<SteadyTime> LeaseTable::HeldSince(JobId job) const {
  const auto found = running_.find(job);
  if (found == running_.end()) return std::nullopt;
  return found->second.since;
}

std::vector<JobId> LeaseTable::Jobs() const {
  std::vector<JobId> jobs;
  for (const auto& [job, running] : running_) jobs.push_back(job);
  return jobs;
}

}  // namespace inferon::scheduler
