// Can a classifier tell true parameters from posterior draws, given x? The classifier two-sample
// test on pairs (theta, x), and its local form at one observation (L-C2ST; Linhart, Gramfort,
// Rodrigues, NeurIPS 2023). It sees what the tests of ranks and regions do not: a wrong correlation
// and a posterior that ignores x.
//
// The classifier is a linear discriminant on quadratic features, so that its null distribution by
// exchanging truth and draw within pairs costs one product of a vector and a matrix each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "server/trainer/statistics/cholesky.h"

namespace inferon::statistics {

class PairClassifier {
 public:
  // `seed` names the exchanges; dimension at least 1.
  PairClassifier(std::size_t dimension, std::uint64_t seed);

  // One pair: the true parameters, draws of the posterior given its x ([n, d], n >= 3, the first of
  // them stands against the truth, the others say where and how wide the posterior is), and what
  // is known of x ([d], in units of about one).
  void Add(std::span<const double> truth, std::span<const double> draws,
           std::span<const double> knowledge);
  std::size_t pairs() const { return differences_.size() / features_; }

  // P-value over all pairs. 1 with fewer than 10 pairs.
  double PValue() const;
  // P-value at one observation, with many draws of its posterior.
  double LocalPValue(std::span<const double> draws, std::span<const double> knowledge) const;

 private:
  struct Fit;  // What does not depend on the exchanges.
  // theta as the classifier sees it, given the posterior's means and deviations.
  std::vector<double> Features(std::span<const double> theta, std::span<const double> mean,
                               std::span<const double> deviation,
                               std::span<const double> knowledge) const;
  Fit MakeFit() const;
  // Share of exchanges whose statistic, of the whitened sum of differences, is no smaller.
  template <typename Statistic>
  double PValueOf(const Fit& fit, const Statistic& statistic) const;

  std::size_t dimension_;
  std::size_t features_;
  std::uint64_t seed_;
  std::vector<double> differences_;  // [pairs, features] truth minus draw.
};

}  // namespace inferon::statistics
