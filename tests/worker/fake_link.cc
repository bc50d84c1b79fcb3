#include "tests/worker/fake_link.h"

#include <algorithm>
#include <utility>

namespace inferon::worker {
namespace {

constexpr std::chrono::milliseconds kPace{20};
constexpr std::chrono::seconds kPatience{10};

Error Stale() { return {ErrorCode::kAborted, "the lease is over", "Drop the work", {}}; }

}  // namespace

Result<Orders> FakeLink::Synchronize(const WorkerReport& report, std::chrono::nanoseconds timeout,
                                     std::stop_token) {
  std::lock_guard lock(mu_);
  reports_.push_back(report);
  timeouts_.push_back(timeout);
  changed_.notify_all();
  if (outage_) return tl::unexpected(*outage_);
  if (report.draining) {
    std::erase_if(leased_, [&](const auto& lease) {
      const bool named = std::any_of(report.leases.begin(), report.leases.end(),
                                     [&](const LeaseRef& ref) { return ref.shard == lease.first; });
      if (!named) ready_.push_front(lease.first);
      return !named;
    });
  }
  for (int i = 0; i < report.wanted && !ready_.empty(); ++i) {
    leased_[ready_.front()] = ++last_fence_;
    ready_.pop_front();
  }
  Orders orders{.next = kPace};
  for (const auto& [shard, fence] : leased_) orders.leases.push_back({{shard, fence}, lease_});
  return orders;
}

Result<ShardWork> FakeLink::GetShard(const LeaseRef& lease, std::stop_token) {
  std::lock_guard lock(mu_);
  if (outage_) return tl::unexpected(*outage_);
  if (!Holds(lease)) return tl::unexpected(Stale());
  return ShardWork{"projects/default/jobs/1", shards_.at(lease.shard)};
}

Status FakeLink::DeliverShard(const LeaseRef& lease, const std::string& frame, double,
                              std::stop_token) {
  std::unique_lock lock(mu_);
  if (const auto event = std::exchange(before_delivery_, nullptr)) {
    lock.unlock();
    event();
    lock.lock();
  }
  if (outage_) return tl::unexpected(*outage_);
  if (!Holds(lease)) return tl::unexpected(Stale());
  if (!refusals_.empty()) {
    const Error refusal = refusals_.front();
    refusals_.pop_front();
    return tl::unexpected(refusal);
  }
  delivered_[lease.shard] = frame;
  leased_.erase(lease.shard);
  changed_.notify_all();
  return {};
}

Status FakeLink::FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                           std::stop_token) {
  std::lock_guard lock(mu_);
  if (outage_) return tl::unexpected(*outage_);
  if (!Holds(lease)) return tl::unexpected(Stale());
  failures_.push_back({lease.shard, error, retryable});
  leased_.erase(lease.shard);
  changed_.notify_all();
  return {};
}

std::uint64_t FakeLink::AddShard(std::uint64_t first_index, std::uint32_t count) {
  RunRequest request;
  request.protocol.duration_us = 20;
  request.protocol.steps = {{5, 15, 1}};
  request.first_index = first_index;
  request.count = count;
  request.sets.dimension = 1;
  request.sets.codes.assign(count, 7);
  return AddRequest(request);
}

std::uint64_t FakeLink::AddRequest(const RunRequest& request) {
  std::lock_guard lock(mu_);
  const std::uint64_t shard = shards_.size() + 1;
  shards_[shard] = request;
  ready_.push_back(shard);
  return shard;
}

void FakeLink::Revoke(std::uint64_t shard) {
  std::lock_guard lock(mu_);
  leased_.erase(shard);
}

void FakeLink::SetOutage(std::optional<Error> error) {
  std::lock_guard lock(mu_);
  outage_ = std::move(error);
}

void FakeLink::RefuseDelivery(Error error) {
  std::lock_guard lock(mu_);
  refusals_.push_back(std::move(error));
}

void FakeLink::BeforeDelivery(std::function<void()> event) {
  std::lock_guard lock(mu_);
  before_delivery_ = std::move(event);
}

std::map<std::uint64_t, std::string> FakeLink::Delivered() const {
  std::lock_guard lock(mu_);
  return delivered_;
}

std::vector<FakeLink::Failure> FakeLink::Failures() const {
  std::lock_guard lock(mu_);
  return failures_;
}

std::vector<WorkerReport> FakeLink::Reports() const {
  std::lock_guard lock(mu_);
  return reports_;
}

std::vector<std::chrono::nanoseconds> FakeLink::Timeouts() const {
  std::lock_guard lock(mu_);
  return timeouts_;
}

std::set<std::uint64_t> FakeLink::Leased() const {
  std::lock_guard lock(mu_);
  std::set<std::uint64_t> shards;
  for (const auto& [shard, fence] : leased_) shards.insert(shard);
  return shards;
}

bool FakeLink::WaitFor(const std::function<bool(const FakeLink&)>& condition) {
  std::unique_lock lock(mu_);
  return changed_.wait_for(lock, kPatience, [&] { return condition(*this); });
}

bool FakeLink::Holds(const LeaseRef& lease) const {
  const auto found = leased_.find(lease.shard);
  return found != leased_.end() && found->second == lease.fence;
}

}  // namespace inferon::worker
