// A scheduler in memory, behind the worker's link.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "worker/agent/link.h"

namespace inferon::worker {

// Gives each shard to whoever wants it, keeps leases while they are named, takes results. Its calls
// answer at once. Thread-safe.
class FakeLink : public Link {
 public:
  explicit FakeLink(std::chrono::nanoseconds lease = std::chrono::seconds(10)) : lease_(lease) {}

  Result<Orders> Synchronize(const WorkerReport& report, std::chrono::nanoseconds timeout,
                             std::stop_token stop) override;
  Result<ShardWork> GetShard(const LeaseRef& lease, std::stop_token stop) override;
  Status DeliverShard(const LeaseRef& lease, const std::string& frame, double substrate_seconds,
                      std::stop_token stop) override;
  Status FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                   std::stop_token stop) override;

  // Queues a shard of `count` experiments from first_index on; its id.
  std::uint64_t AddShard(std::uint64_t first_index, std::uint32_t count);
  // Queues this run; its id.
  std::uint64_t AddRequest(const RunRequest& request);
  // The scheduler takes a lease away.
  void Revoke(std::uint64_t shard);
  // What calls answer instead, until cleared.
  void SetOutage(std::optional<Error> error);
  // What the next deliveries answer.
  void RefuseDelivery(Error error);
  // Happens once, before the next delivery is answered.
  void BeforeDelivery(std::function<void()> event);

  struct Failure {
    std::uint64_t shard;
    std::string error;
    bool retryable;
  };
  std::map<std::uint64_t, std::string> Delivered() const;  // Frames by shard.
  std::vector<Failure> Failures() const;
  std::vector<WorkerReport> Reports() const;
  std::vector<std::chrono::nanoseconds> Timeouts() const;
  std::set<std::uint64_t> Leased() const;
  // Waits until the condition on this link holds; false after ten seconds.
  bool WaitFor(const std::function<bool(const FakeLink&)>& condition);

 private:
  bool Holds(const LeaseRef& lease) const;  // Under mu_.

  const std::chrono::nanoseconds lease_;
  mutable std::recursive_mutex mu_;
  std::condition_variable_any changed_;
  std::map<std::uint64_t, RunRequest> shards_;  // Guarded by mu_, as is all below.
  std::deque<std::uint64_t> ready_;
  std::map<std::uint64_t, std::uint64_t> leased_;  // Shard to fence.
  std::uint64_t last_fence_ = 0;
  std::optional<Error> outage_;
  std::deque<Error> refusals_;
  std::function<void()> before_delivery_;
  std::map<std::uint64_t, std::string> delivered_;
  std::vector<Failure> failures_;
  std::vector<WorkerReport> reports_;
  std::vector<std::chrono::nanoseconds> timeouts_;
};

}  // namespace inferon::worker
