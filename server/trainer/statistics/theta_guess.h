// A guess of theta from x alone, by ridge regression: what the tests know about an observation
// without asking the posterior that they test. Fitted on pairs that are not tested, so that it
// tells the tests nothing about a true value.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace inferon::statistics {

class ThetaGuess {
 public:
  // theta [n, dimension] and x [n, columns], n >= 2; NaN in x is a missing value. Rows of more than
  // 32 columns are seen as means and deviations of 32 blocks.
  static ThetaGuess Fit(std::span<const double> theta, std::size_t dimension,
                        std::span<const float> x, std::size_t columns);

  std::size_t dimension() const { return mean_.size(); }
  std::vector<double> operator()(std::span<const float> x) const;
  // Of theta in the rows of the fit: means, standard deviations, and what the guess leaves of them.
  const std::vector<double>& mean() const { return mean_; }
  const std::vector<double>& deviation() const { return deviation_; }
  const std::vector<double>& residual() const { return residual_; }

 private:
  std::vector<double> Features(std::span<const float> x) const;

  std::vector<double> mean_, deviation_, residual_;
  std::vector<double> x_mean_, x_deviation_;  // Of the reduced columns.
  std::vector<double> coefficients_;          // [features, dimension]
};

}  // namespace inferon::statistics
