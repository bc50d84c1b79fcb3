#include "server/trainer/statistics/pair_classifier.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "common/base/philox.h"

namespace inferon::statistics {
namespace {

constexpr std::size_t kLeastPairs = 10;
constexpr std::size_t kMostInteractions = 10;  // Parameters up to which each meets all of x.
constexpr std::size_t kMostProducts = 24;      // Parameters up to which all are multiplied.
constexpr double kCut = 5;                     // Standard deviations.
constexpr double kRidge = 0.01;
// Exchanges: no more once this many were as large (Besag and Clifford, Biometrika 78, 1991).
constexpr std::size_t kEnough = 30;
constexpr std::size_t kMostExchanges = 9'999;
constexpr std::size_t kLeastExchanges = 1'999;
constexpr std::size_t kMostOperations = 4'000'000'000;

std::size_t FeatureCount(std::size_t d) {
  const std::size_t products = d <= kMostProducts ? d * (d - 1) / 2 : d - 1;
  return 2 * d + products + (d <= kMostInteractions ? d * d : d);
}

struct Place {
  std::vector<double> mean, deviation;
};

// Of the draws from row `first` on.
Place PlaceOf(std::span<const double> draws, std::size_t d, std::size_t first) {
  const std::size_t n = draws.size() / d - first;
  Place place{std::vector<double>(d, 0), std::vector<double>(d, 0)};
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t i = first; i < first + n; ++i) place.mean[j] += draws[i * d + j];
    place.mean[j] /= static_cast<double>(n);
    for (std::size_t i = first; i < first + n; ++i) {
      const double z = draws[i * d + j] - place.mean[j];
      place.deviation[j] += z * z;
    }
    const double deviation = std::sqrt(place.deviation[j] / static_cast<double>(n));
    place.deviation[j] = deviation > 0 ? deviation : 1;
  }
  return place;
}

}  // namespace

struct PairClassifier::Fit {
  Cholesky factor;               // Of the differences' second moments.
  std::vector<double> whitened;  // [pairs, features]
};

PairClassifier::PairClassifier(std::size_t dimension, std::uint64_t seed)
    : dimension_(dimension), features_(FeatureCount(dimension)), seed_(seed) {
  INFERON_CHECK(dimension > 0);
}

std::vector<double> PairClassifier::Features(std::span<const double> theta,
                                             std::span<const double> mean,
                                             std::span<const double> deviation,
                                             std::span<const double> knowledge) const {
  const std::size_t d = dimension_;
  std::vector<double> u(d);
  for (std::size_t j = 0; j < d; ++j) {
    u[j] = std::clamp((theta[j] - mean[j]) / deviation[j], -kCut, kCut);
  }
  std::vector<double> features = u;
  for (const double v : u) features.push_back(v * v);
  for (std::size_t i = 0; i < d; ++i) {
    const std::size_t end = d <= kMostProducts ? d : std::min(i + 2, d);
    for (std::size_t j = i + 1; j < end; ++j) features.push_back(u[i] * u[j]);
  }
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t k = 0; k < d; ++k) {
      if (d > kMostInteractions && k != i) continue;
      features.push_back(u[i] * std::clamp(knowledge[k], -kCut, kCut));
    }
  }
  return features;
}

void PairClassifier::Add(std::span<const double> truth, std::span<const double> draws,
                         std::span<const double> knowledge) {
  const std::size_t d = dimension_;
  INFERON_CHECK(truth.size() == d && knowledge.size() == d && draws.size() >= 3 * d);
  const Place place = PlaceOf(draws, d, 1);
  const auto of_truth = Features(truth, place.mean, place.deviation, knowledge);
  const auto of_draw = Features(draws.first(d), place.mean, place.deviation, knowledge);
  for (std::size_t f = 0; f < features_; ++f) differences_.push_back(of_truth[f] - of_draw[f]);
}

PairClassifier::Fit PairClassifier::MakeFit() const {
  const std::size_t p = features_;
  std::vector<double> moments(p * p, 0);
  for (std::size_t i = 0; i < pairs(); ++i) {
    const double* difference = differences_.data() + i * p;
    for (std::size_t a = 0; a < p; ++a) {
      for (std::size_t b = 0; b <= a; ++b) moments[a * p + b] += difference[a] * difference[b];
    }
  }
  Fit fit{Cholesky(std::move(moments), p, kRidge), differences_};
  for (std::size_t i = 0; i < pairs(); ++i) {
    fit.factor.SolveLower(std::span(fit.whitened).subspan(i * p, p));
  }
  return fit;
}

template <typename Statistic>
double PairClassifier::PValueOf(const Fit& fit, const Statistic& statistic) const {
  const std::size_t p = features_;
  std::vector<double> sum(p, 0);
  for (std::size_t i = 0; i < pairs(); ++i) {
    for (std::size_t f = 0; f < p; ++f) sum[f] += fit.whitened[i * p + f];
  }
  const double found = statistic(sum);
  PhiloxSequence random(StreamKey(seed_, "exchanges"));
  const std::size_t most =
      std::clamp(kMostOperations / (pairs() * p), kLeastExchanges, kMostExchanges);
  std::size_t larger = 0;
  for (std::size_t done = 1; done <= most; ++done) {
    std::fill(sum.begin(), sum.end(), 0);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < pairs(); ++i) {
      if (i % 32 == 0) bits = random();
      const double sign = (bits >> (i % 32) & 1) != 0 ? 1 : -1;
      const double* row = fit.whitened.data() + i * p;
      for (std::size_t f = 0; f < p; ++f) sum[f] += sign * row[f];
    }
    larger += statistic(sum) >= found;
    if (larger >= kEnough) return static_cast<double>(larger) / static_cast<double>(done);
  }
  return static_cast<double>(larger + 1) / static_cast<double>(most + 1);
}

double PairClassifier::PValue() const {
  if (pairs() < kLeastPairs) return 1;
  return PValueOf(MakeFit(), [](const std::vector<double>& sum) {
    double squares = 0;
    for (const double v : sum) squares += v * v;
    return squares;
  });
}

double PairClassifier::LocalPValue(std::span<const double> draws,
                                   std::span<const double> knowledge) const {
  if (pairs() < kLeastPairs) return 1;
  const std::size_t d = dimension_, p = features_, n = draws.size() / d;
  INFERON_CHECK(n >= 2 && knowledge.size() == d);
  const Fit fit = MakeFit();
  const Place place = PlaceOf(draws, d, 0);
  std::vector<double> seen(n * p), mean(p, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const auto f = Features(draws.subspan(i * d, d), place.mean, place.deviation, knowledge);
    for (std::size_t a = 0; a < p; ++a) {
      seen[i * p + a] = f[a];
      mean[a] += f[a] / static_cast<double>(n);
    }
  }
  // What the classifier says of the draws, up to a constant, is seen * L^-T * sum: its second
  // moments about its mean make the statistic.
  std::vector<double> covariance(p * p, 0);
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<double> row(p);
    for (std::size_t a = 0; a < p; ++a) row[a] = seen[i * p + a] - mean[a];
    fit.factor.SolveLower(row);
    for (std::size_t a = 0; a < p; ++a) {
      for (std::size_t b = 0; b < p; ++b) covariance[a * p + b] += row[a] * row[b];
    }
  }
  return PValueOf(fit, [&](const std::vector<double>& sum) {
    double squares = 0;
    for (std::size_t a = 0; a < p; ++a) {
      double product = 0;
      for (std::size_t b = 0; b < p; ++b) product += covariance[a * p + b] * sum[b];
      squares += sum[a] * product;
    }
    return squares;
  });
}

}  // namespace inferon::statistics
