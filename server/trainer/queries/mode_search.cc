#include "server/trainer/queries/mode_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/base/philox.h"
#include "common/neuron/parameters.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kBlock = 1024;     // Draws looked at together.
constexpr std::size_t kPopulation = 48;  // Code sets; they fit into one pass of the flow.
constexpr int kGenerations = 80;         // At most.
constexpr int kPatience = 16;            // Generations, after which
constexpr double kLeastGain = 1e-3;      // less than this, in nats, ends the search.
constexpr double kStep = 0.6;            // Of a difference.
constexpr double kCross = 0.9;           // Share of the codes that a trial changes.

struct Population {
  std::size_t dimension = 0;
  std::vector<std::uint16_t> codes;
  std::vector<double> log_density;
  std::size_t size() const { return log_density.size(); }
  std::size_t Best() const {
    return static_cast<std::size_t>(std::max_element(log_density.begin(), log_density.end()) -
                                    log_density.begin());
  }
};

// Keeps the best of the population and of more draws.
void Keep(const PosteriorDraws& draws, Population* population) {
  Population all = *population;
  all.codes.insert(all.codes.end(), draws.codes.begin(), draws.codes.end());
  all.log_density.insert(all.log_density.end(), draws.log_density.begin(), draws.log_density.end());
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  const std::size_t n = std::min(kPopulation, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return all.log_density[a] != all.log_density[b]
                                 ? all.log_density[a] > all.log_density[b]
                                 : a < b;
                    });
  population->codes.clear();
  population->log_density.clear();
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = all.codes.begin() + static_cast<std::ptrdiff_t>(order[i] * all.dimension);
    population->codes.insert(population->codes.end(), row,
                             row + static_cast<std::ptrdiff_t>(all.dimension));
    population->log_density.push_back(all.log_density[order[i]]);
  }
}

// One trial for each member: a step towards the best and along a difference of two others, at
// least one code further than rounding would leave it.
std::vector<std::uint16_t> Trials(const Population& p, PhiloxSequence& random) {
  const std::size_t d = p.dimension;
  const std::size_t best = p.Best();
  std::vector<std::uint16_t> trials = p.codes;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const std::size_t a = random.Below(p.size()), b = random.Below(p.size());
    const std::size_t sure = random.Below(d);
    for (std::size_t j = 0; j < d; ++j) {
      if (j != sure && random.Uniform() >= kCross) continue;
      const double own = p.codes[i * d + j];
      const double shake = 2 * random.Uniform() - 1;
      const double value = own + kStep * (p.codes[best * d + j] - own) +
                           kStep * (double(p.codes[a * d + j]) - p.codes[b * d + j]) + shake;
      trials[i * d + j] = static_cast<std::uint16_t>(
          std::clamp(std::lround(value), 0L, static_cast<long>(kMaxCode)));
    }
  }
  return trials;
}

void Select(const std::vector<std::uint16_t>& trials, const std::vector<double>& density,
            Population* p) {
  const auto d = static_cast<std::ptrdiff_t>(p->dimension);
  for (std::size_t i = 0; i < p->size(); ++i) {
    if (!(density[i] > p->log_density[i])) continue;
    const auto row = static_cast<std::ptrdiff_t>(i) * d;
    std::copy_n(trials.begin() + row, d, p->codes.begin() + row);
    p->log_density[i] = density[i];
  }
}

}  // namespace

Result<MapEstimate> FindMode(const LoadedModel& model, std::span<const float> x,
                             std::uint64_t draws, std::uint64_t seed, std::stop_token stop) {
  Population population;
  population.dimension = model.dimension();
  PosteriorSampler sampler(model, {x.begin(), x.end()}, seed);
  for (std::uint64_t done = 0; done < draws; done += kBlock) {
    const auto block = sampler.Next(std::min<std::uint64_t>(kBlock, draws - done), stop);
    if (!block) return tl::unexpected(block.error());
    Keep(*block, &population);
  }
  PhiloxSequence random(StreamKey(seed, "mode"));
  double before = population.log_density[population.Best()];
  for (int generation = 1; generation <= kGenerations; ++generation) {
    const std::vector<std::uint16_t> trials = Trials(population, random);
    const auto density = LogDensityOfCodes(model, x, trials, stop);
    if (!density) return tl::unexpected(density.error());
    Select(trials, *density, &population);
    if (generation % kPatience != 0) continue;
    const double now = population.log_density[population.Best()];
    if (now - before < kLeastGain) break;
    before = now;
  }
  const std::size_t best = population.Best();
  const auto row =
      population.codes.begin() + static_cast<std::ptrdiff_t>(best * population.dimension);
  return MapEstimate{{row, row + static_cast<std::ptrdiff_t>(population.dimension)},
                     population.log_density[best]};
}

}  // namespace inferon::trainer
