#include "server/trainer/statistics/theta_guess.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/statistics/cholesky.h"

namespace inferon::statistics {
namespace {

constexpr std::size_t kMostColumns = 32;
constexpr double kCut = 4;  // Standard deviations: one strange row must not rule the guess.
constexpr double kRidge = 1e-3;

struct Moments {
  double mean = 0, deviation = 0;
};

// Of the finite values; a deviation of 0 becomes 1.
Moments MomentsOf(std::span<const double> values) {
  double sum = 0, squares = 0, n = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    sum += v;
    n += 1;
  }
  if (n == 0) return {0, 1};
  const double mean = sum / n;
  for (const double v : values) {
    if (std::isfinite(v)) squares += (v - mean) * (v - mean);
  }
  const double deviation = std::sqrt(squares / n);
  return {mean, deviation > 0 ? deviation : 1};
}

// Long rows as means and deviations of blocks.
std::vector<double> Reduced(std::span<const float> x) {
  if (x.size() <= kMostColumns) return {x.begin(), x.end()};
  std::vector<double> reduced;
  for (std::size_t b = 0; b < kMostColumns; ++b) {
    const std::size_t from = b * x.size() / kMostColumns, to = (b + 1) * x.size() / kMostColumns;
    const auto block = x.subspan(from, to - from);
    const Moments m = MomentsOf(std::vector<double>(block.begin(), block.end()));
    reduced.push_back(m.mean);
    reduced.push_back(m.deviation);
  }
  return reduced;
}

}  // namespace

// 1, and of each column its place, the place squared, and whether it is missing.
std::vector<double> ThetaGuess::Features(std::span<const float> x) const {
  std::vector<double> features = {1};
  const std::vector<double> reduced = Reduced(x);
  for (std::size_t c = 0; c < reduced.size(); ++c) {
    const bool missing = !std::isfinite(reduced[c]);
    const double z =
        missing ? 0 : std::clamp((reduced[c] - x_mean_[c]) / x_deviation_[c], -kCut, kCut);
    features.insert(features.end(), {z, z * z, missing ? 1.0 : 0.0});
  }
  return features;
}

ThetaGuess ThetaGuess::Fit(std::span<const double> theta, std::size_t dimension,
                           std::span<const float> x, std::size_t columns) {
  const std::size_t n = theta.size() / dimension;
  INFERON_CHECK(n >= 2 && x.size() == n * columns);
  ThetaGuess guess;
  const std::size_t reduced = Reduced(x.first(columns)).size();
  std::vector<std::vector<double>> columns_of_x(reduced);
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<double> row = Reduced(x.subspan(i * columns, columns));
    for (std::size_t c = 0; c < reduced; ++c) columns_of_x[c].push_back(row[c]);
  }
  for (const std::vector<double>& column : columns_of_x) {
    const Moments m = MomentsOf(column);
    guess.x_mean_.push_back(m.mean);
    guess.x_deviation_.push_back(m.deviation);
  }
  for (std::size_t j = 0; j < dimension; ++j) {
    std::vector<double> column(n);
    for (std::size_t i = 0; i < n; ++i) column[i] = theta[i * dimension + j];
    const Moments m = MomentsOf(column);
    guess.mean_.push_back(m.mean);
    guess.deviation_.push_back(m.deviation);
  }

  const std::size_t p = 3 * reduced + 1;
  std::vector<double> products(p * p, 0);
  std::vector<std::vector<double>> targets(dimension, std::vector<double>(p, 0));
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<double> f = guess.Features(x.subspan(i * columns, columns));
    for (std::size_t a = 0; a < p; ++a) {
      if (f[a] == 0) continue;
      for (std::size_t b = 0; b <= a; ++b) products[a * p + b] += f[a] * f[b];
      for (std::size_t j = 0; j < dimension; ++j) {
        targets[j][a] += f[a] * (theta[i * dimension + j] - guess.mean_[j]);
      }
    }
  }
  const Cholesky factor(std::move(products), p, kRidge);
  guess.coefficients_.resize(p * dimension);
  for (std::size_t j = 0; j < dimension; ++j) {
    factor.Solve(targets[j]);
    for (std::size_t a = 0; a < p; ++a) guess.coefficients_[a * dimension + j] = targets[j][a];
  }
  std::vector<double> squares(dimension, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<double> g = guess(x.subspan(i * columns, columns));
    for (std::size_t j = 0; j < dimension; ++j) {
      const double miss = theta[i * dimension + j] - g[j];
      squares[j] += miss * miss / static_cast<double>(n);
    }
  }
  for (const double s : squares) guess.residual_.push_back(std::sqrt(s));
  return guess;
}

std::vector<double> ThetaGuess::operator()(std::span<const float> x) const {
  std::vector<double> theta = mean_;
  const std::vector<double> f = Features(x);
  for (std::size_t a = 0; a < f.size(); ++a) {
    for (std::size_t j = 0; j < theta.size(); ++j) {
      theta[j] += f[a] * coefficients_[a * theta.size() + j];
    }
  }
  return theta;
}

}  // namespace inferon::statistics
