#include "server/scheduler/lease_table.h"

namespace inferon::scheduler {

std::optional<HeldLease> LeaseTable::Find(const LeaseRef& ref) const {
  const auto found = leases_.find(ref.shard);
  if (found == leases_.end() || found->second.ref != ref) return std::nullopt;
  return found->second;
}

std::vector<HeldLease> LeaseTable::OfWorker(const std::string& worker) const {
  std::vector<HeldLease> result;
  for (const auto& [shard, lease] : leases_) {
    if (lease.worker == worker) result.push_back(lease);
  }
  return result;
}

std::vector<HeldLease> LeaseTable::Expired(SteadyTime now) const {
  std::vector<HeldLease> result;
  for (const auto& [shard, lease] : leases_) {
    if (lease.deadline <= now) result.push_back(lease);
  }
  return result;
}

void LeaseTable::Match(const std::vector<Shard>& leased, SteadyTime deadline) {
  std::map<ShardId, HeldLease> matched;
  for (const Shard& shard : leased) {
    const LeaseRef ref{shard.id, shard.fence};
    const std::optional<HeldLease> known = Find(ref);
    matched[shard.id] = known ? *known : HeldLease{ref, shard.worker, deadline};
  }
  leases_ = std::move(matched);
}

}  // namespace inferon::scheduler
