#include "common/recordings/mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/recordings/stimulus.h"

namespace inferon {
namespace {

// A step within this share of the protocol's counts as equally long.
constexpr double kStepTolerance = 0.01;

double VoltageAt(const Recording& recording, double time_ms) {
  const std::vector<double>& time = recording.time_ms;
  const std::vector<double>& v = recording.voltage_mv;
  const auto after = std::upper_bound(time.begin(), time.end(), time_ms);
  if (after == time.begin()) return v.front();
  if (after == time.end()) return v.back();
  const auto k = static_cast<std::size_t>(after - time.begin());
  const double share = (time_ms - time[k - 1]) / (time[k] - time[k - 1]);
  return v[k - 1] + share * (v[k] - v[k - 1]);
}

// Chip time <-> recording time. In the step of a longer recording, what the protocol's step does
// not cover is left out: the time after the protocol's step is the time after the recording's.
class TimeMap {
 public:
  TimeMap(const StepWindow& window, const Protocol& protocol)
      : window_(window), start_us_(protocol.StimulusStart()), stop_us_(protocol.StimulusStop()) {}

  double ToRecording(double time_us) const {
    if (time_us < stop_us_) return window_.start_ms + (time_us - start_us_);
    return window_.stop_ms + (time_us - stop_us_);
  }

  std::optional<double> ToChip(double time_ms) const {
    if (time_ms >= window_.stop_ms) return stop_us_ + (time_ms - window_.stop_ms);
    const double time_us = start_us_ + (time_ms - window_.start_ms);
    if (time_us >= stop_us_) return std::nullopt;  // In the part that is left out.
    return time_us;
  }

 private:
  StepWindow window_;
  double start_us_;
  double stop_us_;
};

Status CheckStep(const StepWindow& window, const Protocol& protocol, bool crop) {
  const double has = window.stop_ms - window.start_ms;
  const double wants = protocol.StimulusStop() - protocol.StimulusStart();
  if (has < wants * (1 - kStepTolerance)) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the recording's step lasts {:.6g} ms, shorter than the {:.6g} ms that "
                            "the protocol's {:.6g} us stand for",
                            has, wants, wants),
                fmt::format("Run a study whose protocol has a step of {:.6g} us and query its "
                            "model",
                            has));
  }
  if (has > wants * (1 + kStepTolerance) && !crop) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("the recording's step lasts {:.6g} ms, longer than the {:.6g} ms that "
                    "the protocol's {:.6g} us stand for",
                    has, wants, wants),
        fmt::format("Ask to crop it, or run a study whose protocol has a step of {:.6g} us", has));
  }
  return {};
}

Status CheckReach(const Recording& recording, const TimeMap& time, const Protocol& protocol) {
  const double first = time.ToRecording(0);
  const double last =
      time.ToRecording(static_cast<double>(protocol.Points() - 1) * protocol.grid_step_us);
  const double sample = recording.time_ms[1] - recording.time_ms[0];
  const double begin = recording.time_ms.front(), end = recording.time_ms.back();
  if (first < begin - sample || last > end + sample) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the recording reaches from {:.6g} to {:.6g} ms; the protocol needs "
                            "{:.6g} to {:.6g} ms around the step",
                            begin, end, first, last),
                "Run a study whose protocol records a shorter time before and after the step");
  }
  return {};
}

// Mean voltage from the protocol's start to the stimulus.
double BaselineOf(const Recording& recording, const StepWindow& window, double before_ms) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t k = 0; k < recording.time_ms.size(); ++k) {
    if (recording.time_ms[k] >= window.start_ms) break;
    if (recording.time_ms[k] < window.start_ms - before_ms) continue;
    sum += recording.voltage_mv[k];
    ++count;
  }
  return count == 0 ? recording.voltage_mv.front() : sum / static_cast<double>(count);
}

bool IsFree(const Profile& profile, Parameter parameter) {
  return std::find(profile.free.begin(), profile.free.end(), parameter) != profile.free.end();
}

double FixedCounts(const Profile& profile, Parameter parameter) {
  const double code = profile.fixed_code[static_cast<std::size_t>(parameter)];
  return profile.Counts(profile.Value(parameter, code));
}

Result<AffineMap> ChooseMap(const Profile& profile, const RecordingOptions& options,
                            double baseline_mv) {
  if (options.map) {
    if (std::isfinite(options.map->offset) && options.map->gain > 0 &&
        std::isfinite(options.map->gain)) {
      return *options.map;
    }
    return InvalidArgument(fmt::format("the map gain {} and offset {} is unusable",
                                       options.map->gain, options.map->offset),
                           "Give a gain above 0 in counts a mV and a finite offset in counts");
  }
  if (!options.anchors && (IsFree(profile, Parameter::kVL) || IsFree(profile, Parameter::kVTh))) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the profile '{}' leaves v_l or v_th free, so no map from mV to counts "
                            "can be derived",
                            profile.name),
                "Give gain and offset of the map, or its anchors in counts");
  }
  const MapAnchors anchors = options.anchors.value_or(
      MapAnchors{FixedCounts(profile, Parameter::kVL), FixedCounts(profile, Parameter::kVTh)});
  if (!(anchors.threshold > anchors.rest)) {
    return InvalidArgument(fmt::format("the anchor of the threshold, {} counts, is not above that "
                                       "of the rest, {} counts",
                                       anchors.threshold, anchors.rest),
                           "Give both in counts, the rest's first");
  }
  if (!(options.spike_level_mv > baseline_mv)) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the spike level {} mV is not above the resting baseline {:.2f} mV",
                            options.spike_level_mv, baseline_mv),
                "Give another spike level, or gain and offset of the map");
  }
  const double gain = (anchors.threshold - anchors.rest) / (options.spike_level_mv - baseline_mv);
  return AffineMap{gain, anchors.rest - gain * baseline_mv};
}

