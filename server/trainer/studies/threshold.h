// The classifier's threshold: chosen on one uniform round, measured on another.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/result.h"
#include "server/trainer/statistics/intervals.h"

namespace inferon::trainer {

// The largest threshold whose false-negative rate has a one-sided 95 % Clopper-Pearson upper bound
// of at most `allowed_rate`, judged on independent scored draws. kFailedPrecondition where there
// are too few relevant ones for any threshold.
struct ThresholdChoice {
  float threshold = 0;
  std::uint64_t relevant = 0;
  std::uint64_t missed = 0;  // Relevant ones below the threshold.
  double bound = 1;          // Upper bound of the false-negative rate.
};
Result<ThresholdChoice> ChooseThreshold(std::span<const float> scores,
                                        std::span<const std::uint8_t> relevant,
                                        double allowed_rate);

// What a threshold does on independent draws.
struct ThresholdAudit {
  std::uint64_t draws = 0;
  std::uint64_t relevant = 0;
  std::uint64_t missed = 0;  // Relevant and rejected.
  std::uint64_t accepted = 0;
  std::uint64_t accepted_relevant = 0;

  double FalseNegativeRate() const;   // NaN without relevant ones.
  double FalseNegativeBound() const;  // One-sided 95 % upper bound.
  double Precision() const;           // Share of relevant among accepted; NaN without accepted.
  double Acceptance() const;          // NaN without draws.
};
ThresholdAudit AuditThreshold(std::span<const float> scores, std::span<const std::uint8_t> relevant,
                              float threshold);

}  // namespace inferon::trainer
