// Counts of values by size.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace inferon {

// Thread-safe.
class Histogram {
 public:
  struct Snapshot {
    std::vector<double> bounds;         // Ascending.
    std::vector<std::uint64_t> counts;  // [bounds.size() + 1]; the last: above all bounds.
    double sum = 0;
  };

  // A value counts in the first bucket whose bound is not below it.
  explicit Histogram(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void Observe(double value);
  Snapshot Read() const;

 private:
  const std::vector<double> bounds_;
  mutable std::mutex mu_;
  std::vector<std::uint64_t> counts_;  // Guarded by mu_, as is the next.
  double sum_ = 0;
};

// Bounds for the time of a call or of a commit, in seconds: 100 us to a minute.
std::vector<double> TimeBounds();
// Bounds for numbers of things: powers of two up to 1024.
std::vector<double> CountBounds();

}  // namespace inferon
