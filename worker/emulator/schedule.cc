#include "worker/emulator/schedule.h"

#include <algorithm>
#include <cmath>

#include "common/base/philox.h"
#include "worker/emulator/numerics.h"

namespace inferon::worker {
namespace {

// A place within this share of a step of a boundary counts as on it.
constexpr double kOnBoundary = 1e-6;

void CopyKey(const PhiloxKey& from, std::uint32_t (&to)[2]) {
  std::copy(from.begin(), from.end(), to);
}

std::uint32_t StepsFor(double time_us, double step_us) {
  return static_cast<std::uint32_t>(std::ceil(time_us / step_us - kOnBoundary));
}

// Samples before a time; the first is at 0.
double SamplesBefore(double time_us, double rate_mhz) {
  return std::max(std::ceil(time_us * rate_mhz - kOnBoundary), 0.0);
}

// Standard deviation of a point on the line between its two samples, in that of a sample.
double InterpolatedNoise(double time_us, double rate_mhz) {
  const double place = time_us * rate_mhz, fraction = place - std::floor(place);
  return std::sqrt(fraction * fraction + (1 - fraction) * (1 - fraction));
}

}  // namespace

Schedule::Schedule(const Profile& profile, const Protocol& protocol, std::uint64_t seed) {
  kernel_.step_us = profile.step_us;
  kernel_.duration_us = protocol.duration_us;
  kernel_.settle_steps = StepsFor(profile.settle_us, profile.step_us);
  kernel_.record_steps = StepsFor(protocol.duration_us, profile.step_us);
  FillNeuron(profile);
  FillReadout(profile);
  PlaceStimulus(protocol);
  if (profile.madc_mode == MadcMode::kAveraged) {
    PlaceMeans(profile, protocol);
  } else {
    PlacePoints(profile, protocol);
  }
  kernel_.point = points_.data();
  kernel_.points = static_cast<std::uint32_t>(points_.size());
  const double refractory_us = std::max(profile.refractory_us, profile.step_us);
  spike_capacity_ = static_cast<std::uint32_t>(protocol.duration_us / refractory_us) + 2;
  CopyKey(StreamKey(seed, "membrane"), kernel_.membrane_key);
  CopyKey(StreamKey(seed, "read-out"), kernel_.readout_key);
  CopyKey(StreamKey(seed, "threshold"), kernel_.threshold_key);
}

void Schedule::FillNeuron(const Profile& profile) {
  const double refractory_us = std::max(profile.refractory_us, profile.step_us);
  kernel_.refractory_steps = static_cast<float>(refractory_us / profile.step_us);
  const bool hold = profile.reset == ResetForm::kHold;
  const double decay_log2 =
      hold ? kLargestExponent
           : std::min(profile.step_us / profile.reset_tau_us * kLog2E, kLargestExponent);
  kernel_.reset_log2 = static_cast<float>(-decay_log2);
  kernel_.reset_from = hold ? 0.0f : 1.0f;
  kernel_.exponential_limit = static_cast<float>(profile.exponential_limit_na);
  kernel_.membrane_noise = profile.membrane_noise_mv > 0;
  const double tau = profile.membrane_noise_tau_us;
  kernel_.noise_decay = tau == 0 ? 0.0f : static_cast<float>(StableExp(-profile.step_us / tau));
  kernel_.threshold_amplitude =
      static_cast<float>(profile.threshold_noise_mv / kEightByteDeviation);
}

void Schedule::FillReadout(const Profile& profile) {
  kernel_.average = profile.madc_mode == MadcMode::kAveraged;
  kernel_.madc_gain = static_cast<float>(profile.madc_gain);
  kernel_.madc_min = static_cast<float>(profile.madc_min);
  kernel_.madc_max = static_cast<float>(profile.madc_max);
}

void Schedule::PlacePoint(double time_us, double noise, double weight) {
  const double place = time_us / kernel_.step_us;
  const double step =
      std::min(std::floor(place + kOnBoundary), static_cast<double>(kernel_.record_steps - 1));
  points_.push_back({.step = static_cast<std::uint32_t>(step),
                     .fraction = static_cast<float>(std::clamp(place - step, 0.0, 1.0)),
                     .noise = static_cast<float>(noise / kEightByteDeviation),
                     .weight = static_cast<float>(weight)});
}

void Schedule::PlacePoints(const Profile& profile, const Protocol& protocol) {
  const bool interpolated = profile.madc_mode == MadcMode::kInterpolated;
  for (std::size_t i = 0; i < protocol.Points(); ++i) {
    const double time_us = static_cast<double>(i) * protocol.grid_step_us;
    const double share = interpolated ? InterpolatedNoise(time_us, profile.madc_rate_mhz) : 1;
    PlacePoint(time_us, profile.readout_noise_counts * share, 1);
  }
}

void Schedule::PlaceMeans(const Profile& profile, const Protocol& protocol) {
  double begin_us = 0;
  for (std::size_t i = 0; i < protocol.Points(); ++i) {
    const double end_us = (static_cast<double>(i) + 0.5) * protocol.grid_step_us;
    const double samples = SamplesBefore(end_us, profile.madc_rate_mhz) -
                           SamplesBefore(begin_us, profile.madc_rate_mhz);
    PlacePoint(end_us, profile.readout_noise_counts / std::sqrt(std::max(samples, 1.0)),
               kernel_.step_us / (end_us - begin_us));
    begin_us = end_us;
  }
}

void Schedule::PlaceStimulus(const Protocol& protocol) {
  scale_.assign(kernel_.record_steps, 0.0f);
  for (std::uint32_t k = 0; k < kernel_.record_steps; ++k) {
    const double begin = k * kernel_.step_us, end = begin + kernel_.step_us;
    double charge = 0;  // A step's edge inside an integration step counts by its share.
    for (const CurrentStep& step : protocol.steps) {
      charge +=
          step.scale * std::max(0.0, std::min(end, step.stop_us) - std::max(begin, step.start_us));
    }
    scale_[k] = static_cast<float>(charge / kernel_.step_us);
  }
  kernel_.scale = scale_.data();
}

}  // namespace inferon::worker
