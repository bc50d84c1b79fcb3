#include "server/scheduler/shard_times.h"

#include <algorithm>
#include <vector>

namespace inferon::scheduler {

void ShardTimes::Add(const std::string& substrate, double substrate_seconds, double held_seconds) {
  std::deque<Sample>& samples = samples_[substrate];
  samples.push_back({substrate_seconds, held_seconds});
  if (samples.size() > kKept) samples.pop_front();
}

std::optional<double> ShardTimes::SubstrateSeconds(const std::string& substrate) const {
  const auto found = samples_.find(substrate);
  if (found == samples_.end()) return std::nullopt;
  double sum = 0;
  for (const Sample& sample : found->second) sum += sample.substrate;
  return sum / static_cast<double>(found->second.size());
}

std::optional<double> ShardTimes::HeldSeconds(const std::string& substrate, double quantile) const {
  const auto found = samples_.find(substrate);
  if (found == samples_.end()) return std::nullopt;
  std::vector<double> held;
  for (const Sample& sample : found->second) held.push_back(sample.held);
  std::sort(held.begin(), held.end());
  const double at = quantile * static_cast<double>(held.size() - 1);
  return held[static_cast<std::size_t>(at + 0.5)];
}

}  // namespace inferon::scheduler
