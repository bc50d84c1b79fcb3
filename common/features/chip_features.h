// All features of the catalogue for a chip trace: MADC counts on the protocol's grid, us, spikes
// from the event stream. The first twelve are exactly ExtractFeatures'.
#pragma once

#include <vector>

#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"

namespace inferon {

// In the order of FeatureCatalogue(), NaN = missing. The observation's trace has
// protocol.Points() points (a bug otherwise).
std::vector<double> ExtractChipFeatures(const Observation& observation, const Protocol& protocol);

}  // namespace inferon
