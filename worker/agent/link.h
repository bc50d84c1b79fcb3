// What a worker says to its scheduler and hears from it, in domain terms.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "worker/substrate.h"

namespace inferon::worker {

// A lease: the shard and its fencing token.
struct LeaseRef {
  std::uint64_t shard = 0;
  std::uint64_t fence = 0;
  auto operator<=>(const LeaseRef&) const = default;
};

// A lease as the scheduler gives it.
struct Lease {
  LeaseRef ref;
  std::chrono::nanoseconds left{0};  // Until it ends unless it is kept.
};

// What the worker has and wants.
struct WorkerReport {
  std::vector<LeaseRef> leases;
  int wanted = 0;         // Further shards.
  bool draining = false;  // Shuts down: leases not named are returned.
};

// What the worker should have.
struct Orders {
  std::vector<Lease> leases;         // A held lease that is missing here is lost.
  std::chrono::nanoseconds next{0};  // Pause before the next report when nothing happens.
  bool drain = false;                // An operator wants no further work here.
};

// A shard, ready to run.
struct ShardWork {
  std::string job;
  RunRequest request;
};

// The connection to the scheduler. Each call is one attempt; kUnavailable and kDeadlineExceeded may
// pass, kAborted says that the lease (for Synchronize: the worker's name) belongs to another now.
// Thread-safe.
class Link {
 public:
  virtual ~Link() = default;
  virtual Result<Orders> Synchronize(const WorkerReport& report, std::chrono::nanoseconds timeout,
                                     std::stop_token stop) = 0;
  // kInvalidArgument where the shard's settings are malformed: nobody can run it.
  virtual Result<ShardWork> GetShard(const LeaseRef& lease, std::stop_token stop) = 0;
  // Uploads an observation frame and commits it. Idempotent.
  virtual Status DeliverShard(const LeaseRef& lease, const std::string& frame,
                              double substrate_seconds, std::stop_token stop) = 0;
  // Idempotent.
  virtual Status FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                           std::stop_token stop) = 0;
};

}  // namespace inferon::worker
