// Tells who waits for a job that it has changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>

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
    callbacks_.emplace(id, Entry{job, std::move(callback)});
    return id;
  }
  void Unsubscribe(std::uint64_t id) {
    std::lock_guard lock(mu_);
    callbacks_.erase(id);
  }
  void Notify(const std::set<JobId>& jobs) {
    std::lock_guard lock(mu_);
    for (const auto& [id, entry] : callbacks_) {
      if (jobs.contains(entry.job)) entry.callback();
    }
  }

 private:
  struct Entry {
    JobId job;
    Callback callback;
  };
  std::mutex mu_;
  std::uint64_t next_ = 1;                    // Guarded by mu_.
  std::map<std::uint64_t, Entry> callbacks_;  // Guarded by mu_.
};

}  // namespace inferon::scheduler
