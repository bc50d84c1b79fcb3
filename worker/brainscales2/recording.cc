#include "worker/brainscales2/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace inferon::worker {
namespace {

constexpr std::uint16_t kMaxCount = 1023;

auto Bad(std::uint32_t experiment, const std::string& what) {
  return Fail(ErrorCode::kDataLoss, fmt::format("experiment {} of a batch {}", experiment, what),
              "Look at the read-out with 'inferon worker doctor'");
}

template <typename T>
std::uint64_t Sum(const std::vector<T>& values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

struct Samples {
  std::span<const std::int32_t> time;
  std::span<const std::uint16_t> value;
};

Status CheckTimes(std::uint32_t experiment, const Samples& samples, std::int64_t duration) {
  const auto max_gap = static_cast<std::int64_t>(kMaxGapUs * kCyclesPerUs);
  std::int64_t inside = 0, gap = 0;
  bool ascends = true;
  for (std::size_t i = 0; i < samples.time.size(); ++i) {
    const std::int64_t time = samples.time[i];
    inside += time >= 0 && time < duration;
    if (i == 0) continue;
    const std::int64_t step = time - samples.time[i - 1];
    ascends = ascends && step > 0;
    gap = std::max(gap, step);
  }
  if (!ascends) return Bad(experiment, "has sample times that do not ascend");
  const double expected = kSamplesPerUs * static_cast<double>(duration) / kCyclesPerUs;
  if (std::abs(static_cast<double>(inside) - expected) > kLossLimit * expected) {
    return Bad(experiment, fmt::format("has {} samples, not the {:.0f} (within {:.0f} %) of its "
                                       "duration",
                                       inside, expected, 100 * kLossLimit));
  }
  if (gap > max_gap) {
    return Bad(experiment, fmt::format("has a hole of {:.1f} us, longer than {} us",
                                       static_cast<double>(gap) / kCyclesPerUs, kMaxGapUs));
  }
  if (samples.time.front() > 0 || samples.time.back() < duration - max_gap) {
    return Bad(experiment, "does not cover its recording");
  }
  return {};
}

Status CheckExperiment(std::uint32_t experiment, const Samples& samples,
                       std::span<const std::int32_t> spikes, std::int64_t duration) {
  if (samples.time.empty()) return Bad(experiment, "has no samples");
  if (Status ok = CheckTimes(experiment, samples, duration); !ok) return ok;
  const auto [low, high] = std::minmax_element(samples.value.begin(), samples.value.end());
  if (*high > kMaxCount) return Bad(experiment, fmt::format("has a sample of {}", *high));
  if (*low == *high) {
    return Bad(experiment, fmt::format("reads {} all the time: the read-out is dead", *low));
  }
  std::int64_t before = -1;
  for (const std::int32_t spike : spikes) {
    if (spike <= before || spike >= duration) {
      return Bad(experiment, "has spikes that do not ascend within its recording");
    }
    before = spike;
  }
  return {};
}

// The recording at the grid's times.
void Interpolate(const Samples& samples, const Protocol& protocol,
                 std::vector<std::uint16_t>& trace) {
  const std::size_t points = protocol.Points(), last = samples.time.size() - 1;
  std::size_t at = 0;
  for (std::size_t i = 0; i < points; ++i) {
    const double time = static_cast<double>(i) * protocol.grid_step_us * kCyclesPerUs;
    while (at < last && samples.time[at + 1] <= time) ++at;
    double value = samples.value[at];
    if (at < last && time > samples.time[at]) {
      const double share = (time - samples.time[at]) / (samples.time[at + 1] - samples.time[at]);
      value += share * (samples.value[at + 1] - value);
    }
    trace.push_back(static_cast<std::uint16_t>(value + 0.5));
  }
}

}  // namespace

Status CheckBatchReply(const BatchReply& reply, const BatchRequest& request) {
  const std::size_t count = request.rows.size();
  if (reply.experiments != count || reply.sample_count.size() != count ||
      reply.spike_count.size() != count || reply.sample_value.size() != reply.sample_time.size() ||
      Sum(reply.sample_count) != reply.sample_value.size() ||
      Sum(reply.spike_count) != reply.spike_time.size()) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the child answers {} experiments with lists that do not fit {}",
                            reply.experiments, count),
                "Use a worker and a child of the same version");
  }
  const std::span times(reply.sample_time), spikes(reply.spike_time);
  const std::span values(reply.sample_value);
  std::size_t sample = 0, spike = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t n = reply.sample_count[i], s = reply.spike_count[i];
    const Status ok = CheckExperiment(i, {times.subspan(sample, n), values.subspan(sample, n)},
                                      spikes.subspan(spike, s), request.duration_cycles);
    if (!ok) return ok;
    sample += n;
    spike += s;
  }
  return {};
}

void AppendOnGrid(const BatchReply& reply, const Protocol& protocol, ObservationBatch& batch) {
  batch.points = protocol.Points();
  const std::span times(reply.sample_time);
  const std::span values(reply.sample_value);
  std::size_t sample = 0;
  for (const std::uint32_t n : reply.sample_count) {
    Interpolate({times.subspan(sample, n), values.subspan(sample, n)}, protocol, batch.trace);
    sample += n;
  }
  for (const std::int32_t spike : reply.spike_time) {
    batch.spike_time_us.push_back(static_cast<float>(spike / kCyclesPerUs));
  }
  batch.spike_count.insert(batch.spike_count.end(), reply.spike_count.begin(),
                           reply.spike_count.end());
}

}  // namespace inferon::worker
