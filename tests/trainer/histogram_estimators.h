// Small estimators without LibTorch: histograms. They learn, are deterministic, checkpoint and
// save, so that the whole pipeline runs in milliseconds.
#pragma once

#include <memory>

#include "server/trainer/estimator_factory.h"

namespace inferon::trainer {

// The classifier counts relevant rows by the first coordinate; the density estimator counts theta
// by coordinate, apart for four ranges of the first input column. Density estimators whose first
// input is `kOutlier` find it far from the training data.
inline constexpr float kOutlier = 1020;
// Density estimators of so many hidden units are surer than their data.
inline constexpr std::uint32_t kTooSure = 9;
std::unique_ptr<EstimatorFactory> MakeHistogramFactory();

}  // namespace inferon::trainer
