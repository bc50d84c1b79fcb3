#include "worker/emulator/lane.h"

#include <algorithm>
#include <cmath>

#include "common/base/philox.h"
#include "worker/emulator/numerics.h"

namespace inferon::worker {
namespace {

// Coefficients of one lane, in double precision.
class Lane {
 public:
  Lane(const Profile& profile, const NeuronInstance& neuron, int lane, LaneCoefficients& lanes)
      : profile_(profile), neuron_(neuron), lane_(static_cast<std::size_t>(lane)), to_(lanes) {}

  void FillMembrane() const {
    const double h = profile_.step_us, c = profile_.capacitance_pf;
    const double z = h * neuron_.g_l_us / c;
    const Phi leak = PhiFunctions(z);
    Put(to_.relax_v, -z * leak.phi1);
    Put(to_.rate_v, -z);
    Put(to_.charge_v, h / c);
    Put(to_.gain_v, h / c * leak.phi1);
    Put(to_.gain2_v, h / c * leak.phi2);
    Put(to_.gain3_v, h / c * leak.phi3);
    Put(to_.v_r, neuron_.v_r_mv - neuron_.v_l_mv);
    Put(to_.v_th, neuron_.v_th_mv - neuron_.v_l_mv);
    Put(to_.stimulus, neuron_.stimulus_na);
    Put(to_.noise_amplitude, NoiseCurrent(leak) / kTwoByteDeviation);
    Put(to_.v_l_counts, profile_.madc_offset + profile_.madc_gain * neuron_.v_l_mv);
  }

  // In powers of two, so that the kernel needs no other base.
  void FillExponential() const {
    const bool none = profile_.exponential == ExponentialForm::kNone;
    const double delta_t = none ? 1 : neuron_.delta_t_mv;
    const double v_t = none ? 0 : neuron_.v_t_mv - neuron_.v_l_mv;
    const double scale = Log2(ExponentialConductance() * delta_t), slope = kLog2E / delta_t;
    const double ceiling =
        std::clamp(scale + profile_.max_exponent * kLog2E, -kLargestExponent, kLargestExponent);
    const double rising = StableExp(ceiling / kLog2E), limit = profile_.exponential_limit_na;
    Put(to_.inverse_delta_t, 1 / delta_t);
    Put(to_.exponent_slope, slope);
    Put(to_.exponent_offset, scale - slope * v_t);
    Put(to_.exponent_ceiling, ceiling);
    Put(to_.current_ceiling, rising / (rising + limit) * limit);
  }

  void FillAdaptation() const {
    const double z = profile_.adaptation ? profile_.step_us / neuron_.tau_w_us : 0;
    const double relax = -z * PhiFunctions(z).phi1;
    Put(to_.relax_w, relax);
    Put(to_.gain_w, profile_.adaptation ? -relax * neuron_.a_us : 0);
    Put(to_.b, profile_.adaptation ? neuron_.b_na : 0);
  }

  void FillIdentity(const LaneIdentity& identity, std::uint64_t seed) const {
    const auto low = static_cast<std::uint32_t>(identity.set);
    const auto high = static_cast<std::uint32_t>(identity.set >> 32);
    to_.trial.lane[lane_] = identity.trial;
    to_.set_low.lane[lane_] = low;
    to_.set_high.lane[lane_] = high;
    Put(to_.v_start, profile_.membrane_noise_mv *
                         StandardNormal(StreamKey(seed, "start"), {0, identity.trial, low, high}));
  }

 private:
  void Put(LaneFloats& to, double value) const { to.lane[lane_] = static_cast<float>(value); }

  // log2(x), -200 for x = 0.
  static double Log2(double x) { return x > 0 ? StableLog(x) * kLog2E : -200; }

  double ExponentialConductance() const {
    switch (profile_.exponential) {
      case ExponentialForm::kTextbook:
        return neuron_.g_l_us;
      case ExponentialForm::kIndependent:
        return profile_.exponential_g_ns * 1e-3;
      case ExponentialForm::kNone:
        break;
    }
    return 0;
  }

  // Standard deviation in nA of what a step adds to the noise current, so that V on the leak alone
  // has the profile's deviation, whatever the leak is.
  double NoiseCurrent(const Phi& leak) const {
    const double sigma = profile_.membrane_noise_mv, tau = profile_.membrane_noise_tau_us;
    const double h = profile_.step_us, c = profile_.capacitance_pf;
    if (tau == 0) return sigma * std::sqrt(1 - leak.decay * leak.decay) * c / (h * leak.phi1);
    // Ornstein-Uhlenbeck current of deviation s: var V = s^2 tau_m tau / (tau + tau_m) tau_m / C^2.
    const double tau_m = c / neuron_.g_l_us, decay = StableExp(-h / tau);
    return sigma * c / tau_m * std::sqrt((tau + tau_m) / tau) * std::sqrt(1 - decay * decay);
  }

  const Profile& profile_;
  const NeuronInstance& neuron_;
  const std::size_t lane_;
  LaneCoefficients& to_;
};

}  // namespace

void FillLane(const Profile& profile, const NeuronInstance& neuron, const LaneIdentity& identity,
              std::uint64_t seed, int lane, LaneCoefficients& lanes) {
  const Lane to(profile, neuron, lane, lanes);
  to.FillMembrane();
  to.FillExponential();
  to.FillAdaptation();
  to.FillIdentity(identity, seed);
}

}  // namespace inferon::worker
