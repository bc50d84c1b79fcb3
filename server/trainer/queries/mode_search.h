// The mode of a posterior over codes.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>

#include "common/base/result.h"
#include "server/trainer/queries/posterior.h"

namespace inferon::trainer {

// The most probable code set that a search finds: it starts from the best of `draws` draws and
// goes on by differential evolution (Storn and Price, J. Global Optimization 11, 1997), whose
// steps are differences between good code sets and so follow the posterior's ridges. Never worse
// than the best draw; a pure function of (model, x, draws, seed). Errors of PosteriorSampler.
Result<MapEstimate> FindMode(const LoadedModel& model, std::span<const float> x,
                             std::uint64_t draws, std::uint64_t seed, std::stop_token stop);

}  // namespace inferon::trainer
