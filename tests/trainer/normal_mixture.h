// A posterior that is known in closed form: a mixture of normals with any correlations, with its
// conditionals and marginals. Bounded columns go to the line by the logit.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

// One normal: [d] and [d, d].
struct NormalPart {
  double weight = 1;
  std::vector<double> mean, covariance;
};
using NormalMixture = std::vector<NormalPart>;

// Log density on the line at z ([d]).
double LogDensityOf(const NormalMixture& mixture, const std::vector<double>& z);
// The conditional of the other columns where `fixed` are at `values`, in ascending order.
NormalMixture ConditionalOf(const NormalMixture& mixture, const std::vector<std::size_t>& fixed,
                            const std::vector<double>& values);
// The marginal of these columns.
NormalMixture MarginalOf(const NormalMixture& mixture, const std::vector<std::size_t>& kept);

// Whatever x is. With `slopes` the estimator has a gradient.
std::unique_ptr<estimators::DensityEstimator> MakeNormalMixture(NormalMixture mixture,
                                                                std::vector<estimators::Axis> axes,
                                                                bool slopes = false);

}  // namespace inferon::trainer
