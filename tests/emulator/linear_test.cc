// The linear part of the neuron, V and w below threshold without exponential current, against the
// closed form by the eigenvalues of its matrix.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

constexpr double kC = 2.3, kGL = 0.1;      // pF, uS: tau_m = 23 us.
constexpr double kRest = 400, kGain = 10;  // mV, counts a mV: a count is 0.1 mV.
constexpr double kOn = 200, kOff = 700, kEnd = 1400;

struct Linear {
  double a, tau_w;  // uS, us.

  struct State {
    double v, w;
  };
  // exp(t M) x for M = [[-g/C, -1/C], [a/tau, -1/tau]] with the eigenvalues s + q and s - q:
  // exp(t M) = exp(s t) (cosh(q t) + (M - s) sinh(q t) / q).
  State Flow(double t, State x) const {
    const double m11 = -kGL / kC, m12 = -1 / kC, m21 = a / tau_w, m22 = -1 / tau_w;
    const double s = (m11 + m22) / 2;
    const std::complex<double> q = std::sqrt(std::complex(s * s - (m11 * m22 - m12 * m21)));
    const double cosine = std::cosh(q * t).real(), sine = (std::sinh(q * t) / q).real();
    const double decay = std::exp(s * t);
    return {decay * (cosine * x.v + sine * ((m11 - s) * x.v + m12 * x.w)),
            decay * (cosine * x.w + sine * (m21 * x.v + (m22 - s) * x.w))};
  }
  // After t with a current from a state, and where it ends.
  State Driven(double t, State x, double current) const {
    const State steady{current / (kGL + a), a * current / (kGL + a)};
    const State rest = Flow(t, {x.v - steady.v, x.w - steady.w});
    return {steady.v + rest.v, steady.w + rest.w};
  }
  double V(double t, double current) const {
    if (t <= kOn) return 0;
    const State charged = Driven(std::min(t, kOff) - kOn, {0, 0}, current);
    return t <= kOff ? charged.v : Flow(t - kOff, charged).v;
  }
};

void ExpectStepResponse(const Linear& linear, double current) {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, 1000 * kGL);
  Pin(profile, Parameter::kVL, kRest);
  Pin(profile, Parameter::kVTh, 1000);
  Pin(profile, Parameter::kA, 1000 * linear.a);
  Pin(profile, Parameter::kGTauW, 1000 * 22 / linear.tau_w);
  profile.stimulus_na = current;
  profile.madc_gain = kGain;
  profile.madc_offset = 500 - kGain * kRest;
  RunRequest request = Request(profile, EqualSets(profile, 1, 500));
  request.protocol = {{{kOn, kOff, 1}}, kEnd, 1};
  const Observation observation = Extract(RunOrDie(request), 0);
  EXPECT_TRUE(observation.spike_time_us.empty());
  for (std::size_t k = 0; k < observation.trace.size(); ++k) {
    const double v = linear.V(static_cast<double>(k), current);
    // Half a count of rounding, the rest for single precision.
    ASSERT_NEAR((observation.trace[k] - 500) / kGain, v, 0.06) << k << " us, a = " << linear.a;
  }
}

TEST(LinearTest, StepResponseHasTwoRealTimeConstants) {
  ExpectStepResponse({.a = 0, .tau_w = 100}, 3.5);
  ExpectStepResponse({.a = 0.02, .tau_w = 300}, 3.5);
  ExpectStepResponse({.a = 0.05, .tau_w = 4}, -4);
}

TEST(LinearTest, StrongAdaptationRings) {
  const Linear ringing{.a = 0.4, .tau_w = 100};
  double least = 0, most = 0;
  for (double t = kOn; t < kOff; ++t) most = std::max(most, ringing.V(t, 8));
  for (double t = kOff; t < kEnd; ++t) least = std::min(least, ringing.V(t, 8));
  EXPECT_GT(most, 1.2 * 8 / 0.5);  // Overshoot and rebound: the case is what its name says.
  EXPECT_LT(least, -3);
  ExpectStepResponse(ringing, 8);
}

TEST(LinearTest, NegativeAdaptationPullsAwayFromRest) {
  ExpectStepResponse({.a = -0.05, .tau_w = 80}, 2);
}

}  // namespace
}  // namespace inferon::worker
