// The mode of a posterior, over all parameters or over some of them.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/queries/mode_climb.h"
#include "server/trainer/queries/posterior.h"

namespace inferon::trainer {

inline constexpr std::uint64_t kModeDraws = 1000;  // That a search starts from, unless told.

struct SpaceMode {
  std::vector<double> theta;  // [dimension], in the parameters' own units.
  double log_density = 0;     // With LogUnit of the free columns.
};

// The best place found from starts ([n, dimension] in the space, n > 0; fixed columns as they
// stay): by the gradient where the estimator has one, then by differential evolution (short after
// a climb), then cell by cell where parameters are integers. Never worse than the best start; a
// function of its arguments. kFailedPrecondition where no start lies in the support; kCancelled
// when stopped.
Result<SpaceMode> SearchMode(const SpacePosterior& posterior, std::span<const float> starts,
                             std::span<const std::size_t> free, std::uint64_t seed,
                             std::stop_token stop);

// The mode over all parameters, from the best of `draws` draws inside the support.
// kFailedPrecondition where too few of the estimator's draws lie there.
Result<SpaceMode> SearchMode(const SpacePosterior& posterior, std::uint64_t draws,
                             std::uint64_t seed, std::stop_token stop);

// The same for a study's model, in codes; the density is one over the unit box.
Result<MapEstimate> FindMode(const LoadedModel& model, std::span<const float> x,
                             std::uint64_t draws, std::uint64_t seed, std::stop_token stop);

}  // namespace inferon::trainer
