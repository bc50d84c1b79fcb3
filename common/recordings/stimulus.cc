#include "common/recordings/stimulus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace inferon {
namespace {

// Part of the recording, from its start, that gives the holding level.
constexpr double kLevelPart = 0.05;
// Half window of the mean that takes the noise off a measured current, ms.
constexpr double kSmoothReach = 2.5;
// A current that changes less than this, relative to its level (or pA), is constant.
constexpr double kLeastChange = 1e-6;
// Pulses stand out by this many standard deviations of the smoothed current.
constexpr double kLeastContrast = 8;
// A current is measured, not commanded, where its noise is more than this share of a pulse.
constexpr double kLeastNoise = 1e-6;
// Pulses of different sizes are found in rounds, the largest first.
constexpr int kMaxRounds = 16;

struct Range {
  std::size_t begin = 0, end = 0;  // Samples [begin, end).
  std::size_t size() const { return end - begin; }
};

double MedianOf(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double MedianOf(const std::vector<double>& values, const Range& range) {
  return MedianOf({values.begin() + static_cast<std::ptrdiff_t>(range.begin),
                   values.begin() + static_cast<std::ptrdiff_t>(range.end)});
}

double HoldingLevel(const Recording& recording) {
  const auto samples = static_cast<double>(recording.current_pa.size());
  const auto part = static_cast<std::size_t>(std::max(1.0, kLevelPart * samples));
  return MedianOf(recording.current_pa, {0, part});
}

// A symmetric mean leaves the place where an edge crosses half its height.
std::vector<double> Smooth(const std::vector<double>& current, std::size_t reach) {
  const std::size_t size = current.size();
  std::vector<double> sums{0};
  sums.reserve(size + 1);
  for (const double c : current) sums.push_back(sums.back() + c);
  std::vector<double> smooth(size);
  for (std::size_t k = 0; k < size; ++k) {
    const std::size_t half = std::min({reach, k, size - 1 - k});
    smooth[k] = (sums[k + half + 1] - sums[k - half]) / static_cast<double>(2 * half + 1);
  }
  return smooth;
}

class PulseFinder {
 public:
  PulseFinder(const Recording& recording, double holding)
      : current_(recording.current_pa), holding_(holding) {
    const double step = (recording.time_ms.back() - recording.time_ms.front()) /
                        static_cast<double>(current_.size() - 1);
    reach_ = static_cast<std::size_t>(kSmoothReach / step);
    deviation_ = Smooth(current_, reach_);
    for (double& c : deviation_) c -= holding_;
    taken_.resize(current_.size());
  }

  // Ranges away from the holding level, in no order; those at the ends of the recording are none.
  std::vector<Range> Find() {
    std::vector<Range> found;
    for (int round = 0; round < kMaxRounds; ++round) {
      const double largest = Largest();
      if (!(largest > LeastDeviation(round == 0))) break;
      for (const Range& range : Beyond(largest / 2)) {
        const Range refined = Refine(range);
        Take(refined);
        if (refined.begin > 0 && refined.end < current_.size() && refined.size() > 0) {
          found.push_back(refined);
        }
      }
    }
    return found;
  }

 private:
  double Largest() const {
    double largest = 0;
    for (std::size_t k = 0; k < deviation_.size(); ++k) {
      if (!taken_[k]) largest = std::max(largest, std::abs(deviation_[k]));
    }
    return largest;
  }

  // What noise reaches: a multiple of the robust standard deviation of what is not taken yet. In
  // the first round a long step may be most of the recording, and its height the median.
  double LeastDeviation(bool first_round) const {
    constexpr double kMadToSigma = 1.4826;
    const double least = kLeastChange * std::max(1.0, std::abs(holding_));
    if (first_round) return least;
    std::vector<double> rest;
    for (std::size_t k = 0; k < deviation_.size(); ++k) {
      if (!taken_[k]) rest.push_back(std::abs(deviation_[k]));
    }
    if (rest.empty()) return least;
    return std::max(least, kLeastContrast * kMadToSigma * MedianOf(std::move(rest)));
  }

  std::vector<Range> Beyond(double level) const {
    std::vector<Range> ranges;
    std::size_t begin = 0;
    for (std::size_t k = 0; k <= deviation_.size(); ++k) {
      if (k < deviation_.size() && !taken_[k] && std::abs(deviation_[k]) > level) continue;
      if (k > begin) ranges.push_back({begin, k});
      begin = k + 1;
    }
    return ranges;
  }

  // Moves both edges to where two levels, holding and pulse, explain the current best.
  Range Refine(const Range& range) const {
    const double inside = MedianOf(current_, range);
    const auto best_split = [&](std::size_t edge, double left, double right) {
      const std::size_t from = edge - std::min(edge, 2 * reach_ + 1);
      const std::size_t to = std::min(edge + 2 * reach_ + 1, current_.size());
      std::size_t best = from;
      double cost = 0, least = 0;
      for (std::size_t k = from; k < to; ++k) {
        const double c = current_[k];
        cost += (c - left) * (c - left) - (c - right) * (c - right);
        if (cost < least) least = cost, best = k + 1;
      }
      return best;
    };
    Range refined = range;
    if (range.begin > 0) refined.begin = best_split(range.begin, holding_, inside);
    if (range.end < current_.size()) refined.end = best_split(range.end, inside, holding_);
    if (refined.begin >= refined.end) return range;
    return refined;
  }

  // Smoothing smears an edge over `reach_`: its surroundings belong to the pulse.
  void Take(const Range& range) {
    const std::size_t margin = 2 * reach_ + 1;
    const std::size_t begin = range.begin - std::min(range.begin, margin);
    const std::size_t end = std::min(range.end + margin, taken_.size());
    for (std::size_t k = begin; k < end; ++k) taken_[k] = true;
  }

  const std::vector<double>& current_;
  const double holding_;
  std::size_t reach_ = 0;
  std::vector<double> deviation_;
  std::vector<bool> taken_;
};

// Median change from sample to sample in the part that gives the holding level.
double NoiseOf(const Recording& recording) {
  const std::vector<double>& current = recording.current_pa;
  const auto part = static_cast<std::size_t>(kLevelPart * static_cast<double>(current.size()));
  std::vector<double> changes;
  for (std::size_t k = 1; k < std::max<std::size_t>(part, 2); ++k) {
    changes.push_back(std::abs(current[k] - current[k - 1]));
  }
  return MedianOf(std::move(changes));
}

// A commanded current is on from its first sample. A measured one is filtered: its edge lies
// between samples, where it crosses half its height.
double EdgeTime(const Recording& recording, std::size_t edge, double half, bool measured) {
  const double time = recording.time_ms[edge];
  const double before = recording.current_pa[edge - 1] - half;
  const double after = recording.current_pa[edge] - half;
  if (!measured || before * after >= 0) return time;
  return time - (time - recording.time_ms[edge - 1]) * after / (after - before);
}

// Length of the part from the start in which the current is known; 0 where it has gaps.
std::size_t KnownSamples(const std::vector<double>& current) {
  const auto is_unknown = [](double c) { return std::isnan(c); };
  const auto end = std::find_if(current.begin(), current.end(), is_unknown);
  return std::all_of(end, current.end(), is_unknown)
             ? static_cast<std::size_t>(end - current.begin())
             : 0;
}

Recording Cut(const Recording& recording, std::size_t samples) {
  Recording cut = recording;
  cut.time_ms.resize(samples), cut.voltage_mv.resize(samples), cut.current_pa.resize(samples);
  return cut;
}

auto Refuse(const std::string& why) {
  return Fail(ErrorCode::kFailedPrecondition,
              "the recording does not tell when its stimulus is on: " + why,
              "Give start and stop of the step in ms");
}

}  // namespace

Result<Stimulus> FindStimulus(const Recording& recording, const StimulusOptions& options) {
  const std::size_t known = KnownSamples(recording.current_pa);
  if (known < 2) return Refuse("its current is not known");
  if (known < recording.current_pa.size()) return FindStimulus(Cut(recording, known), options);
  const std::vector<double>& current = recording.current_pa;
  Stimulus stimulus{.holding_pa = HoldingLevel(recording)};
  const std::vector<Range> ranges = PulseFinder(recording, stimulus.holding_pa).Find();
  const double noise = NoiseOf(recording);
  std::vector<CurrentPulse> pulses;
  for (const Range& range : ranges) {
    const double inside = MedianOf(current, range);
    const bool measured = noise > kLeastNoise * std::abs(inside - stimulus.holding_pa);
    const double half = (inside + stimulus.holding_pa) / 2;
    pulses.push_back({{EdgeTime(recording, range.begin, half, measured),
                       EdgeTime(recording, range.end, half, measured)},
                      inside - stimulus.holding_pa});
  }
  std::sort(pulses.begin(), pulses.end(), [](const CurrentPulse& a, const CurrentPulse& b) {
    return a.window.start_ms < b.window.start_ms;
  });
  const auto length = [](const CurrentPulse& pulse) {
    return pulse.window.stop_ms - pulse.window.start_ms;
  };
  const auto longest = std::max_element(
      pulses.begin(), pulses.end(),
      [&](const CurrentPulse& a, const CurrentPulse& b) { return length(a) < length(b); });
  if (longest == pulses.end()) {
    const auto [low, high] = std::minmax_element(current.begin(), current.end());
    const bool constant =
        *high - *low <= kLeastChange * std::max(1.0, std::abs(stimulus.holding_pa));
    return Refuse(constant ? "its current is constant" : "its current has no step inside");
  }
  if (length(*longest) < options.least_step_ms) {
    return Refuse(fmt::format(
        "its longest current pulse, {:.4g} pA at {:.6g} ms, lasts {:.4g} ms; "
        "below {:g} ms it is taken for a test pulse",
        longest->amplitude_pa, longest->window.start_ms, length(*longest), options.least_step_ms));
  }
  stimulus.step = *longest;
  pulses.erase(longest);
  stimulus.others = std::move(pulses);
  return stimulus;
}

Result<StepWindow> FindStep(const Recording& recording, const StimulusOptions& options) {
  const Result<Stimulus> stimulus = FindStimulus(recording, options);
  if (!stimulus) return tl::unexpected(stimulus.error());
  return stimulus->step.window;
}

double AmplitudeIn(const Recording& recording, const StepWindow& window) {
  if (recording.current_pa.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto sample = [&](double at) {
    return static_cast<std::size_t>(
        std::lower_bound(recording.time_ms.begin(), recording.time_ms.end(), at) -
        recording.time_ms.begin());
  };
  return MedianOf(recording.current_pa, {sample(window.start_ms), sample(window.stop_ms)}) -
         HoldingLevel(recording);
}

}  // namespace inferon
