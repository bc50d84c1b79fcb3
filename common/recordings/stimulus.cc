#include "common/recordings/stimulus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

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
// A step has one level: the medians of its parts differ from it, and those of the time beside it
// from the holding level, by less than this share of its height.
constexpr double kFlatShare = 0.2;
constexpr int kFlatParts = 10;
constexpr double kBeside = 10;  // ms
// What is looked at to tell whether a recording begins in the holding level, ms.
constexpr double kBeginning = 1;
// Levels that differ by less than so many times the noise are one.
constexpr double kLeastApart = 4;

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

// Samples in so much time, at most all.
std::size_t SamplesIn(const Recording& recording, double ms) {
  const auto size = static_cast<double>(recording.time_ms.size());
  const double length = recording.time_ms.back() - recording.time_ms.front();
  return static_cast<std::size_t>(std::min(ms / length * (size - 1), size));
}

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

// The median of the recording's first part; of its last where the first lies in a step: where the
// very beginning is as the end is.
double HoldingLevel(const Recording& recording) {
  const std::vector<double>& current = recording.current_pa;
  const std::size_t size = current.size();
  const auto part =
      std::max<std::size_t>(1, static_cast<std::size_t>(kLevelPart * static_cast<double>(size)));
  const auto beginning = std::clamp<std::size_t>(SamplesIn(recording, kBeginning), 1, part);
  const double first = MedianOf(current, {0, part});
  const double very_first = MedianOf(current, {0, beginning});
  const double last = MedianOf(current, {size - part, size});
  const double apart = std::abs(first - last);
  const bool in_step =
      apart > kLeastApart * NoiseOf(recording) && std::abs(very_first - last) < apart / 2;
  return in_step ? last : first;
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
    reach_ = SamplesIn(recording, kSmoothReach);
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

// A commanded current is on from its first sample. A measured one is filtered: its edge lies
// between samples, where it crosses half its height.
double EdgeTime(const Recording& recording, std::size_t edge, double half, bool measured) {
  const double time = recording.time_ms[edge];
  const double before = recording.current_pa[edge - 1] - half;
  const double after = recording.current_pa[edge] - half;
  if (!measured || before * after >= 0) return time;
  return time - (time - recording.time_ms[edge - 1]) * after / (after - before);
}

// The part in which the current is known; empty where it has gaps.
Range KnownSamples(const std::vector<double>& current) {
  const auto is_unknown = [](double c) { return std::isnan(c); };
  const auto begin = std::find_if_not(current.begin(), current.end(), is_unknown);
  const auto end = std::find_if(begin, current.end(), is_unknown);
  if (!std::all_of(end, current.end(), is_unknown)) return {};
  return {static_cast<std::size_t>(begin - current.begin()),
          static_cast<std::size_t>(end - current.begin())};
}

Recording Cut(const Recording& recording, const Range& range) {
  const auto cut = [&](const std::vector<double>& values) {
    return std::vector<double>(values.begin() + static_cast<std::ptrdiff_t>(range.begin),
                               values.begin() + static_cast<std::ptrdiff_t>(range.end));
  };
  return {cut(recording.time_ms), cut(recording.voltage_mv), cut(recording.current_pa), {}};
}

Range SamplesIn(const Recording& recording, double start_ms, double stop_ms) {
  const auto sample = [&](double at) {
    return static_cast<std::size_t>(
        std::lower_bound(recording.time_ms.begin(), recording.time_ms.end(), at) -
        recording.time_ms.begin());
  };
  return {sample(start_ms), sample(stop_ms)};
}

// Why a pulse is no step (a ramp, a wave, one stair of several); empty where it is one.
std::string WhyNoStep(const Recording& recording, const CurrentPulse& pulse, double holding) {
  const auto [start, stop] = pulse.window;
  const double tolerance = kFlatShare * std::abs(pulse.amplitude_pa);
  const double part = (stop - start) / kFlatParts;
  for (int i = 0; i < kFlatParts; ++i) {
    const double from = start + i * part;
    const double level =
        MedianOf(recording.current_pa, SamplesIn(recording, from, from + part)) - holding;
    if (std::abs(level - pulse.amplitude_pa) > tolerance) {
      return fmt::format("the current is {:.4g} pA at {:.6g} ms, and {:.4g} pA in its middle",
                         level + holding, from, pulse.amplitude_pa + holding);
    }
  }
  const auto beside = [&](double from, double to) {
    return MedianOf(recording.current_pa, SamplesIn(recording, from, to)) - holding;
  };
  const double before = beside(start - kBeside, start), after = beside(stop, stop + kBeside);
  if (std::abs(before) > tolerance || std::abs(after) > tolerance) {
    return fmt::format(
        "the current is {:.4g} pA before and {:.4g} pA after it, not at its holding "
        "level",
        before + holding, after + holding);
  }
  return "";
}

auto Refuse(const std::string& why) {
  return Fail(ErrorCode::kFailedPrecondition,
              "the recording does not tell when its stimulus is on: " + why,
              "Give start and stop of the step in ms");
}

}  // namespace

Result<Stimulus> FindStimulus(const Recording& recording, const StimulusOptions& options) {
  const Range known = KnownSamples(recording.current_pa);
  if (known.size() < 2) return Refuse("its current is not known, or not all the time");
  if (known.size() < recording.current_pa.size()) {
    return FindStimulus(Cut(recording, known), options);
  }
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
    return Refuse(constant ? "its current is constant (if it is not: is it in pA?)"
                           : "its current has no step inside");
  }
  if (length(*longest) < options.least_step_ms) {
    return Refuse(fmt::format(
        "its longest current pulse, {:.4g} pA at {:.6g} ms, lasts {:.4g} ms; "
        "below {:g} ms it is taken for a test pulse",
        longest->amplitude_pa, longest->window.start_ms, length(*longest), options.least_step_ms));
  }
  if (const std::string why = WhyNoStep(recording, *longest, stimulus.holding_pa); !why.empty()) {
    return Refuse(fmt::format("its longest current pulse, {:.6g} to {:.6g} ms, is no step: {}",
                              longest->window.start_ms, longest->window.stop_ms, why));
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
  Recording known;  // Without the samples whose current is not.
  for (std::size_t k = 0; k < recording.current_pa.size(); ++k) {
    if (std::isnan(recording.current_pa[k])) continue;
    known.time_ms.push_back(recording.time_ms[k]);
    known.current_pa.push_back(recording.current_pa[k]);
  }
  if (known.current_pa.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  return MedianOf(known.current_pa, SamplesIn(known, window.start_ms, window.stop_ms)) -
         HoldingLevel(known);
}

}  // namespace inferon
