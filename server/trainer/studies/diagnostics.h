// How good are the posteriors: held-out log densities, ranks and coverage on the validation set.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_context.h"

namespace inferon::trainer {

// Evaluates one model; leaves diagnostics.<input>.heldout.npy f8 [m] (log density of the true
// parameters for each relevant validation row), .ranks.npy u4 [n,d], .levels.npy f8 [n] (credible
// level at which the highest-density region reaches the truth) and, last, .json.
Status Diagnose(const StudyContext& study, const std::string& input, std::stop_token stop);

struct Diagnostics {
  std::vector<double> heldout;       // [m]
  std::vector<std::uint32_t> ranks;  // [n, d]
  std::vector<double> levels;        // [n]
  std::uint32_t draws = 0;           // Posterior draws behind each rank.
  std::uint64_t left_out = 0;        // Validation rows without ranks: too few draws in the support.
};
Result<Diagnostics> ReadDiagnostics(const StudyContext& study, const std::string& input);

// Rows of the validation set with a relevant spike count: the held-out subset, the same for both
// models.
std::vector<std::uint64_t> HeldoutRows(const StudyContext& study, const DataSet& validation);

}  // namespace inferon::trainer
