#include "worker/emulator/schedule.h"

#include <algorithm>
#include <cmath>

#include "common/base/philox.h"
#include "worker/emulator/numerics.h"

namespace inferon::worker {
namespace {

// A place within this share of a step of a boundary counts as on it.
constexpr double kOnBoundary = 1e-6;

std::uint32_t StepsFor(double time_us, double step_us) {
  return static_cast<std::uint32_t>(std::ceil(time_us / step_us - kOnBoundary));
}

// Standard deviation of the noise's contribution to V in one step, and its decay.
struct StepNoise {
  double amplitude_mv;
  double decay;
};

// So that V on the leak alone has the profile's standard deviation, whatever the leak is.
StepNoise NoiseOfStep(const Profile& profile, double tau_m_us, const Phi& leak) {
  const double sigma = profile.membrane_noise_mv, tau = profile.membrane_noise_tau_us;
  if (tau == 0) return {sigma * std::sqrt(1 - leak.decay * leak.decay), 0};
  // Ornstein-Uhlenbeck force of deviation s: var V = s^2 tau_m^2 tau / (tau + tau_m).
  const double force = sigma / tau_m_us * std::sqrt((tau + tau_m_us) / tau);
  const double decay = StableExp(-profile.step_us / tau);
  return {force * profile.step_us * leak.phi1 * std::sqrt(1 - decay * decay), decay};
}

}  // namespace

Schedule::Schedule(const Profile& profile, const Protocol& protocol, std::uint64_t seed) {
  kernel_.step_us = profile.step_us;
  kernel_.duration_us = protocol.duration_us;
  kernel_.settle_steps = StepsFor(profile.settle_us, profile.step_us);
  kernel_.record_steps = StepsFor(protocol.duration_us, profile.step_us);
  PlacePoints(protocol);
  PlaceStimulus(protocol);
  const double refractory_us = std::max(profile.refractory_us, profile.step_us);
  spike_capacity_ = static_cast<std::uint32_t>(protocol.duration_us / refractory_us) + 2;

  kernel_.refractory_steps = static_cast<float>(refractory_us / profile.step_us);
  kernel_.hold_decay = profile.reset == ResetForm::kHold
                           ? 0.0f
                           : static_cast<float>(StableExp(-profile.step_us / profile.reset_tau_us));
  kernel_.max_exponent = static_cast<float>(profile.max_exponent);
  kernel_.inverse_limit = static_cast<float>(1 / profile.exponential_limit_na);
  kernel_.noise_decay = static_cast<float>(NoiseOfStep(profile, 1, PhiFunctions(1)).decay);
  kernel_.madc_gain = static_cast<float>(profile.madc_gain);
  kernel_.madc_min = static_cast<float>(profile.madc_min);
  kernel_.madc_max = static_cast<float>(profile.madc_max);
  kernel_.readout_amplitude =
      static_cast<float>(profile.readout_noise_counts / kEightByteDeviation);
  const PhiloxKey membrane = StreamKey(seed, "membrane"), readout = StreamKey(seed, "read-out");
  std::copy(membrane.begin(), membrane.end(), kernel_.membrane_key);
  std::copy(readout.begin(), readout.end(), kernel_.readout_key);
}

void Schedule::PlacePoints(const Protocol& protocol) {
  for (std::size_t i = 0; i < protocol.Points(); ++i) {
    const double place = static_cast<double>(i) * protocol.grid_step_us / kernel_.step_us;
    const double step =
        std::min(std::floor(place + kOnBoundary), static_cast<double>(kernel_.record_steps - 1));
    point_step_.push_back(static_cast<std::uint32_t>(step));
    point_fraction_.push_back(static_cast<float>(std::max(place - step, 0.0)));
  }
  kernel_.points = static_cast<std::uint32_t>(point_step_.size());
  kernel_.point_step = point_step_.data();
  kernel_.point_fraction = point_fraction_.data();
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

void FillLane(const Profile& profile, const NeuronInstance& neuron, const LaneIdentity& identity,
              std::uint64_t seed, int lane, LaneCoefficients& lanes) {
  const double h = profile.step_us, c = profile.capacitance_pf;
  const double tau_m = c / neuron.g_l_us;
  const Phi leak = PhiFunctions(h / tau_m);
  const double relax_w = -h / neuron.tau_w_us * PhiFunctions(h / neuron.tau_w_us).phi1;
  const double g_exponential = profile.exponential == ExponentialForm::kTextbook
                                   ? neuron.g_l_us
                                   : profile.exponential_g_ns * 1e-3;
  const auto low = static_cast<std::uint32_t>(identity.set);
  const auto high = static_cast<std::uint32_t>(identity.set >> 32);
  const double start = profile.membrane_noise_mv *
                       StandardNormal(StreamKey(seed, "start"), {0, identity.trial, low, high});
  const auto put = [lane](LaneFloats& to, double value) {
    to.lane[lane] = static_cast<float>(value);
  };
  put(lanes.v_start, start);
  put(lanes.relax_v, -h / tau_m * leak.phi1);
  put(lanes.gain_v, h / c * leak.phi1);
  put(lanes.gain2_v, h / c * leak.phi2);
  put(lanes.v_t, neuron.v_t_mv - neuron.v_l_mv);
  put(lanes.inverse_delta_t, 1 / neuron.delta_t_mv);
  put(lanes.exponential, g_exponential * neuron.delta_t_mv);
  put(lanes.v_r, neuron.v_r_mv - neuron.v_l_mv);
  put(lanes.v_th, neuron.v_th_mv - neuron.v_l_mv);
  put(lanes.relax_w, relax_w);
  put(lanes.gain_w, -relax_w * neuron.a_us);
  put(lanes.b, neuron.b_na);
  put(lanes.stimulus, neuron.stimulus_na);
  put(lanes.noise_amplitude, NoiseOfStep(profile, tau_m, leak).amplitude_mv / kFourByteDeviation);
  put(lanes.v_l_counts, profile.madc_offset + profile.madc_gain * neuron.v_l_mv);
  lanes.trial.lane[lane] = identity.trial;
  lanes.set_low.lane[lane] = low;
  lanes.set_high.lane[lane] = high;
}

}  // namespace inferon::worker
