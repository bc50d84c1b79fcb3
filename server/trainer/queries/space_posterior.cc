#include "server/trainer/queries/space_posterior.h"

#include <algorithm>
#include <limits>

#include "common/priors/partition.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kTile = 1024;  // Rows in one call of the estimator.
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

}  // namespace

SpacePosterior PosteriorOf(const LoadedModel& model, std::span<const float> x) {
  if (model.space) {
    return {*model.estimator, {x.begin(), x.end()}, *model.space, true, {}, model.queue.get()};
  }
  return {
      *model.estimator,
      {x.begin(), x.end()},
      ThetaSpace::Fit(IntegerPrior(model.record.parameters, 0, kMaxCode), {}),
      false,
      [&model](std::span<const float> rows) { return model.PriorSupport().Accepts(CodesOf(rows)); },
      model.queue.get()};
}

std::vector<double> LogDensityInSpace(const SpacePosterior& posterior,
                                      std::span<const float> rows) {
  const std::size_t d = posterior.dimension();
  std::vector<double> all;
  for (std::size_t at = 0; at < rows.size(); at += kTile * d) {
    const ComputeTurn turn(posterior.queue);
    const auto part = rows.subspan(at, std::min(kTile * d, rows.size() - at));
    auto density = posterior.estimator.LogDensity(posterior.x, {part.data(), part.size() / d, d});
    if (posterior.inside) {
      const std::vector<std::uint8_t> inside = posterior.inside(part);
      for (std::size_t i = 0; i < density.size(); ++i) {
        if (inside[i] == 0) density[i] = kMinusInfinity;
      }
    }
    all.insert(all.end(), density.begin(), density.end());
  }
  return all;
}

SpaceDraws DrawInSpace(const SpacePosterior& posterior, std::size_t count, std::uint64_t seed,
                       std::uint64_t first) {
  const std::size_t d = posterior.dimension();
  SpaceDraws draws;
  while (draws.attempts < count) {
    const ComputeTurn turn(posterior.queue);
    const std::size_t n = std::min<std::uint64_t>(kTile, count - draws.attempts);
    const std::vector<float> rows =
        posterior.estimator.Sample(posterior.x, n, seed, first + draws.attempts, nullptr);
    const std::vector<std::uint8_t> inside =
        posterior.inside ? posterior.inside(rows) : std::vector<std::uint8_t>(n, 1);
    for (std::size_t i = 0; i < n; ++i) {
      if (inside[i] == 0) continue;
      draws.rows.insert(draws.rows.end(), rows.begin() + static_cast<std::ptrdiff_t>(i * d),
                        rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
      ++draws.accepted;
    }
    draws.attempts += n;
  }
  return draws;
}

void Snap(const ThetaSpace& space, std::span<float> rows) {
  const std::size_t d = space.dimension();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ParameterMap& map = space.map(i % d);
    if (map.bounded()) rows[i] = std::clamp(rows[i], 0.0f, 1.0f);
    if (map.cell() == 0) continue;
    rows[i] = static_cast<float>(map.ToSpace(map.FromSpace(rows[i])) + map.cell() / 2);
  }
}

}  // namespace inferon::trainer
