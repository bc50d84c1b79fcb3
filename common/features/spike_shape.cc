#include "common/features/spike_shape.h"

#include <algorithm>

namespace inferon {
namespace {

using Index = std::optional<std::size_t>;

// First of the lowest values in [begin, end); none where that is empty.
Index LowestAt(std::span<const double> values, std::size_t begin, std::size_t end) {
  end = std::min(end, values.size());
  if (begin >= end) return std::nullopt;
  const auto part = values.subspan(begin, end - begin);
  return begin +
         static_cast<std::size_t>(std::min_element(part.begin(), part.end()) - part.begin());
}

// First sample of [begin, end) whose value is at least `level`.
Index FirstReaching(std::span<const double> values, std::size_t begin, std::size_t end,
                    double level) {
  for (std::size_t k = begin; k < std::min(end, values.size()); ++k) {
    if (values[k] >= level) return k;
  }
  return std::nullopt;
}

Index FirstNotAbove(std::span<const double> values, std::size_t begin, std::size_t end,
                    double level) {
  for (std::size_t k = begin; k < std::min(end, values.size()); ++k) {
    if (values[k] <= level) return k;
  }
  return std::nullopt;
}

class ShapeMeter {
 public:
  ShapeMeter(const TraceView& trace, std::span<const double> slopes, std::span<const double> gentle,
             const ShapeSettings& settings)
      : trace_(trace), slopes_(slopes), gentle_(gentle), settings_(settings) {}

  // `next`: where the search ends; the troughs of the spike's own interval end there, too.
  void FollowFall(const SpikePoints& spike, std::size_t next, SpikeShape& shape) const {
    const Index steepest = LowestAt(slopes_, spike.peak, next);
    if (!steepest) return;
    const double target = settings_.end_of_fall * slopes_[*steepest];
    shape.fast_trough = FirstReaching(slopes_, *steepest, next, target);
    if (!shape.fast_trough) return;
    if (const Index after = TroughAfterDepolarisation(*shape.fast_trough, next)) {
      shape.slow_trough = after;
      return;
    }
    const Index lowest = LowestAt(trace_.v, *shape.fast_trough, next);
    if (lowest && trace_.v[*shape.fast_trough] - trace_.v[*lowest] >= settings_.least_depth) {
      shape.slow_trough = lowest;
    }
  }

  // Time between the samples that reach down to half height on both sides of the peak.
  std::optional<double> Width(const SpikePoints& spike, std::size_t fast_trough) const {
    const std::span<const double> v = trace_.v;
    const double peak = v[spike.peak], threshold = v[spike.threshold];
    double level = (peak + v[fast_trough]) / 2;
    // In a burst the trough may lie far below the threshold: then the height above the threshold.
    if (level < threshold) level = (peak + threshold) / 2;
    std::size_t up = spike.peak;
    while (up > spike.threshold && v[up] > level) --up;
    if (up == spike.threshold) return std::nullopt;
    const Index down = FirstNotAbove(v, spike.peak, fast_trough, level);
    if (!down) return std::nullopt;
    return trace_.time[*down] - trace_.time[up];
  }

  // Time between the interpolated crossings of the level half way from trough to peak.
  std::optional<double> HalfWidth(const SpikePoints& spike, std::size_t trough,
                                  std::size_t begin) const {
    const std::span<const double> v = trace_.v;
    const double level = (v[spike.peak] + v[trough]) / 2;
    std::size_t up = spike.peak;
    while (up > begin && v[up] > level) --up;
    const Index down = FirstNotAbove(v, spike.peak, trough + 1, level);
    if (v[up] > level || !down || *down == spike.peak) return std::nullopt;
    return Crossing(*down - 1, level) - Crossing(up, level);
  }

 private:
  double Crossing(std::size_t k, double level) const {
    const double share = (level - trace_.v[k]) / (trace_.v[k + 1] - trace_.v[k]);
    return trace_.time[k] + share * (trace_.time[k + 1] - trace_.time[k]);
  }

  // Lowest sample after an after-depolarisation: the gentle slope rises soon after the fast trough,
  // then falls below zero again before the next spike.
  Index TroughAfterDepolarisation(std::size_t trough, std::size_t next) const {
    const Index rise = FirstReaching(gentle_, trough, next, settings_.adp_least_slope);
    if (!rise || trace_.time[*rise] - trace_.time[trough] >= settings_.adp_latest_start) {
      return std::nullopt;
    }
    const Index top = FirstNotAbove(gentle_, *rise, next, 0);
    if (!top) return std::nullopt;
    const Index lowest = LowestAt(trace_.v, *top, next);
    const double height = trace_.v[*top];
    const bool there = lowest && height - trace_.v[*lowest] >= settings_.least_depth &&
                       height - trace_.v[trough] <= settings_.adp_highest &&
                       trace_.time[*top] - trace_.time[trough] <= settings_.adp_latest;
    return there ? lowest : std::nullopt;
  }

  const TraceView& trace_;
  std::span<const double> slopes_, gentle_;
  const ShapeSettings& settings_;
};

}  // namespace

std::vector<SpikeShape> MeasureShapes(const TraceView& trace, std::span<const double> slopes,
                                      std::span<const double> gentle, const Window& window,
                                      const std::vector<SpikePoints>& spikes,
                                      const ShapeSettings& settings) {
  std::vector<SpikeShape> shapes(spikes.size());
  if (spikes.empty()) return shapes;
  const std::size_t end = IndexAt(trace.time, window.stop);
  const ShapeMeter meter(trace, slopes, gentle, settings);
  std::size_t before = 0;  // Trough of the spike before.
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    SpikeShape& shape = shapes[i];
    const bool last = i + 1 == spikes.size();
    const std::size_t next = last ? end : spikes[i + 1].threshold;
    if (spikes[i].clipped) continue;
    shape.trough = LowestAt(trace.v, spikes[i].peak, next);
    if (shape.trough) {
      shape.downstroke = LowestAt(slopes, spikes[i].peak, *shape.trough);
      shape.half_width = meter.HalfWidth(spikes[i], *shape.trough, before);
      before = *shape.trough;
    }
    // As in IPFX, a clipped last spike does not end the search after the spike before it.
    const bool before_clipped = i + 2 == spikes.size() && spikes[i + 1].clipped;
    meter.FollowFall(spikes[i], before_clipped ? end : next, shape);
    if (shape.fast_trough) shape.width = meter.Width(spikes[i], *shape.fast_trough);
    if (last) shape.slow_trough.reset();
  }
  return shapes;
}

}  // namespace inferon
