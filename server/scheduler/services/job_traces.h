// The request by which each job was submitted, so that its worker's log can name it too. In memory
// and bounded: a trace is for people who look for what happened, not part of the job.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "common/base/trace.h"

namespace inferon::scheduler {

// Thread-safe.
class JobTraces {
 public:
  static constexpr std::size_t kMost = 10'000;

  // Names are resource names. What is oldest goes first.
  void Add(const std::string& job, const Trace& trace) {
    const std::lock_guard lock(mu_);
    if (trace.empty() || !traces_.emplace(job, trace).second) return;
    order_.push_back(job);
    if (order_.size() <= kMost) return;
    traces_.erase(order_.front());
    order_.pop_front();
  }

  // Empty where it is not known.
  Trace Find(const std::string& job) const {
    const std::lock_guard lock(mu_);
    const auto found = traces_.find(job);
    return found == traces_.end() ? Trace() : found->second;
  }

 private:
  mutable std::mutex mu_;
  std::map<std::string, Trace> traces_;  // Guarded by mu_, as is the next.
  std::deque<std::string> order_;
};

}  // namespace inferon::scheduler
