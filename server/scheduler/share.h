// Weighted fair share between projects: which one is served next, a function of a snapshot.
//
// Each project is charged the substrate seconds that its shards took and the cost of switching a
// worker to it; the charge decays with a half-life, so that shares are those of about the last
// half-life and not of all time. The next shard goes to the project whose charge, with what its
// workers hold now and what the next shard would cost, is smallest relative to its weight. Two
// projects that always have work so get seconds in proportion to their weights; they differ from
// that by no more than the cost of one shard on each worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace inferon::scheduler {

// A project with work for a worker.
struct ShareEntry {
  std::string project;
  double weight = 1;
  double charged = 0;           // Decayed seconds, and those that its leases are expected to take.
  double cost = 0;              // Seconds of switching that the next shard would add.
  std::uint64_t last_turn = 0;  // Number of the lease that it got last; 0: none.
  bool over_quota = false;      // Has used up its day.
};

// Projects to serve, first the one to serve next; none that is over its quota. Equal ones: the one
// served longest ago, then by name.
std::vector<std::string> RankByShare(std::span<const ShareEntry> entries);

// What is left of a charge after some time.
double Decayed(double seconds, std::chrono::duration<double> age,
               std::chrono::duration<double> half_life);

}  // namespace inferon::scheduler