// Fills trace and share of clipped points.
void Resample(const Recording& recording, const Profile& profile, const Protocol& protocol,
              const TimeMap& time, RecordedObservation& mapped) {
  double ceiling = profile.madc_max;
  if (!IsFree(profile, Parameter::kVTh)) {
    ceiling = std::min(ceiling, FixedCounts(profile, Parameter::kVTh));
  }
  std::size_t clipped = 0;
  for (std::size_t i = 0; i < protocol.Points(); ++i) {
    const double time_ms = time.ToRecording(static_cast<double>(i) * protocol.grid_step_us);
    const double counts = mapped.map.offset + mapped.map.gain * VoltageAt(recording, time_ms);
    if (counts >= ceiling) ++clipped;
    const double kept = std::max(std::min(counts, ceiling), profile.madc_min);
    mapped.observation.trace.push_back(static_cast<float>(std::round(kept)));
  }
  mapped.clipped_share = static_cast<double>(clipped) / static_cast<double>(protocol.Points());
}

void MapSpikes(const Recording& recording, const Protocol& protocol, const TimeMap& time,
               RecordedObservation& mapped) {
  std::vector<float>& spikes = mapped.observation.spike_time_us;
  for (const double spike_ms : SpikeTimes(recording, mapped.spike_level_mv)) {
    const std::optional<double> spike_us = time.ToChip(spike_ms);
    const bool inside = spike_us && *spike_us >= 0 && *spike_us < protocol.duration_us;
    const auto value = static_cast<float>(spike_us.value_or(0));
    if (inside && (spikes.empty() || value > spikes.back())) {
      spikes.push_back(value);
    } else {
      ++mapped.spikes_left_out;
    }
  }
}

}  // namespace

Result<RecordedObservation> MapRecording(const Recording& recording, const Profile& profile,
                                         const Protocol& protocol,
                                         const RecordingOptions& options) {
  INFERON_CHECK(recording.time_ms.size() >= 2 &&
                recording.time_ms.size() == recording.voltage_mv.size());
  if (Status valid = ValidateProtocol(protocol); !valid) return tl::unexpected(valid.error());
  if (protocol.steps.size() != 1) {
    return InvalidArgument(fmt::format("the protocol has {} current steps; a recording has one",
                                       protocol.steps.size()),
                           "Use a model whose protocol has a single step");
  }
  if (!std::isfinite(options.spike_level_mv)) {
    return InvalidArgument("the spike level is not a number", "Give it in mV, for example -20");
  }
  Result<StepWindow> window = options.window ? *options.window : FindStep(recording);
  if (!window) return tl::unexpected(window.error());
  if (!(window->start_ms < window->stop_ms && window->start_ms >= recording.time_ms.front() &&
        window->stop_ms <= recording.time_ms.back())) {
    return InvalidArgument(fmt::format("the step window {}..{} ms is empty or outside the "
                                       "recording",
                                       window->start_ms, window->stop_ms),
                           "Give start and stop of the step in ms of the recording");
  }
  if (Status fits = CheckStep(*window, protocol, options.crop); !fits) {
    return tl::unexpected(fits.error());
  }
  const TimeMap time(*window, protocol);
  if (Status reaches = CheckReach(recording, time, protocol); !reaches) {
    return tl::unexpected(reaches.error());
  }
  RecordedObservation mapped;
  mapped.window = *window;
  mapped.cropped = window->stop_ms - window->start_ms >
                   (protocol.StimulusStop() - protocol.StimulusStart()) * (1 + kStepTolerance);
  mapped.baseline_mv = BaselineOf(recording, *window, protocol.StimulusStart());
  const Result<AffineMap> map = ChooseMap(profile, options, mapped.baseline_mv);
  if (!map) return tl::unexpected(map.error());
  mapped.map = *map;
  Resample(recording, profile, protocol, time, mapped);
  mapped.map_source = options.map       ? "given"
                      : options.anchors ? "anchors given"
                                        : "anchors of the profile";
  mapped.spike_level_mv = options.spike_level_mv;
  MapSpikes(recording, protocol, time, mapped);
  return mapped;
}

std::string MappingProvenance(const RecordedObservation& recorded, const std::string& file,
                              const std::string& sweep) {
  const nlohmann::json provenance{{"substrate", "recording"},
                                  {"file", file},
                                  {"sweep", sweep},
                                  {"step_ms", {recorded.window.start_ms, recorded.window.stop_ms}},
                                  {"us_per_ms", 1},
                                  {"map",
                                   {{"gain_counts_per_mv", recorded.map.gain},
                                    {"offset_counts", recorded.map.offset},
                                    {"source", recorded.map_source}}},
                                  {"baseline_mv", recorded.baseline_mv},
                                  {"spike_level_mv", recorded.spike_level_mv},
                                  {"cropped", recorded.cropped},
                                  {"clipped_share", recorded.clipped_share},
                                  {"spikes_left_out", recorded.spikes_left_out}};
  return provenance.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace inferon
