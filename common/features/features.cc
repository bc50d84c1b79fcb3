#include "common/features/features.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/check.h"

namespace inferon {
namespace {

struct Naming {
  std::string_view name;
  std::string_view label;
};

// In the order of enum Feature.
constexpr std::array<Naming, kFeatureCount> kNamings{{
    {"spike_count", "spike count"},
    {"latency_us", "latency to first spike (µs)"},
    {"mean_isi_us", "mean ISI (µs)"},
    {"first_isi_us", "first ISI (µs)"},
    {"isi_cv", "ISI coefficient of variation"},
    {"adaptation_index", "adaptation index"},
    {"peak_counts", "mean peak voltage (counts)"},
    {"width_us", "mean spike width (µs)"},
    {"fast_trough_counts", "mean fast trough (counts)"},
    {"slow_trough_counts", "mean slow trough (counts)"},
    {"slow_trough_time", "mean time of slow trough (fraction of ISI)"},
    {"baseline_counts", "baseline (counts)"},
}};

// Shape of one spike on the stored grid; a missing part has no value.
struct SpikeShape {
  std::optional<double> peak, width, fast_trough, slow_trough, slow_trough_time;
};

// Smallest depth of a slow trough below the fast one, counts: about 0.5 mV of a recording, and
// beyond what noise does to the smoothed trace.
constexpr double kSlowTroughDepth = 3;
// The fast trough is where the slope has come back to this share of the steepest downstroke.
constexpr double kTroughSlopeShare = 0.01;
// Half window in which the peak lies around the spike time, us.
constexpr double kPeakReach = 2;

// Binomial smoothing over 3 points: derivative rules would trigger on noise otherwise.
std::vector<double> Smooth(std::span<const float> v) {
  std::vector<double> smooth(v.begin(), v.end());
  for (std::size_t k = 1; k + 1 < v.size(); ++k) {
    smooth[k] = 0.25 * v[k - 1] + 0.5 * v[k] + 0.25 * v[k + 1];
  }
  return smooth;
}

// Moving mean over 5 points (fewer at the ends), for the slow trough.
std::vector<double> SmoothMore(std::span<const float> v) {
  std::vector<double> smooth(v.size());
  for (std::size_t k = 0; k < v.size(); ++k) {
    const std::size_t first = k < 2 ? 0 : k - 2, last = std::min(k + 3, v.size());
    double sum = 0;
    for (std::size_t j = first; j < last; ++j) sum += v[j];
    smooth[k] = sum / static_cast<double>(last - first);
  }
  return smooth;
}

// Measures the spikes of one observation.
class ShapeMeter {
 public:
  ShapeMeter(const Observation& observation, double grid_us)
      : trace_(observation.trace),
        spikes_(observation.spike_time_us),
        grid_us_(grid_us),
        smooth_(Smooth(trace_)),
        smoother_(SmoothMore(trace_)) {}

  // Shape of spike i, whose surroundings reach from the spike before to the spike after it.
  SpikeShape Measure(std::size_t i) const {
    SpikeShape shape;
    const std::size_t begin = i == 0 ? 0 : PointAtOrAfter(spikes_[i - 1]);
    const bool last = i + 1 == spikes_.size();
    const std::size_t end = last ? trace_.size() : PointAtOrAfter(spikes_[i + 1]);
    const std::optional<std::size_t> peak = FindPeak(spikes_[i], begin, end);
    if (!peak) return shape;
    shape.peak = trace_[*peak];
    const std::optional<std::size_t> trough = FindFastTrough(*peak, end);
    if (!trough) return shape;
    shape.fast_trough = smooth_[*trough];
    shape.width = Width(*peak, begin, end, (*shape.peak + *shape.fast_trough) / 2);
    if (!last) AddSlowTrough(i, *trough, end, shape);
    return shape;
  }

 private:
  std::size_t PointAtOrAfter(double time_us) const {
    const double point = std::ceil(time_us / grid_us_);
    return std::min(static_cast<std::size_t>(std::max(point, 0.0)), trace_.size());
  }

  // Highest point near the spike; none where the grid has no point there.
  std::optional<std::size_t> FindPeak(double time_us, std::size_t begin, std::size_t end) const {
    const double reach = std::max(kPeakReach, grid_us_);
    const std::size_t first = std::max(begin, PointAtOrAfter(time_us - reach));
    const std::size_t last = std::min(end, PointAtOrAfter(time_us + reach));
    if (first >= last) return std::nullopt;
    return static_cast<std::size_t>(
        std::max_element(trace_.begin() + Offset(first), trace_.begin() + Offset(last)) -
        trace_.begin());
  }

  std::optional<std::size_t> FindFastTrough(std::size_t peak, std::size_t end) const {
    double steepest = 0;
    std::size_t at = end;
    for (std::size_t k = peak; k + 1 < end; ++k) {
      const double slope = smooth_[k + 1] - smooth_[k];
      if (slope < steepest) steepest = slope, at = k;
    }
    for (std::size_t k = at + 1; k + 1 < end; ++k) {
      if (smooth_[k + 1] - smooth_[k] >= kTroughSlopeShare * steepest) return k;
    }
    return std::nullopt;
  }

  // Time between the crossings of `level` around the peak, linearly interpolated.
  std::optional<double> Width(std::size_t peak, std::size_t begin, std::size_t end,
                              double level) const {
    std::size_t up = peak;
    while (up > begin && trace_[up - 1] >= level) --up;
    std::size_t down = peak;
    while (down + 1 < end && trace_[down + 1] >= level) ++down;
    if (up == begin || down + 1 >= end || trace_[peak] < level) return std::nullopt;
    const double rise = (level - trace_[up - 1]) / (trace_[up] - trace_[up - 1]);
    const double fall = (level - trace_[down]) / (trace_[down + 1] - trace_[down]);
    const double points = static_cast<double>(down - up) + (1 - rise) + fall;
    return points * grid_us_;
  }

