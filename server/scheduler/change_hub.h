// Tells who waits for a job that it has changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "server/scheduler/types.h"

namespace inferon::scheduler {

// Thread-safe. Callbacks run on the writer's thread under the hub's lock: they must be quick and
// must not call the hub. After Unsubscribe() has returned, the callback runs no more.
class ChangeHub {
 public:
  using Callback = std::function<void()>;

  std::uint64_t Subscribe(JobId job, Callback callback) {
    std::lock_guard lock(mu_);
    const std::uint64_t id = next_++;
    jobs_.emplace(id, job);
    callbacks_.emplace(std::pair(job, id), std::move(callback));
    return id;
  }
  void Unsubscribe(std::uint64_t id) {
    std::lock_guard lock(mu_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    callbacks_.erase({found->second, id});
    jobs_.erase(found);
  }
  void Notify(const std::set<JobId>& jobs) {
    std::lock_guard lock(mu_);
    for (const JobId job : jobs) {
      auto at = callbacks_.lower_bound({job, 0});
      for (; at != callbacks_.end() && at->first.first == job; ++at) at->second();
    }
  }

 private:
  std::mutex mu_;
  std::uint64_t next_ = 1;                                         // Guarded by mu_.
  std::map<std::uint64_t, JobId> jobs_;                            // Guarded by mu_.
  std::map<std::pair<JobId, std::uint64_t>, Callback> callbacks_;  // Guarded by mu_.
};

}  // namespace inferon::scheduler
