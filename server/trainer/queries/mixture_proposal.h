// A density to draw candidates from: many narrow Student-t kernels where the mass is thought to be,
// and a wide one over the whole prior, so that no weight grows without bound (defensive mixture:
// Hesterberg, Technometrics 37, 1995).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/philox.h"
#include "server/trainer/statistics/cholesky.h"

namespace inferon::trainer {

// Immutable.
class MixtureProposal {
 public:
  // The wide kernel, by column.
  struct Wide {
    std::vector<double> centre, width;
  };
  // centres: [k, columns], k > 0; covariance: [columns, columns] of each kernel.
  MixtureProposal(std::vector<double> centres, std::vector<double> covariance, Wide wide);

  std::size_t columns() const { return columns_; }
  // Candidates first, first + 1, ... of the sequence that the key names: [count, columns].
  std::vector<double> Draw(PhiloxKey key, std::uint64_t first, std::size_t count) const;
  double LogDensity(std::span<const double> place) const;

 private:
  std::size_t columns_;
  std::vector<double> centres_;   // [k, columns]
  statistics::Cholesky kernel_;   // Of the covariance.
  std::vector<double> whitened_;  // Centres, times the inverse of the factor.
  Wide wide_;
  double log_norm_, log_wide_norm_;
};

}  // namespace inferon::trainer
