#include "common/features/spike_detector.h"

#include <algorithm>
#include <cmath>

namespace inferon {
namespace {

// A spike has come back when the trace is at its threshold plus this, mV.
constexpr double kReturnTolerance = 1;

using SlopeSpan = std::span<const double>;

bool FallsBetween(SlopeSpan slopes, std::size_t begin, std::size_t end) {
  for (std::size_t k = begin; k < std::min(end, slopes.size()); ++k) {
    if (slopes[k] < 0) return true;
  }
  return false;
}

std::size_t HighestAt(std::span<const double> values, std::size_t begin, std::size_t end) {
  end = std::min(end, values.size());
  if (begin >= end) return begin;
  const auto first = values.begin();
  return static_cast<std::size_t>(std::max_element(first + static_cast<std::ptrdiff_t>(begin),
                                                   first + static_cast<std::ptrdiff_t>(end)) -
                                  first);
}

double MeanUpstroke(SlopeSpan slopes, const std::vector<SpikePoints>& spikes) {
  double sum = 0;
  for (const SpikePoints& spike : spikes) sum += slopes[spike.upstroke];
  return sum / static_cast<double>(spikes.size());
}

// Detects in samples [begin, end] of one trace; the steps follow each other as in Detect.
class SlopeDetector {
 public:
  SlopeDetector(const TraceView& trace, SlopeSpan slopes, const Window& window,
                const SpikeSettings& settings)
      : trace_(trace),
        slopes_(slopes),
        begin_(IndexAt(trace.time, window.start)),
        end_(IndexAt(trace.time, window.stop)),
        settings_(settings) {}

  std::vector<SpikePoints> Detect() {
    FindCandidates();
    FindPeaks();
    MergeWithoutFall();
    DropLow();
    if (spikes_.empty()) return spikes_;
    FindUpstrokes();
    RefineThresholds(slopes_, settings_.threshold_share, spikes_);
    MergeOverlaps();
    RepairLongRises();
    FindUpstrokes();
    MarkClipped();
    for (SpikePoints& spike : spikes_) spike.time = trace_.time[spike.threshold];
    return spikes_;
  }

 private:
  // Upward crossings of the cut-off; a second one counts only after the slope was below zero.
  void FindCandidates() {
    std::vector<std::size_t> crossings;
    for (std::size_t k = begin_; k + 1 < std::min(end_, slopes_.size()); ++k) {
      if (slopes_[k] < settings_.least_slope && slopes_[k + 1] >= settings_.least_slope) {
        crossings.push_back(k);
      }
    }
    for (std::size_t i = 0; i < crossings.size(); ++i) {
      if (i > 0 && !FallsBetween(slopes_, crossings[i - 1], crossings[i])) continue;
      spikes_.push_back({.threshold = crossings[i], .crossing = crossings[i]});
    }
  }

  void FindPeaks() {
    for (std::size_t i = 0; i < spikes_.size(); ++i) {
      const std::size_t next = i + 1 < spikes_.size() ? spikes_[i + 1].threshold : end_;
      spikes_[i].peak = HighestAt(trace_.v, spikes_[i].threshold, next);
    }
  }

  // Two candidates between whose peak and start the trace never falls are one: the first's start
  // with the second's peak.
  void MergeWithoutFall() {
    std::vector<SpikePoints> kept;
    for (const SpikePoints& spike : spikes_) {
      if (!kept.empty() && !FallsBetween(slopes_, last_peak_, spike.threshold)) {
        kept.back().peak = spike.peak;
      } else {
        kept.push_back(spike);
      }
      last_peak_ = spike.peak;
    }
    spikes_ = std::move(kept);
  }

  void DropLow() {
    std::erase_if(spikes_, [&](const SpikePoints& spike) {
      const double peak = trace_.v[spike.peak];
      return peak < settings_.least_peak ||
             peak - trace_.v[spike.threshold] < settings_.least_height;
    });
  }

  void FindUpstrokes() {
    for (SpikePoints& spike : spikes_) {
      spike.upstroke = HighestAt(slopes_, spike.threshold, spike.peak);
    }
  }

  // A threshold at or before the peak of the spike before: the two are one, with the first's
  // threshold and the second's peak.
  void MergeOverlaps() {
    std::vector<SpikePoints> kept;
    std::size_t peak_before = 0;
    for (const SpikePoints& spike : spikes_) {
      if (!kept.empty() && spike.threshold <= peak_before + 1) {
        kept.back().peak = spike.peak;
        kept.back().upstroke = spike.upstroke;
      } else {
        kept.push_back(spike);
      }
      peak_before = spike.peak;
    }
    spikes_ = std::move(kept);
  }

