// The end of a job: every experiment exactly once, and dead only what does harm.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "tests/scheduler/scheduler_fixture.h"
#include "tests/simulation/history.h"

namespace inferon::scheduler {

// Experiments [first, first + count) hold one of these.
bool HoldsOne(const std::set<std::uint64_t>& experiments, std::uint64_t first, std::uint32_t count);

struct ExpectedJob {
  std::string name;
  std::uint64_t experiments = 0;
  std::set<std::uint64_t> harmful = {};  // Experiments that fail or end their workers.
  bool cancelled = false;
};

// Checks an ended job of MakeRequest against what the history saw of it.
void CheckOutcome(Core& core, const ExpectedJob& expected, const History& history);

}  // namespace inferon::scheduler
