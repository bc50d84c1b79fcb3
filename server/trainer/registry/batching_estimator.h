// Puts the questions of many threads to one estimator together.
#pragma once

#include <memory>

#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

struct BatchingLimits {
  std::size_t most_rows = 1024;  // Of theta in one pass; a larger question goes alone.
  int most_passes = 2;           // At the same time.
};

// Answers as `inner` does, to the last bit. Densities that are asked for while others are being
// computed wait for the next pass and then go through the network together; a question that finds
// nothing under way is answered at once, so that an idle estimator delays nobody. Draws are not
// put together: 64 of them already fill a pass.
std::unique_ptr<estimators::DensityEstimator> MakeBatchingEstimator(
    std::unique_ptr<estimators::DensityEstimator> inner, BatchingLimits limits = {});

}  // namespace inferon::trainer
