// How good are the posteriors: held-out log densities and the tests of calibration, on the
// validation set and, where there is one, on the same parameter sets in another hardware run.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "server/trainer/statistics/calibration_tests.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_context.h"

namespace inferon::trainer {

// Evaluates one model; leaves for each round (prefix "" or "other_run.") diagnostics.<input>.
// heldout.npy f8 [m] (log density of the true parameters for each relevant row), .rows.npy u4 [n]
// (rows that were tested), .ranks.npy u4 [n,d], .levels.npy f8 [n] (credible level at which the
// highest-density region reaches the truth), .tarp.npy f8 [n], .widths.npy f8 [n] and, last,
// diagnostics.<input>.json with the tests.
Status Diagnose(const StudyContext& study, const std::string& input, std::stop_token stop);

// Of one model on one round.
struct RoundDiagnostics {
  std::vector<double> heldout;          // [m]
  std::vector<std::uint32_t> rows;      // [n]
  std::vector<double> widths;           // [n] mean log deviation of the draws, codes.
  statistics::CalibrationResult tests;  // Of these n rows; ranks, levels and band included.
  std::string verdict;                  // In words.
  std::uint64_t left_out = 0;           // Rows that were not: too few draws in the support.
  double outlier_share = 0;             // Rows that a query would warn of.
};

struct Diagnostics {
  RoundDiagnostics validation;
  std::optional<RoundDiagnostics> other_run;
  double local_p_value = 1;         // Of the classifier's test at the target.
  double target_outlier_score = 0;  // 0..1; above 0.99 a query warns.
};
Result<Diagnostics> ReadDiagnostics(const StudyContext& study, const std::string& input);
// Writes the arrays of a round, and the file that makes the diagnostics complete.
void WriteDiagnostics(const StudyContext& study, const std::string& input,
                      const Diagnostics& diagnostics);
bool HasDiagnostics(const StudyContext& study, const std::string& input);

// Rows of the validation set with a relevant spike count: the held-out subset, the same for both
// models.
std::vector<std::uint64_t> HeldoutRows(const StudyContext& study, const DataSet& validation);

}  // namespace inferon::trainer
