// Posterior predictive check of one number: where does the observed value lie among the predicted?
#pragma once

#include <cstddef>
#include <span>

#include "server/trainer/statistics/intervals.h"

namespace inferon::statistics {

struct PredictiveCheck {
  std::size_t runs = 0;  // Predicted values that exist.
  double median = 0;
  Interval central90;
  // Share of predicted values below the observed one, ties counted half.
  double below = 0;
  // Two-sided tail: twice the smaller of (ties included) the shares at or beyond the observed
  // value, with the observed value counted as one of them; at most 1.
  double p_value = 1;
};

// NaN among the predicted is left out; NaN everywhere or an observed NaN gives p_value 1 and NaN
// for what does not exist.
PredictiveCheck CheckPrediction(std::span<const double> predicted, double observed);

}  // namespace inferon::statistics
