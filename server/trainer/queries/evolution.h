// The mode of a posterior without a gradient.
#pragma once

#include <cstdint>

#include "server/trainer/queries/mode_climb.h"

namespace inferon::trainer {

// Improves the starts along the free columns by differential evolution (Storn and Price, J. Global
// Optimization 11, 1997), whose steps are differences between good places and so follow the
// posterior's ridges; integers stay whole. At most 80 generations; never worse than the best
// start; a function of its arguments. kCancelled when stopped.
Result<ModeCandidates> Evolve(const SpacePosterior& posterior, ModeCandidates starts,
                              std::span<const std::size_t> free, std::uint64_t seed,
                              std::stop_token stop);

}  // namespace inferon::trainer
