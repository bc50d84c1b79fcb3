// Means, quantiles and their uncertainty.
#pragma once

#include <span>
#include <vector>

#include "server/trainer/statistics/intervals.h"

namespace inferon::statistics {

// A mean with its standard error (0 below two values); both NaN without values.
struct MeanWithError {
  double mean = 0;
  double error = 0;
  // mean -+ 1.96 standard errors.
  Interval Interval95() const;
};
MeanWithError Mean(std::span<const double> values);

// Mean of first[i] - second[i] with the standard error of the differences (same length).
MeanWithError PairedDifference(std::span<const double> first, std::span<const double> second);

// Square root of the variance with divisor n - 1; 0 below two values.
double StandardDeviation(std::span<const double> values);

// Quantile by linear interpolation between order statistics (Hyndman and Fan's type 7); p in
// [0, 1]. `sorted` ascends and is not empty.
double Quantile(std::span<const double> sorted, double p);

// Values without NaN, ascending.
std::vector<double> Sorted(std::span<const double> values);

// 95 % interval of the median by order statistics (normal approximation of the binomial ranks).
Interval MedianInterval(std::span<const double> sorted);

}  // namespace inferon::statistics
