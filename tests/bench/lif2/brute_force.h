// Posteriors by rejection: of very many emulator runs those whose x is nearest to the observed one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/philox.h"
#include "tests/bench/lif2/lif2_runs.h"

namespace inferon::lif2 {

// Runs whose codes are uniform over the prior.
struct Runs {
  std::vector<std::uint16_t> codes;  // [n, kParameters]
  std::vector<float> x;              // [n, kColumns]
  std::size_t size() const { return x.size() / kColumns; }
};
Runs RunPrior(Simulator& simulator, std::size_t count, PhiloxSequence& random);

struct Accepted {
  std::vector<double> codes;  // [accepted, kParameters]
  double tolerance = 0;       // Largest distance accepted, in units of the noise of x.
  double box_share = 0;       // Of the prior, that the last stage draws from.
  bool at_edge = false;       // An accepted set lies at the box's edge where the prior goes on.
};

// In stages: the nearest of the pilot runs say in which box the posterior lies; the nearest of a
// part of `runs` further runs there give a smaller box; of the rest, uniform in it, the `accepted`
// nearest are the posterior. A box is drawn around runs at a larger distance than those accepted at
// last. Distances are Mahalanobis with the scatter of repeats at `truth`, on log latency, log ISI
// and the peak.
Accepted Reject(Simulator& simulator, const Runs& pilot, std::span<const std::uint16_t> truth,
                std::span<const float> x, std::size_t runs, std::size_t accepted,
                PhiloxSequence& random);

}  // namespace inferon::lif2
