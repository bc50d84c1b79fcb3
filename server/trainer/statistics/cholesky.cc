#include "server/trainer/statistics/cholesky.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"

namespace inferon::statistics {
namespace {

constexpr double kTiny = 1e-12;

}  // namespace

Cholesky::Cholesky(std::vector<double> matrix, std::size_t n, double ridge)
    : n_(n), factor_(std::move(matrix)) {
  INFERON_CHECK(factor_.size() == n * n);
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += factor_[i * n + i];
  const double added =
      std::max(ridge * trace / static_cast<double>(std::max<std::size_t>(n, 1)), kTiny);
  for (std::size_t i = 0; i < n; ++i) factor_[i * n + i] += added;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = factor_[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= factor_[i * n + k] * factor_[j * n + k];
      factor_[i * n + j] = i == j ? std::sqrt(std::max(sum, kTiny)) : sum / factor_[j * n + j];
    }
  }
}

double Cholesky::LogDeterminant() const {
  double sum = 0;
  for (std::size_t i = 0; i < n_; ++i) sum += 2 * std::log(factor_[i * n_ + i]);
  return sum;
}

void Cholesky::MultiplyLower(std::span<double> b) const {
  for (std::size_t i = n_; i-- > 0;) {
    b[i] *= factor_[i * n_ + i];
    for (std::size_t k = 0; k < i; ++k) b[i] += factor_[i * n_ + k] * b[k];
  }
}

void Cholesky::SolveLower(std::span<double> b) const {
  for (std::size_t i = 0; i < n_; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= factor_[i * n_ + k] * b[k];
    b[i] /= factor_[i * n_ + i];
  }
}

void Cholesky::SolveTransposed(std::span<double> b) const {
  for (std::size_t i = n_; i-- > 0;) {
    for (std::size_t k = i + 1; k < n_; ++k) b[i] -= factor_[k * n_ + i] * b[k];
    b[i] /= factor_[i * n_ + i];
  }
}

void Cholesky::Solve(std::span<double> b) const {
  SolveLower(b);
  SolveTransposed(b);
}

}  // namespace inferon::statistics
