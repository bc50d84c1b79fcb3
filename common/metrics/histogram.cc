#include "common/metrics/histogram.h"

#include <algorithm>

namespace inferon {

void Histogram::Observe(double value) {
  const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  const std::lock_guard lock(mu_);
  ++counts_[static_cast<std::size_t>(place)];
  sum_ += value;
}

Histogram::Snapshot Histogram::Read() const {
  const std::lock_guard lock(mu_);
  return {bounds_, counts_, sum_};
}

std::vector<double> TimeBounds() {
  return {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60};
}

std::vector<double> CountBounds() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}; }

}  // namespace inferon
