// What every observation of a chip carries with it.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/canary.h"
#include "worker/brainscales2/messages.h"
#include "worker/substrate.h"

namespace inferon::worker {

// Sums over the programs of a run.
struct RunTotals {
  double hardware_us = 0;
  double waiting_us = 0;
  std::uint32_t programs = 0;
  std::uint32_t repeated = 0;
  std::uint32_t saturated = 0;
  std::optional<double> coldest_c;
  std::optional<double> warmest_c;
  std::vector<double> supply_v;  // Of the last program.

  void Add(const BatchReply& reply);
};

struct ProvenanceInput {
  const RunRequest& request;
  const Hello& hello;
  const ChipMapping& mapping;
  std::string calibration_id;
  const RunTotals& totals;
  HealthReport health;
  CanaryVerdict canary;
  double canary_age_s = -1;  // Negative: none.
};

// A JSON object.
std::string MakeProvenance(const ProvenanceInput& input);

}  // namespace inferon::worker