  void AddSlowTrough(std::size_t i, std::size_t fast_trough, std::size_t end,
                     SpikeShape& shape) const {
    const auto lowest =
        std::min_element(smoother_.begin() + Offset(fast_trough), smoother_.begin() + Offset(end));
    if (lowest == smoother_.begin() + Offset(end)) return;
    if (*lowest > *shape.fast_trough - kSlowTroughDepth) return;
    shape.slow_trough = *lowest;
    const double time = static_cast<double>(lowest - smoother_.begin()) * grid_us_;
    shape.slow_trough_time = (time - spikes_[i]) / (spikes_[i + 1] - spikes_[i]);
  }

  static std::ptrdiff_t Offset(std::size_t k) { return static_cast<std::ptrdiff_t>(k); }

  std::span<const float> trace_;
  std::span<const float> spikes_;
  double grid_us_;
  std::vector<double> smooth_;
  std::vector<double> smoother_;
};

// Mean of the values that are there.
class Mean {
 public:
  void Add(std::optional<double> value) {
    if (value) sum_ += *value, ++count_;
  }
  float Get() const { return count_ == 0 ? kMissing : static_cast<float>(sum_ / count_); }

 private:
  double sum_ = 0;
  int count_ = 0;
};

float& At(Features& features, Feature feature) {
  return features[static_cast<std::size_t>(feature)];
}

void AddIntervals(std::span<const float> spikes, Features& features) {
  if (spikes.size() < 2) return;
  std::vector<double> isi;
  for (std::size_t i = 0; i + 1 < spikes.size(); ++i) {
    isi.push_back(static_cast<double>(spikes[i + 1]) - spikes[i]);
  }
  Mean mean, square, adaptation;
  for (const double interval : isi) mean.Add(interval);
  At(features, Feature::kMeanIsi) = mean.Get();
  At(features, Feature::kFirstIsi) = static_cast<float>(isi[0]);
  if (isi.size() < 2) return;
  const double centre =
      (static_cast<double>(spikes.back()) - spikes.front()) / static_cast<double>(isi.size());
  for (const double interval : isi) square.Add((interval - centre) * (interval - centre));
  for (std::size_t i = 0; i + 1 < isi.size(); ++i) {
    adaptation.Add((isi[i + 1] - isi[i]) / (isi[i + 1] + isi[i]));
  }
  At(features, Feature::kIsiCv) = static_cast<float>(std::sqrt(square.Get()) / centre);
  At(features, Feature::kAdaptationIndex) = adaptation.Get();
}

void AddShapes(const Observation& observation, double grid_us, std::size_t first, std::size_t count,
               Features& features) {
  if (count == 0) return;
  const ShapeMeter meter(observation, grid_us);
  Mean peak, width, fast_trough, slow_trough, slow_trough_time;
  for (std::size_t i = first; i < first + count; ++i) {
    const SpikeShape shape = meter.Measure(i);
    peak.Add(shape.peak);
    width.Add(shape.width);
    fast_trough.Add(shape.fast_trough);
    if (i + 1 == first + count) continue;  // Its ISI ends outside the window.
    slow_trough.Add(shape.slow_trough);
    slow_trough_time.Add(shape.slow_trough_time);
  }
  At(features, Feature::kPeak) = peak.Get();
  At(features, Feature::kWidth) = width.Get();
  At(features, Feature::kFastTrough) = fast_trough.Get();
  At(features, Feature::kSlowTrough) = slow_trough.Get();
  At(features, Feature::kSlowTroughTime) = slow_trough_time.Get();
}

float Baseline(std::span<const float> trace, const Protocol& protocol) {
  Mean mean;
  for (std::size_t k = 0; k < trace.size(); ++k) {
    if (static_cast<double>(k) * protocol.grid_step_us >= protocol.StimulusStart()) break;
    mean.Add(trace[k]);
  }
  return mean.Get();
}

}  // namespace

std::string_view FeatureName(Feature feature) {
  return kNamings[static_cast<std::size_t>(feature)].name;
}

std::string_view FeatureLabel(Feature feature) {
  return kNamings[static_cast<std::size_t>(feature)].label;
}

std::size_t CountStimulusSpikes(std::span<const float> spike_time_us, const Protocol& protocol) {
  const auto first =
      std::lower_bound(spike_time_us.begin(), spike_time_us.end(), protocol.StimulusStart());
  const auto last = std::lower_bound(first, spike_time_us.end(), protocol.StimulusStop());
  return static_cast<std::size_t>(last - first);
}

Features ExtractFeatures(const Observation& observation, const Protocol& protocol) {
  INFERON_CHECK(observation.trace.size() == protocol.Points());
  const std::span<const float> spikes = observation.spike_time_us;
  const std::size_t count = CountStimulusSpikes(spikes, protocol);
  const auto first = static_cast<std::size_t>(
      std::lower_bound(spikes.begin(), spikes.end(), protocol.StimulusStart()) - spikes.begin());
  const std::span<const float> in_step = spikes.subspan(first, count);

  Features features;
  features.fill(kMissing);
  At(features, Feature::kSpikeCount) = static_cast<float>(count);
  if (count > 0) {
    At(features, Feature::kLatency) = static_cast<float>(in_step[0] - protocol.StimulusStart());
  }
  AddIntervals(in_step, features);
  AddShapes(observation, protocol.grid_step_us, first, count, features);
  At(features, Feature::kBaseline) = Baseline(observation.trace, protocol);
  return features;
}

}  // namespace inferon
