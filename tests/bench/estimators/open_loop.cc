#include "tests/bench/estimators/open_loop.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <thread>

#include "common/base/clock.h"
#include "common/base/philox.h"

namespace inferon::bench {
namespace {

using Seconds = std::chrono::duration<double>;

// Latencies from many threads.
class Collector {
 public:
  void Add(bool answered, double latency_ms) {
    const std::lock_guard lock(mu_);
    if (answered) {
      load_.latency_ms.push_back(latency_ms);
    } else {
      ++load_.failed;
    }
  }
  Load Finish(double seconds) {
    std::sort(load_.latency_ms.begin(), load_.latency_ms.end());
    load_.per_second = static_cast<double>(load_.latency_ms.size()) / seconds;
    return load_;
  }

 private:
  std::mutex mu_;
  Load load_;
};

std::vector<double> Arrivals(double rate, double seconds) {
  PhiloxSequence random(StreamKey(5, "arrivals"));
  std::vector<double> at;
  for (double t = 0;;) {
    t += -std::log(1 - random.Uniform()) / rate;
    if (t > seconds) return at;
    at.push_back(t);
  }
}

}  // namespace

Load ClosedLoop(std::size_t clients, double seconds, const Request& request) {
  Collector collector;
  const SteadyTime start = SystemClock().Now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t client = 0; client < clients; ++client) {
      threads.emplace_back([&, client] {
        while (Seconds(SystemClock().Now() - start).count() < seconds) {
          const SteadyTime before = SystemClock().Now();
          const bool answered = request(client);
          collector.Add(answered, 1e3 * Seconds(SystemClock().Now() - before).count());
        }
      });
    }
  }
  return collector.Finish(Seconds(SystemClock().Now() - start).count());
}

Load OpenLoop(std::size_t clients, double rate, double seconds, const Request& request) {
  const std::vector<double> arrivals = Arrivals(rate, seconds);
  Collector collector;
  std::atomic<std::size_t> next{0};
  const SteadyTime start = SystemClock().Now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t client = 0; client < clients; ++client) {
      threads.emplace_back([&, client] {
        for (std::size_t i = next++; i < arrivals.size(); i = next++) {
          const SteadyTime due =
              start + std::chrono::duration_cast<SteadyTime::duration>(Seconds(arrivals[i]));
          const auto wait = due - SystemClock().Now();
          if (wait > SteadyTime::duration::zero()) SystemClock().SleepFor(wait, {});
          const bool answered = request(client);
          collector.Add(answered, 1e3 * Seconds(SystemClock().Now() - due).count());
        }
      });
    }
  }
  return collector.Finish(Seconds(SystemClock().Now() - start).count());
}

double Quantile(const std::vector<double>& ascending, double share) {
  if (ascending.empty()) return 0;
  const auto last = static_cast<double>(ascending.size() - 1);
  return ascending[static_cast<std::size_t>(std::ceil(share * last))];
}

}  // namespace inferon::bench
