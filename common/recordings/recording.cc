#include "common/recordings/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/check.h"

namespace inferon {
namespace {

// Share of a step by which a sample may be off its place, and a distance off the usual one.
constexpr double kTimeJitter = 0.25;
// Times that rounding moved by more than this share of a step are straightened.
constexpr double kStraightenAbove = 0.01;
// A saturated trace stays at its extreme for so long, with so many samples,
constexpr double kFlatTime = 0.5;  // ms
constexpr std::size_t kFlatSamples = 4;
// away from where it usually is, mV.
constexpr double kFlatDistance = 5;
// Membranes stay within the one and do not all the time stay within the other, mV.
constexpr double kLargestVoltage = 300;
constexpr double kSmallestVoltage = 1;
// Spikes of 1 ms need samples closer than this, and no amplifier is sampled as fast as this, ms.
constexpr double kLongestStep = 0.5;
constexpr double kShortestStep = 1e-3;
// A distance longer than so many usual ones is a gap.
constexpr double kGap = 1.5;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Longest stay at exactly `value`: samples, and where it begins.
struct Stay {
  std::size_t first = 0, samples = 0;
};

Stay LongestStay(const std::vector<double>& v, double value) {
  Stay best;
  std::size_t first = 0;
  for (std::size_t k = 0; k <= v.size(); ++k) {
    if (k < v.size() && v[k] == value) continue;
    if (k - first > best.samples) best = {first, k - first};
    first = k + 1;
  }
  return best;
}

double MeanStep(const Recording& recording) {
  return (recording.time_ms.back() - recording.time_ms.front()) /
         static_cast<double>(recording.time_ms.size() - 1);
}

// Largest distance of a sample from its place on an even grid between the first and the last, ms.
double LargestOffset(const Recording& recording) {
  const double step = MeanStep(recording);
  double largest = 0;
  for (std::size_t k = 0; k < recording.time_ms.size(); ++k) {
    const double place = recording.time_ms.front() + static_cast<double>(k) * step;
    largest = std::max(largest, std::abs(recording.time_ms[k] - place));
  }
  return largest;
}

// What resampling makes up; empty where there are no gaps.
std::string DescribeGaps(const std::vector<double>& time, double step) {
  std::size_t gaps = 0, longest = 1;
  for (std::size_t k = 1; k < time.size(); ++k) {
    if (time[k] - time[k - 1] > kGap * step) ++gaps;
    if (time[k] - time[k - 1] > time[longest] - time[longest - 1]) longest = k;
  }
  if (gaps == 0) return "";
  return fmt::format(
      "; {} gaps were bridged by straight lines, the longest {:.6g} ms from {:.6g} ms on", gaps,
      time[longest] - time[longest - 1], time[longest - 1]);
}

// What the distance of the samples makes doubtful.
void DoubtTimes(double step, std::vector<std::string>& doubts) {
  if (step > kLongestStep * (1 + kStraightenAbove)) {
    doubts.push_back(fmt::format(
        "its samples are {:.6g} ms apart: narrow spikes fall between them and are missed", step));
  }
  if (step < kShortestStep) {
    doubts.push_back(fmt::format(
        "its samples are {:.3g} ms apart, closer than any amplifier's: check the unit of the time",
        step));
  }
}

double Interpolate(double a, double b, double share) {
  return share == 0 ? a : a + share * (b - a);
}

}  // namespace

bool IsOnGrid(const Recording& recording) {
  return LargestOffset(recording) <= kTimeJitter * MeanStep(recording);
}

double SampleStep(const Recording& recording) {
  if (IsOnGrid(recording)) return MeanStep(recording);
  const std::vector<double>& time = recording.time_ms;
  std::vector<double> steps;
  steps.reserve(time.size());
  for (std::size_t k = 1; k < time.size(); ++k) steps.push_back(time[k] - time[k - 1]);
  return Median(std::move(steps));
}

void StraightenTimes(Recording& recording) {
  INFERON_CHECK(IsOnGrid(recording));
  const double step = MeanStep(recording);
  if (LargestOffset(recording) <= kStraightenAbove * step) return;
  for (std::size_t k = 1; k < recording.time_ms.size(); ++k) {
    recording.time_ms[k] = recording.time_ms.front() + static_cast<double>(k) * step;
  }
  recording.notes.push_back(
      fmt::format("its times are rounded; they were put on an even grid of {:.6g} ms", step));
}

std::optional<Irregularity> FindIrregularity(const Recording& recording) {
  if (IsOnGrid(recording)) return std::nullopt;
  const std::vector<double>& time = recording.time_ms;
  Irregularity found{.usual_ms = SampleStep(recording)};
  for (std::size_t k = 1; k < time.size(); ++k) {
    const double step = time[k] - time[k - 1];
    if (std::abs(step - found.usual_ms) <= kTimeJitter * found.usual_ms) continue;
    if (found.count++ == 0) found.sample = k, found.step_ms = step;
  }
  if (found.count == 0) return std::nullopt;
  return found;
}

Result<Recording> Resample(const Recording& recording, std::size_t max_samples) {
  const std::vector<double>& time = recording.time_ms;
  const double step = SampleStep(recording);
  const double points = std::floor((time.back() - time.front()) / step + 1e-9) + 1;
  if (!(points <= static_cast<double>(max_samples))) {
    return InvalidArgument(fmt::format("resampled to {:.6g} ms the recording has {:.0f} samples, "
                                       "more than {}",
                                       step, points, max_samples),
                           "Cut the recording, or allow more with --max-samples");
  }
  Recording even;
  even.notes = recording.notes;
  std::size_t k = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(points); ++i) {
    const double at = time.front() + static_cast<double>(i) * step;
    while (k + 2 < time.size() && time[k + 1] <= at) ++k;
    const double share = std::clamp((at - time[k]) / (time[k + 1] - time[k]), 0.0, 1.0);
    even.time_ms.push_back(at);
    even.voltage_mv.push_back(
        Interpolate(recording.voltage_mv[k], recording.voltage_mv[k + 1], share));
    if (recording.current_pa.empty()) continue;
    even.current_pa.push_back(
        Interpolate(recording.current_pa[k], recording.current_pa[k + 1], share));
  }
  if (even.time_ms.size() < 2) {
    return InvalidArgument("resampled, the recording has fewer than 2 samples",
                           "Give a recording with more samples");
  }
  even.notes.push_back(
      fmt::format("resampled to a distance of {:.6g} ms{}", step, DescribeGaps(time, step)));
  return even;
}

