// A posterior of one observation as queries work with it: over the estimator's space, with its
// support. Models of studies (DAC codes) and of data sets look the same here.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "server/trainer/engine/theta_space.h"
#include "server/trainer/registry/model_cache.h"

namespace inferon::trainer {

// Const use is thread-safe. What it refers to outlives it.
struct SpacePosterior {
  const estimators::DensityEstimator& estimator;
  std::vector<float> x;  // [input_columns]
  ThetaSpace space;
  bool own_units = true;  // Densities are over the parameters' own units, else over the space.
  // 1 for each row ([n, dimension] in the space) inside the support, else 0; empty: all are.
  std::function<std::vector<std::uint8_t>(std::span<const float> rows)> inside = {};
  ComputeQueue* queue = nullptr;

  std::size_t dimension() const { return space.dimension(); }
  // Added to a log density over the space for a column whose density is reported in its own unit.
  double LogUnit(std::size_t column, double theta) const {
    return own_units ? space.map(column).LogDerivative(theta) : 0;
  }
};
SpacePosterior PosteriorOf(const LoadedModel& model, std::span<const float> x);

// log q of each row ([n, dimension] in the space), nats over the space; -inf outside the support.
std::vector<double> LogDensityInSpace(const SpacePosterior& posterior, std::span<const float> rows);

// Draws of the estimator that lie inside, in their order.
struct SpaceDraws {
  std::vector<float> rows;  // [n, dimension]
  std::uint64_t attempts = 0;
  std::uint64_t accepted = 0;
};
// Attempts draws first, first + 1, ... (`count` of them) of the sequence that (x, seed) names.
SpaceDraws DrawInSpace(const SpacePosterior& posterior, std::size_t count, std::uint64_t seed,
                       std::uint64_t first);

// Integers at the centre of their cell, bounded columns inside [0, 1].
void Snap(const ThetaSpace& space, std::span<float> rows);

}  // namespace inferon::trainer
