// What must hold at all times of a scheduler, seen from the outside.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "server/scheduler/types.h"

namespace inferon::scheduler {

class History {
 public:
  // A lease was given (or repeated) to a worker.
  void Given(const LeaseRef& lease, const std::string& worker) {
    Fence& last = fences_[lease.shard];
    const auto holder = holders_.find(lease.fence);
    if (holder != holders_.end()) {
      EXPECT_EQ(holder->second, worker) << "one fence, two holders";
      return;
    }
    EXPECT_GT(lease.fence, last) << "the fence of shard " << lease.shard << " fell";
    EXPECT_GT(lease.fence, highest_) << "a fence was given twice";
    last = highest_ = lease.fence;
    holders_[lease.fence] = worker;
  }
  // A commit was accepted.
  void Committed(const LeaseRef& lease, JobId job, std::uint64_t first, std::uint32_t count,
                 bool repeated) {
    if (repeated) {
      EXPECT_TRUE(accepted_.contains(lease.fence)) << "repeated before it was made";
      return;
    }
    EXPECT_EQ(lease.fence, fences_[lease.shard]) << "a stale lease was committed";
    EXPECT_TRUE(accepted_.insert(lease.fence).second);
    for (std::uint64_t e = first; e < first + count; ++e) {
      EXPECT_TRUE(done_.insert({job, e}).second) << "experiment " << e << " was committed twice";
    }
  }
  bool IsDone(JobId job, std::uint64_t experiment) const {
    return done_.contains({job, experiment});
  }
  std::uint64_t DoneOf(JobId job) const {
    return static_cast<std::uint64_t>(
        std::distance(done_.lower_bound({job, 0}), done_.lower_bound({job + 1, 0})));
  }

 private:
  std::map<ShardId, Fence> fences_;
  std::map<Fence, std::string> holders_;
  std::set<Fence> accepted_;
  std::set<std::pair<JobId, std::uint64_t>> done_;  // An experiment of a job.
  Fence highest_ = 0;
};

}  // namespace inferon::scheduler
