// Workers that have their results ready: they lease, upload and commit as fast as they can.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/neuron/observation.h"

namespace inferon::bench {

class Workers {
 public:
  // Results with traces of `points` points.
  Workers(const std::string& address, int count, std::size_t points);
  ~Workers();
  std::uint64_t shards() const { return shards_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t failed() const { return failed_; }

 private:
  void Work(const std::string& address, int index, std::stop_token stop);

  const std::size_t points_;
  std::atomic<std::uint64_t> shards_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::vector<std::jthread> threads_;  // Last.
};

}  // namespace inferon::bench
