#include "common/features/measured_features.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "common/base/check.h"
#include "common/features/catalogue.h"

namespace inferon {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// In the order of kCatalogue in catalogue.cc.
enum class Value {
  kSpikeCount,
  kLatency,
  kMeanIsi,
  kFirstIsi,
  kIsiCv,
  kAdaptationIndex,
  kPeak,
  kWidth,
  kFastTrough,
  kSlowTrough,
  kSlowTroughTime,
  kBaseline,
  kRate,
  kTimeToLastSpike,
  kLastIsi,
  kMedianIsi,
  kIsiLogSlope,
  kBurstCount,
  kThreshold,
  kFirstThreshold,
  kAmplitude,
  kPeakDrop,
  kMaxUpstroke,
  kMaxDownstroke,
  kUpstrokeDownstrokeRatio,
  kHalfWidth,
  kTrough,
  kAhpDepth,
  kMeanVoltage,
  kMinimumVoltage,
  kSteadyVoltage,
  kSag,
  kSagAmplitude,
  kSpikesBefore,
  kSpikesAfter,
  kCount,
};

// Spikes a ms and spikes a us, as Hz and kHz.
constexpr double kRateScale = 1000;
// The steady state is this last part of the step.
constexpr double kSteadyPart = 0.1;
// IPFX's sag: reach of the mean around the lowest point, and of baseline and steady state.
constexpr double kSagReach = 2.5, kSagBaseline = 30;
// Intervals of a burst are at most this share of the median interval.
constexpr double kBurstShare = 0.5;
constexpr int kBurstIntervals = 2;

// Mean of the values that are there.
class Mean {
 public:
  void Add(double value) {
    if (!std::isnan(value)) sum_ += value, ++count_;
  }
  double Get() const { return count_ == 0 ? kNone : sum_ / count_; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

class Computation {
 public:
  explicit Computation(const MeasuredTrace& measured)
      : m_(measured), values_(static_cast<std::size_t>(Value::kCount), kNone) {
    INFERON_CHECK(values_.size() == FeatureCatalogue().size());
    INFERON_CHECK(m_.spikes.size() == m_.shapes.size());
  }

  std::vector<double> Run() {
    Set(Value::kSpikeCount, static_cast<double>(m_.spikes.size()));
    if (m_.step_known) AddStep();
    AddIntervals();
    AddSpikes();
    return std::move(values_);
  }

 private:
  void Set(Value value, double number) { values_[static_cast<std::size_t>(value)] = number; }
  double Get(Value value) const { return values_[static_cast<std::size_t>(value)]; }

  // Mean voltage of the samples from the one nearest to `from` up to, not including, the one
  // nearest to `to`; missing where there is none or the trace does not reach there.
  double MeanVoltage(double from, double to) const {
    if (m_.trace.size() == 0 || to < m_.trace.time.front()) return kNone;
    const std::size_t begin = IndexAt(m_.trace.time, from), end = IndexAt(m_.trace.time, to);
    Mean mean;
    for (std::size_t k = begin; k < end; ++k) mean.Add(m_.trace.v[k]);
    return mean.Get();
  }

  void AddStep() {
    const Window& step = m_.window;
    Set(Value::kSpikesBefore, static_cast<double>(m_.spikes_before));
    Set(Value::kSpikesAfter, static_cast<double>(m_.spikes_after));
    Set(Value::kRate,
        kRateScale * static_cast<double>(m_.spikes.size()) / (step.stop - step.start));
    Set(Value::kBaseline, MeanVoltage(step.start - m_.baseline_reach, step.start));
    Set(Value::kMeanVoltage, MeanVoltage(step.start, step.stop));
    Set(Value::kSteadyVoltage,
        MeanVoltage(step.stop - kSteadyPart * (step.stop - step.start), step.stop));
    if (!m_.spikes.empty()) {
      Set(Value::kLatency, m_.spikes.front().time - step.start);
      Set(Value::kTimeToLastSpike, m_.spikes.back().time - step.start);
    }
    AddLowest();
  }

  void AddLowest() {
    const Window& step = m_.window;
    const std::size_t begin = IndexAt(m_.trace.time, step.start);
    const std::size_t end = IndexAt(m_.trace.time, step.stop);
    if (begin >= end) return;
    const auto part = m_.trace.v.subspan(begin, end - begin);
    const auto lowest = std::min_element(part.begin(), part.end());
    Set(Value::kMinimumVoltage, *lowest);
    const double steady = Get(Value::kSteadyVoltage), baseline = Get(Value::kBaseline);
    if (!m_.spikes.empty() || !(steady < baseline - m_.least_deflection)) return;
    Set(Value::kSagAmplitude, steady - *lowest);
    const double at = m_.trace.time[begin + static_cast<std::size_t>(lowest - part.begin())];
    const double deep = MeanVoltage(at - kSagReach, at + kSagReach);
    const double before = MeanVoltage(step.start - kSagBaseline, step.start);
    const double late = MeanVoltage(step.stop - kSagBaseline, step.stop);
    if (deep < before) Set(Value::kSag, (deep - late) / (deep - before));
  }

  void AddIntervals() {
    std::vector<double> isi;
    for (std::size_t i = 0; i + 1 < m_.spikes.size(); ++i) {
      isi.push_back(m_.spikes[i + 1].time - m_.spikes[i].time);
    }
    if (isi.empty()) return;
    Mean mean, square, adaptation;
    for (const double interval : isi) mean.Add(interval);
    Set(Value::kMeanIsi, mean.Get());
    Set(Value::kFirstIsi, isi.front());
    Set(Value::kLastIsi, isi.back());
    Set(Value::kMedianIsi, Median(isi));
    if (isi.size() < 2) return;
    for (const double interval : isi) square.Add((interval - mean.Get()) * (interval - mean.Get()));
    for (std::size_t i = 0; i + 1 < isi.size(); ++i) {
      adaptation.Add((isi[i + 1] - isi[i]) / (isi[i + 1] + isi[i]));
    }
    Set(Value::kIsiCv, std::sqrt(square.Get()) / mean.Get());
    Set(Value::kAdaptationIndex, adaptation.Get());
    Set(Value::kIsiLogSlope, LogSlope(isi));
    Set(Value::kBurstCount, CountBursts(isi));
  }

  static double CountBursts(const std::vector<double>& isi) {
    const double longest = kBurstShare * Median(isi);
    int bursts = 0, run = 0;
    for (const double interval : isi) {
      run = interval <= longest ? run + 1 : 0;
      if (run == kBurstIntervals) ++bursts;
    }
    return bursts;
  }

  double VoltageAt(const std::optional<std::size_t>& at) const {
    return at ? m_.trace.v[*at] : kNone;
  }

  void AddSpikes() {
    if (m_.spikes.empty()) return;
    Mean peak, threshold, amplitude, up, down, ratio, width, half_width, fast, trough, slow, time;
    for (std::size_t i = 0; i < m_.spikes.size(); ++i) {
      const SpikePoints& spike = m_.spikes[i];
      const SpikeShape& shape = m_.shapes[i];
      const double top = m_.trace.v[spike.peak], foot = m_.trace.v[spike.threshold];
      const double rise = m_.slopes[spike.upstroke];
      const double fall = shape.downstroke ? m_.slopes[*shape.downstroke] : kNone;
      peak.Add(top), threshold.Add(foot), amplitude.Add(top - foot);
      up.Add(rise), down.Add(fall);
      if (fall < 0) ratio.Add(rise / -fall);
      width.Add(shape.width.value_or(kNone));
      half_width.Add(shape.half_width.value_or(kNone));
      fast.Add(VoltageAt(shape.fast_trough));
      trough.Add(VoltageAt(shape.trough));
      if (i + 1 == m_.spikes.size() || !shape.slow_trough) continue;
      slow.Add(VoltageAt(shape.slow_trough));
      time.Add((m_.trace.time[*shape.slow_trough] - spike.time) /
               (m_.spikes[i + 1].time - spike.time));
    }
    Set(Value::kPeak, peak.Get());
    Set(Value::kThreshold, threshold.Get());
    Set(Value::kFirstThreshold, m_.trace.v[m_.spikes.front().threshold]);
    Set(Value::kAmplitude, amplitude.Get());
    if (m_.spikes.size() > 1) {
      Set(Value::kPeakDrop, m_.trace.v[m_.spikes.front().peak] - m_.trace.v[m_.spikes.back().peak]);
    }
    Set(Value::kMaxUpstroke, up.Get());
    Set(Value::kMaxDownstroke, down.Get());
    Set(Value::kUpstrokeDownstrokeRatio, ratio.Get());
    Set(Value::kWidth, width.Get());
    Set(Value::kHalfWidth, half_width.Get());
    Set(Value::kFastTrough, fast.Get());
    Set(Value::kTrough, trough.Get());
    Set(Value::kAhpDepth, trough.Get() - Get(Value::kBaseline));
    Set(Value::kSlowTrough, slow.Get());
    Set(Value::kSlowTroughTime, time.Get());
  }

  const MeasuredTrace& m_;
  std::vector<double> values_;
};

}  // namespace

std::vector<double> ComputeFeatures(const MeasuredTrace& measured) {
  return Computation(measured).Run();
}

double LogSlope(std::span<const double> intervals) {
  if (intervals.size() < 2) return kNone;
  const auto n = static_cast<double>(intervals.size());
  double x_mean = 0, y_mean = 0;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    x_mean += std::log(static_cast<double>(i + 1)) / n;
    y_mean += std::log(intervals[i]) / n;
  }
  double xy = 0, xx = 0;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const double x = std::log(static_cast<double>(i + 1)) - x_mean;
    xy += x * (std::log(intervals[i]) - y_mean);
    xx += x * x;
  }
  return xy / xx;
}

}  // namespace inferon
