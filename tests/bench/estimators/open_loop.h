// Load on a server: as fast as it answers, or at a rate of arrivals that it cannot slow down.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace inferon::bench {

// One request of the client with this number; false where it failed.
using Request = std::function<bool(std::size_t client)>;

struct Load {
  double per_second = 0;
  std::size_t failed = 0;
  std::vector<double> latency_ms;  // Ascending; of those that did not fail.
};

// `clients` threads ask again and again.
Load ClosedLoop(std::size_t clients, double seconds, const Request& request);
// Requests arrive at random times (exponential gaps) with this mean rate, whether or not earlier
// ones are answered; latencies count from the arrival. At most `clients` are under way.
Load OpenLoop(std::size_t clients, double rate, double seconds, const Request& request);

// The share-th smallest; 0 of nothing.
double Quantile(const std::vector<double>& ascending, double share);

}  // namespace inferon::bench