  // Where threshold and peak lie too far apart, one of them is wrong: first the threshold is looked
  // for nearer to the peak, then a peak nearer to the threshold. IPFX drops what is left; but where
  // the membrane rises fast from the onset of a strong step on, its slope never falls to the
  // threshold's, and such a spike begins where its slope reaches the cut-off.
  void RepairLongRises() {
    const double target = settings_.threshold_share * MeanUpstroke(slopes_, spikes_);
    std::vector<bool> drop(spikes_.size());
    for (std::size_t i = 0; i < spikes_.size(); ++i) {
      SpikePoints& spike = spikes_[i];
      if (!TooLong(spike)) continue;
      if (MoveThreshold(spike, target) || MovePeak(i) || UseCrossing(spike)) continue;
      drop[i] = true;
    }
    std::size_t i = 0;
    std::erase_if(spikes_, [&](const SpikePoints&) { return drop[i++]; });
  }

  bool TooLong(const SpikePoints& spike) const {
    return trace_.time[spike.peak] - trace_.time[spike.threshold] >= settings_.longest_rise;
  }

  bool MoveThreshold(SpikePoints& spike, double target) const {
    const std::size_t stop = IndexAt(trace_.time, trace_.time[spike.peak] - settings_.longest_rise);
    for (std::size_t k = spike.upstroke; k > stop; --k) {
      if (slopes_[k] > target) continue;
      spike.threshold = k;
      return true;
    }
    return false;
  }

  bool MovePeak(std::size_t i) {
    SpikePoints& spike = spikes_[i];
    const double reach = trace_.time[spike.threshold] + 2 * settings_.longest_rise;
    const std::size_t peak = HighestAt(trace_.v, spike.threshold, IndexAt(trace_.time, reach));
    const bool near = trace_.time[peak] - trace_.time[spike.threshold] < settings_.longest_rise;
    const bool own = i + 1 == spikes_.size() || peak < spikes_[i + 1].threshold;
    if (near && own) spike.peak = peak;
    return near && own;
  }

  bool UseCrossing(SpikePoints& spike) const {
    spike.threshold = spike.crossing;
    return !TooLong(spike);
  }

  void MarkClipped() {
    if (spikes_.empty()) return;
    SpikePoints& last = spikes_.back();
    const double level = trace_.v[last.threshold] + kReturnTolerance;
    last.clipped = true;
    for (std::size_t k = last.peak; k <= end_; ++k) {
      if (trace_.v[k] <= level) last.clipped = false;
    }
  }

  const TraceView& trace_;
  const SlopeSpan slopes_;
  const std::size_t begin_, end_;
  const SpikeSettings& settings_;
  std::vector<SpikePoints> spikes_;
  std::size_t last_peak_ = 0;
};

std::vector<SpikePoints> DetectCrossings(const TraceView& trace, SlopeSpan slopes,
                                         const Window& window, const SpikeSettings& settings) {
  const double level = settings.crossing_level;
  std::vector<SpikePoints> spikes;
  for (std::size_t k = 0; k + 1 < trace.size(); ++k) {
    if (!(trace.v[k] < level && trace.v[k + 1] >= level)) continue;
    const double share = (level - trace.v[k]) / (trace.v[k + 1] - trace.v[k]);
    const double time = trace.time[k] + share * (trace.time[k + 1] - trace.time[k]);
    if (time >= window.start && time < window.stop) {
      spikes.push_back({.threshold = k, .crossing = k, .time = time});
    }
  }
  const std::size_t end = IndexAt(trace.time, window.stop);
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    const std::size_t next = i + 1 < spikes.size() ? spikes[i + 1].threshold : end + 1;
    spikes[i].peak = HighestAt(trace.v, spikes[i].threshold, next);
    spikes[i].upstroke = HighestAt(slopes, spikes[i].threshold, spikes[i].peak);
  }
  RefineThresholds(slopes, settings.threshold_share, spikes);
  if (!spikes.empty()) {
    SpikePoints& last = spikes.back();
    const auto tail = trace.v.subspan(last.peak, end + 1 - std::min(end + 1, last.peak));
    last.clipped = std::none_of(tail.begin(), tail.end(), [&](double v) {
      return v <= trace.v[last.threshold] + kReturnTolerance;
    });
  }
  return spikes;
}

}  // namespace

void RefineThresholds(std::span<const double> slopes, double share,
                      std::vector<SpikePoints>& spikes) {
  if (spikes.empty()) return;
  const double target = share * MeanUpstroke(slopes, spikes);
  std::size_t before = 0;
  for (SpikePoints& spike : spikes) {
    std::size_t k = spike.upstroke;
    while (k > before && slopes[k] > target) --k;
    spike.threshold = k;
    before = spike.upstroke;
  }
}

std::vector<SpikePoints> DetectSpikes(const TraceView& trace, std::span<const double> slopes,
                                      const Window& window, const SpikeSettings& settings) {
  if (trace.size() < 3) return {};
  if (settings.method == SpikeMethod::kCrossing) {
    return DetectCrossings(trace, slopes, window, settings);
  }
  return SlopeDetector(trace, slopes, window, settings).Detect();
}

}  // namespace inferon
