// Parameter sets drawn from the prior and from the constrained prior: each a pure function of
// (seed, stream), so that a study that is cut off draws the same again.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string_view>

#include "common/base/result.h"
#include "common/neuron/parameters.h"
#include "server/trainer/registry/support.h"

namespace inferon::trainer {

// Codes uniform in 0..1022; set i depends on (seed, stream, first + i) only. Dimension 1..64.
ParameterSets UniformSets(std::uint64_t seed, std::string_view stream, std::size_t dimension,
                          std::uint64_t first, std::size_t count);

// Draws from the constrained prior with the effort that they took.
struct ConstrainedDraws {
  ParameterSets sets;
  std::uint64_t candidates = 0;  // Uniform candidates looked at, up to the last accepted one.
};

// The first `count` uniform sets of the stream that lie in the support. kFailedPrecondition where
// the share of accepted ones stays under `least_acceptance` (after 100000 candidates at least);
// kCancelled when stopped. `progress` (may be empty) gets the number found so far.
Result<ConstrainedDraws> ConstrainedSets(const Support& support, std::uint64_t seed,
                                         std::string_view stream, std::size_t dimension,
                                         std::size_t count, double least_acceptance,
                                         std::stop_token stop,
                                         const std::function<void(std::size_t)>& progress);

}  // namespace inferon::trainer
