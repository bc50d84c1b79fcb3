#include "server/trainer/queries/evolution.h"

#include <algorithm>

#include "common/base/philox.h"

namespace inferon::trainer {
namespace {

constexpr double kStep = 0.6;   // Of a difference.
constexpr double kCross = 0.9;  // Share of the columns that a trial changes.

std::size_t Best(const ModeCandidates& population) {
  return static_cast<std::size_t>(std::ranges::max_element(population.log_density) -
                                  population.log_density.begin());
}

// One trial for each member: a step towards the best and along a difference of two others; an
// integer goes at least one cell further than rounding would leave it.
std::vector<float> Trials(const SpacePosterior& posterior, const ModeCandidates& population,
                          std::span<const std::size_t> free, PhiloxSequence& random) {
  const std::size_t d = posterior.dimension(), best = Best(population);
  const auto n = static_cast<std::uint32_t>(population.size());
  const std::vector<float>& rows = population.rows;
  std::vector<float> trials = rows;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t a = random.Below(n), b = random.Below(n);
    const std::size_t sure = random.Below(static_cast<std::uint32_t>(free.size()));
    for (std::size_t k = 0; k < free.size(); ++k) {
      if (k != sure && random.Uniform() >= kCross) continue;
      const std::size_t j = free[k];
      const ParameterMap& map = posterior.space.map(j);
      const double own = rows[i * d + j], shake = (2 * random.Uniform() - 1) * map.cell();
      double v = own + kStep * (rows[best * d + j] - own) +
                 kStep * (double{rows[a * d + j]} - rows[b * d + j]) + shake;
      if (map.bounded() && (v < 0 || v > 1)) v = rows[best * d + j];
      trials[i * d + j] = static_cast<float>(v);
    }
  }
  return trials;
}

}  // namespace

Result<ModeCandidates> Evolve(const SpacePosterior& posterior, ModeCandidates starts,
                              std::span<const std::size_t> free, std::uint64_t seed,
                              std::stop_token stop, EvolutionLimits limits) {
  const std::size_t d = posterior.dimension();
  PhiloxSequence random(StreamKey(seed, "mode"));
  double before = starts.log_density[Best(starts)];
  for (int generation = 1; generation <= limits.generations && starts.size() > 3; ++generation) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the query was cancelled");
    const std::vector<float> trials = Trials(posterior, starts, free, random);
    const ModeCandidates tried = Valued(posterior, trials, free);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      if (!(tried.log_density[i] > starts.log_density[i])) continue;
      starts.log_density[i] = tried.log_density[i];
      std::copy_n(tried.rows.begin() + static_cast<std::ptrdiff_t>(i * d), d,
                  starts.rows.begin() + static_cast<std::ptrdiff_t>(i * d));
    }
    if (generation % limits.patience != 0) continue;
    const double now = starts.log_density[Best(starts)];
    if (now - before < limits.least_gain) break;
    before = now;
  }
  return BestOf(posterior, starts.rows, free, starts.size());
}

}  // namespace inferon::trainer
