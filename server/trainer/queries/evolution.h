// The mode of a posterior without a gradient.
#pragma once

#include <cstdint>

#include "server/trainer/queries/mode_climb.h"

namespace inferon::trainer {

// Improves the starts along the free columns by differential evolution (Storn and Price, J. Global
// Optimization 11, 1997), whose steps are differences between good places and so follow the
// posterior's ridges; integers stay whole. Never worse than the best start; a function of its
// arguments. kCancelled when stopped.
struct EvolutionLimits {
  int generations = 80;
  int patience = 16;         // Generations, after which
  double least_gain = 1e-4;  // less than this, in nats, ends the search.
};
Result<ModeCandidates> Evolve(const SpacePosterior& posterior, ModeCandidates starts,
                              std::span<const std::size_t> free, std::uint64_t seed,
                              std::stop_token stop, EvolutionLimits limits = {});

}  // namespace inferon::trainer
