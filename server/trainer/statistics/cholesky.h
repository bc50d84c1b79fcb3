// Cholesky factor of a symmetric positive definite matrix, for the small systems of the tests.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace inferon::statistics {

class Cholesky {
 public:
  // `matrix` is [n, n]; its lower triangle is read. `ridge` times the mean of the diagonal (at
  // least a tiny number) is added to the diagonal, so that a singular matrix is solved too.
  Cholesky(std::vector<double> matrix, std::size_t n, double ridge);

  std::size_t size() const { return n_; }
  double LogDeterminant() const;                    // Of A.
  void MultiplyLower(std::span<double> b) const;    // b = L b
  void SolveLower(std::span<double> b) const;       // b = L^-1 b
  void SolveTransposed(std::span<double> b) const;  // b = L^-T b
  void Solve(std::span<double> b) const;            // b = A^-1 b

 private:
  std::size_t n_;
  std::vector<double> factor_;  // Lower triangle L, row-major.
};

}  // namespace inferon::statistics