std::vector<std::string> FindDoubts(const Recording& recording) {
  const std::vector<double>& v = recording.voltage_mv;
  const auto [low, high] = std::minmax_element(v.begin(), v.end());
  std::vector<std::string> doubts;
  if (*high > kLargestVoltage || *low < -kLargestVoltage) {
    doubts.push_back(fmt::format(
        "the voltage reaches from {:.6g} to {:.6g} mV, which no membrane does: check its unit",
        *low, *high));
  }
  if (*high<kSmallestVoltage&& * low> - kSmallestVoltage) {
    doubts.push_back(fmt::format(
        "the voltage stays between {:.4g} and {:.4g} mV, which no membrane does: check its unit",
        *low, *high));
  }
  const double usual = Median(v), step = SampleStep(recording);
  DoubtTimes(step, doubts);
  for (const double value : {*high, *low}) {
    const Stay stay = LongestStay(v, value);
    const double length = static_cast<double>(stay.samples) * step;
    if (stay.samples < kFlatSamples || length < kFlatTime ||
        std::abs(value - usual) < kFlatDistance) {
      continue;
    }
    doubts.push_back(fmt::format(
        "the voltage stays at its {} value, {:.6g} mV, for {:.3g} ms from {:.6g} ms on: it looks "
        "saturated, and what lies beyond is lost",
        value == *high ? "highest" : "lowest", value, length, recording.time_ms[stay.first]));
  }
  return doubts;
}

std::vector<double> SpikeTimes(const Recording& recording, double level_mv) {
  std::vector<double> times;
  const std::vector<double>& v = recording.voltage_mv;
  for (std::size_t k = 0; k + 1 < v.size(); ++k) {
    if (!(v[k] < level_mv && v[k + 1] >= level_mv)) continue;
    const double share = (level_mv - v[k]) / (v[k + 1] - v[k]);
    times.push_back(recording.time_ms[k] +
                    share * (recording.time_ms[k + 1] - recording.time_ms[k]));
  }
  return times;
}

}  // namespace inferon
