#include "common/neuron/observation.h"

#include <numeric>

#include "common/base/check.h"

namespace inferon {
namespace {

// Index of the first spike of experiment i in the concatenated spikes.
std::size_t FirstSpike(const ObservationBatch& batch, std::size_t i) {
  const auto begin = batch.spike_count.begin();
  return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(i), std::size_t{0});
}

}  // namespace

void Append(ObservationBatch& batch, const ObservationBatch& more) {
  if (more.size() == 0) return;
  if (batch.size() == 0) {
    batch = more;
    return;
  }
  INFERON_CHECK(batch.points == more.points);
  batch.trace.insert(batch.trace.end(), more.trace.begin(), more.trace.end());
  batch.spike_count.insert(batch.spike_count.end(), more.spike_count.begin(),
                           more.spike_count.end());
  batch.spike_time_us.insert(batch.spike_time_us.end(), more.spike_time_us.begin(),
                             more.spike_time_us.end());
}

ObservationBatch Slice(const ObservationBatch& batch, std::size_t first, std::size_t count) {
  INFERON_CHECK(first <= batch.size() && count <= batch.size() - first);
  const std::size_t spikes_begin = FirstSpike(batch, first);
  const auto counts_begin = batch.spike_count.begin() + static_cast<std::ptrdiff_t>(first);
  ObservationBatch slice;
  slice.points = batch.points;
  slice.provenance = batch.provenance;
  slice.spike_count.assign(counts_begin, counts_begin + static_cast<std::ptrdiff_t>(count));
  const auto trace_begin = batch.trace.begin() + static_cast<std::ptrdiff_t>(first * batch.points);
  slice.trace.assign(trace_begin, trace_begin + static_cast<std::ptrdiff_t>(count * batch.points));
  const std::size_t spikes = FirstSpike(slice, count);
  const auto times_begin = batch.spike_time_us.begin() + static_cast<std::ptrdiff_t>(spikes_begin);
  slice.spike_time_us.assign(times_begin, times_begin + static_cast<std::ptrdiff_t>(spikes));
  return slice;
}

Observation Extract(const ObservationBatch& batch, std::size_t i) {
  INFERON_CHECK(i < batch.size());
  const auto trace = batch.Trace(i);
  const auto spikes_begin =
      batch.spike_time_us.begin() + static_cast<std::ptrdiff_t>(FirstSpike(batch, i));
  return {{trace.begin(), trace.end()},
          {spikes_begin, spikes_begin + static_cast<std::ptrdiff_t>(batch.spike_count[i])}};
}

}  // namespace inferon
