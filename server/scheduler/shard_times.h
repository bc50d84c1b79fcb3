// Measured times of shards, by the kind of substrate: what expectations are made of.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace inferon::scheduler {

// A plain structure of the writer's thread.
class ShardTimes {
 public:
  // A shard was committed: seconds an experiment on the substrate, and from lease to commit.
  void Add(const std::string& substrate, double substrate_seconds, double held_seconds);
  // Mean over the latest shards, seconds an experiment; nothing without any.
  std::optional<double> SubstrateSeconds(const std::string& substrate) const;
  // Quantile 0..1 of the latest shards from lease to commit, seconds an experiment.
  std::optional<double> HeldSeconds(const std::string& substrate, double quantile) const;

 private:
  static constexpr std::size_t kKept = 64;
  struct Sample {
    double substrate = 0;
    double held = 0;
  };
  std::map<std::string, std::deque<Sample>> samples_;
};

}  // namespace inferon::scheduler
