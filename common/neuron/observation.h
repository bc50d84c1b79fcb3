// Observations: membrane trace in MADC counts and spike times, one or many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace inferon {

// Most points of a trace: the longest recording on the finest grid (protocol.h).
inline constexpr std::size_t kMaxPoints = 200'000;

// One observation as the estimators and features see it.
struct Observation {
  std::vector<float> trace;          // MADC counts, [points of the protocol].
  std::vector<float> spike_time_us;  // Ascending, us from the start of the recording.
};

// Observations of consecutive experiments (a shard's result).
struct ObservationBatch {
  std::size_t points = 0;
  std::vector<std::uint16_t> trace;        // MADC counts 0..1023, [size(), points], row-major.
  std::vector<std::uint32_t> spike_count;  // [size()].
  std::vector<float> spike_time_us;        // Concatenated in order, ascending in an experiment.
  std::string provenance;                  // JSON object; the same for every worker and retry.

  std::size_t size() const { return spike_count.size(); }
  std::span<const std::uint16_t> Trace(std::size_t i) const {
    return {trace.data() + i * points, points};
  }
};

// Appends `more` (same points) to `batch`; the provenance of the first non-empty batch stays.
void Append(ObservationBatch& batch, const ObservationBatch& more);
// Experiments [first, first + count) of a batch.
ObservationBatch Slice(const ObservationBatch& batch, std::size_t first, std::size_t count);
// One observation of a batch.
Observation Extract(const ObservationBatch& batch, std::size_t i);

// Observation frame (docs/formats.md): magic "INFOBS1\n", u32 header length, JSON header with
// name, dtype, shape of each array and the provenance, then the arrays, little-endian, in order.
// Deterministic: equal batches give equal bytes. The provenance is written with sorted keys and
// without spaces; it is empty or a JSON object (a bug otherwise).
std::string EncodeObservations(const ObservationBatch& batch);
// Refuses anything malformed (wrong magic, lengths, shapes, spikes not ascending) as kDataLoss.
Result<ObservationBatch> DecodeObservations(std::string_view frame);

}  // namespace inferon
