// Samples and spikes of a batch, checked and put on the protocol's grid: from here on an
// observation is the same whatever made it.
#pragma once

#include "common/base/result.h"
#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"
#include "worker/brainscales2/messages.h"

namespace inferon::worker {

inline constexpr double kSamplesPerUs = 1000.0 / 34;  // One MADC sample takes 34 ns.
inline constexpr double kLossLimit = 0.02;            // Share of samples that may be missing.
inline constexpr double kMaxGapUs = 2;                // Longest interpolated hole.

// kDataLoss unless every experiment of the request is there, its samples ascend strictly, are
// complete within the limits, read 0..1023 and change, and its spikes ascend within the recording.
// The child checks the same, but what it says is never taken on trust.
Status CheckBatchReply(const BatchReply& reply, const BatchRequest& request);

// Appends the experiments of a checked reply: trace by linear interpolation at the grid's times,
// rounded to counts; spikes in us.
void AppendOnGrid(const BatchReply& reply, const Protocol& protocol, ObservationBatch& batch);

}  // namespace inferon::worker
