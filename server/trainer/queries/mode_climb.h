// The mode of a posterior by its gradient: many draws climb at once, each by a limited-memory
// quasi-Newton method (L-BFGS: Nocedal, Math. Comp. 35, 1980) that starts from the draws'
// covariance and is projected onto the box.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "server/trainer/queries/space_posterior.h"

namespace inferon::trainer {

// Places with the log density that a mode is sought of.
struct ModeCandidates {
  std::vector<float> rows;          // [n, dimension] in the space.
  std::vector<double> log_density;  // [n], with LogUnit of the free columns.
  std::size_t size() const { return log_density.size(); }
};
// Rows ([n, dimension]) after Snap with their values, in their order.
ModeCandidates Valued(const SpacePosterior& posterior, std::span<const float> rows,
                      std::span<const std::size_t> free);
// The `most` best of them.
ModeCandidates BestOf(const SpacePosterior& posterior, std::span<const float> rows,
                      std::span<const std::size_t> free, std::size_t most);

// Improves the starts along the free columns; nothing where the estimator has no gradient. At most
// kMostSteps evaluations of all starts; never worse than the best start. kCancelled when stopped.
inline constexpr int kMostSteps = 40;
Result<std::optional<ModeCandidates>> Climb(const SpacePosterior& posterior,
                                            const ModeCandidates& starts,
                                            std::span<const std::size_t> free,
                                            std::stop_token stop);

}  // namespace inferon::trainer
