// Draws from the prior truncated to where a posterior has its mass: the proposal of the next round
// of a sequential inference (TSNPE: Deistler, Goncalves and Macke, NeurIPS 2022). Because it is the
// prior up to a constant inside the region, pairs simulated from it train a model as pairs from the
// prior do.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "common/inference/engine.h"
#include "server/trainer/engine/theta_space.h"

namespace inferon::trainer {

// Hands theta over in blocks, [n, dimension] in the parameters' own units. The region is where the
// density over the estimator's space (logarithms of loguniform and lognormal parameters) is at
// least its (1 - mass) quantile over 10 000 draws. Draws come by rejection, from the prior or from
// the posterior, whichever a first sample shows to be cheaper; both are exact. The same spec gives
// the same draws. kInvalidArgument for numbers out of range; kFailedPrecondition where a
// parameter's prior is known by its draws only, or where more than spec.most_tries candidates
// would be needed; kCancelled when stopped.
Result<ProposalReport> ProposeTheta(const estimators::DensityEstimator& estimator,
                                    const ThetaSpace& space, const ProposalSpec& spec,
                                    const InferenceEngine::TakeTheta& take, std::stop_token stop);

}  // namespace inferon::trainer
