// Clients of a scheduler for its benchmark: many calls in flight on few threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inferon/v1/experiments.grpc.pb.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::bench {

// A small valid submission: `sets` parameter sets, a trace of `points` points.
v1::CreateJobRequest MakeSubmission(std::size_t sets, std::uint32_t shard_size, std::size_t points);

struct Rate {
  double per_second = 0;
  double client_cpu_s = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
};

// Keeps `in_flight` submissions under way, each with a request id of its own, until `seconds` have
// passed or `most` were begun.
Rate SubmitClosedLoop(const std::string& address, const v1::CreateJobRequest& submission,
                      int in_flight, double seconds, std::uint64_t most);

// Submits at a steady rate, whatever the answers take; latencies in ms, sorted.
struct Latencies {
  std::vector<double> ms;
  std::uint64_t failed = 0;
  double Quantile(double q) const {
    return ms.empty() ? 0 : ms[static_cast<std::size_t>(q * static_cast<double>(ms.size() - 1))];
  }
};
Latencies SubmitOpenLoop(const std::string& address, const v1::CreateJobRequest& submission,
                         double per_second, double seconds);

// Watches of jobs and heartbeats of idle workers, for as long as it lives.
class Crowd {
 public:
  Crowd(const std::string& address, const std::string& job, int watchers, int workers);
  ~Crowd();
  // Watches and heartbeats that failed.
  std::uint64_t failed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace inferon::bench
