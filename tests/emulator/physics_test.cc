// The emulator against closed forms and against a second method, with noise off.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

// A leaky integrator: rest 400 mV, reset 420 mV, threshold 780 mV, tau_m = 23 us.
Profile Leaky() {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, 100);
  Pin(profile, Parameter::kVL, 400);
  Pin(profile, Parameter::kVR, 420);
  Pin(profile, Parameter::kVTh, 780);
  Pin(profile, Parameter::kVT, 1000);
  Pin(profile, Parameter::kDeltaT, 20);
  Pin(profile, Parameter::kA, 0);
  Pin(profile, Parameter::kB, 0);
  Pin(profile, Parameter::kGTauW, 220);  // tau_w = 100 us.
  profile.adaptation_capacitance_pf = 22;
  profile.capacitance_pf = 2.3;
  profile.refractory_us = 2;
  return profile;
}

Observation RunOne(const Profile& profile, const Protocol& protocol = {}) {
  RunRequest request = Request(profile, EqualSets(profile, 1, 500));
  request.protocol = protocol;
  return Extract(RunOrDie(request), 0);
}

TEST(PhysicsTest, LeakyIntegratorFiresAtItsClosedFormRate) {
  Profile profile = Leaky();
  for (const double current : {40.0, 50.0, 100.0}) {
    profile.stimulus_na = current;
    const std::vector<float> spikes = RunOne(profile).spike_time_us;
    const double v_inf = current / 0.1, tau = 23;
    const double first = tau * std::log(v_inf / (v_inf - 380));
    const double isi = 2 + tau * std::log((v_inf - 20) / (v_inf - 380));
    ASSERT_GT(spikes.size(), 3u);
    EXPECT_NEAR(spikes[0], 200 + first, 5e-3);
    for (std::size_t i = 0; i < spikes.size(); ++i) {
      // The crossing is interpolated linearly: its error is below h^2 / (8 tau) each spike.
      EXPECT_NEAR(spikes[i], 200 + first + static_cast<double>(i) * isi, 1e-3 * (i + 1) + 5e-3);
    }
  }
}

TEST(PhysicsTest, MembraneChargesAndDecaysExponentially) {
  Profile profile = Leaky();
  profile.stimulus_na = 30;  // 300 mV, below the threshold.
  const Observation observation = RunOne(profile);
  EXPECT_TRUE(observation.spike_time_us.empty());
  for (std::size_t k = 0; k < observation.trace.size(); ++k) {
    const double t = static_cast<double>(k);
    const double charged = t <= 200 ? 0 : 300 * (1 - std::exp(-(std::min(t, 1200.0) - 200) / 23));
    const double v = 400 + charged * (t > 1200 ? std::exp(-(t - 1200) / 23) : 1);
    EXPECT_NEAR(observation.trace[k], v, 0.51) << k;  // Rounded to a count of 1 mV.
  }
}

TEST(PhysicsTest, AdaptationShuntsTheSteadyState) {
  Profile profile = Leaky();
  Pin(profile, Parameter::kA, 50);
  profile.stimulus_na = 30;
  EXPECT_NEAR(RunOne(profile).trace[1190], 400 + 30 / 0.15, 0.51);
}

TEST(PhysicsTest, AdaptationDecaysAfterASpike) {
  Profile profile = Leaky();
  Pin(profile, Parameter::kB, 10'000);  // 10 nA.
  profile.refractory_us = 5;
  profile.stimulus_na = 60;
  const Protocol pulse{{{100, 125, 1}}, 700, 1};
  const Observation observation = RunOne(profile, pulse);
  ASSERT_EQ(observation.spike_time_us.size(), 1u);
  const double spike = observation.spike_time_us[0];
  EXPECT_NEAR(spike, 100 + 23 * std::log(600.0 / 220), 5e-3);
  // From the release on: V - V_L = A exp(-t / tau_m) + B exp(-t / tau_w).
  const double w0 = 10 * std::exp(-5.0 / 100), tau_m = 23, tau_w = 100;
  const double b = -(w0 / 2.3) / (1 / tau_m - 1 / tau_w), a = 20 - b;
  for (std::size_t k = 140; k < 700; ++k) {
    const double t = static_cast<double>(k) - spike - 5;
    const double v = 400 + a * std::exp(-t / tau_m) + b * std::exp(-t / tau_w);
    EXPECT_NEAR(observation.trace[k], v, 0.6) << k;
  }
}

TEST(PhysicsTest, HoldsTheResetForTheRefractoryTime) {
  Profile profile = Leaky();
  profile.refractory_us = 20;
  profile.stimulus_na = 100;
  const Observation observation = RunOne(profile);
  const auto spike = static_cast<std::size_t>(std::ceil(observation.spike_time_us[0]));
  for (std::size_t k = spike; k < spike + 20; ++k) EXPECT_EQ(observation.trace[k], 420) << k;
  EXPECT_GT(observation.trace[spike + 21], 420);
}

TEST(PhysicsTest, ConductanceResetDecaysTowardsTheResetVoltage) {
  Profile profile = Leaky();
  profile.refractory_us = 20;
  profile.reset = ResetForm::kConductance;
  profile.reset_tau_us = 4;
  profile.stimulus_na = 100;
  const Observation observation = RunOne(profile);
  const double spike = observation.spike_time_us[0];
  for (int k = 1; k < 19; ++k) {
    const double t = std::ceil(spike) + k - spike;
    const double v = 420 + 360 * std::exp(-t / 4);
    // The step of the spike counts as a whole: an error of up to h / tau.
    EXPECT_NEAR(observation.trace[static_cast<std::size_t>(std::ceil(spike)) + k], v,
                360 * 0.1 / 4 + 0.6);
  }
}

TEST(PhysicsTest, ResetAboveThresholdFiresAtTheRefractoryRate) {
  Profile profile = Leaky();
  Pin(profile, Parameter::kVR, 800);
  profile.stimulus_na = 50;
  const std::vector<float> spikes = RunOne(profile).spike_time_us;
  ASSERT_GT(spikes.size(), 500u);
  for (std::size_t i = 1; i < spikes.size(); ++i) {
    EXPECT_NEAR(spikes[i] - spikes[i - 1], 2, 1e-3);
  }
}

TEST(PhysicsTest, StimulusScaleAndSeveralStepsAreFollowed) {
  Profile profile = Leaky();
  profile.stimulus_na = 20;
  const Protocol steps{{{50.05, 250, -0.5}, {250, 450, 1.5}}, 500, 1};
  const Observation observation = RunOne(profile, steps);
  EXPECT_NEAR(observation.trace[245], 300, 0.6);
  EXPECT_NEAR(observation.trace[445], 700, 0.6);
}

TEST(PhysicsTest, GridFinerThanTheStepAndOffItInterpolates) {
  Profile profile = Leaky();
  profile.stimulus_na = 30;
  const Protocol fine{{{10, 100, 1}}, 120, 0.13};
  const Observation observation = RunOne(profile, fine);
  ASSERT_EQ(observation.trace.size(), fine.Points());
  for (std::size_t k = 0; k < observation.trace.size(); ++k) {
    const double t = static_cast<double>(k) * 0.13;
    const double v = t <= 10 ? 400 : 400 + 300 * (1 - std::exp(-(std::min(t, 100.0) - 10) / 23));
    if (t >= 100) break;
    EXPECT_NEAR(observation.trace[k], v, 0.6) << t;
  }
}

// Spike times by the classical Runge-Kutta method with a step of 2 ns, crossings interpolated.
struct AdEx {
  double c, g_l, v_l, v_t, delta_t, g_exp, limit, v_r, v_th, a, b, tau_w, t_ref, current;

  double DvDt(double v, double w, double i) const {
    const double x = g_exp * delta_t * std::exp(std::min((v - v_t) / delta_t, 8.0));
    return (g_l * (v_l - v) + x / (1 + x / limit) - w + i) / c;
  }
  double DwDt(double v, double w) const { return (a * (v - v_l) - w) / tau_w; }

  std::vector<double> Spikes(double on, double off, double end) const {
    const double h = 0.002;
    double v = v_l, w = 0, held = 0;
    std::vector<double> spikes;
    for (double t = 0; t < end; t += h) {
      const double i = t >= on - h / 2 && t < off - h / 2 ? current : 0;
      if (held > 0) {
        w = a * (v_r - v_l) + (w - a * (v_r - v_l)) * std::exp(-h / tau_w);
        held -= h;
        continue;
      }
      const double k1 = DvDt(v, w, i), l1 = DwDt(v, w);
      const double v2 = v + h / 2 * k1, w2 = w + h / 2 * l1;
      const double k2 = DvDt(v2, w2, i), l2 = DwDt(v2, w2);
      const double v3 = v + h / 2 * k2, w3 = w + h / 2 * l2;
      const double k3 = DvDt(v3, w3, i), l3 = DwDt(v3, w3);
      const double k4 = DvDt(v + h * k3, w + h * l3, i), l4 = DwDt(v + h * k3, w + h * l3);
      const double next = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
      w += h / 6 * (l1 + 2 * l2 + 2 * l3 + l4);
      if (next >= v_th) {
        const double share = (v_th - v) / (next - v);
        spikes.push_back(t + share * h);
        held = t_ref - (1 - share) * h;
        v = v_r;
        w += b;
      } else {
        v = next;
      }
    }
    return spikes;
  }
};

TEST(PhysicsTest, AdExAgreesWithASecondMethodInBothForms) {
  for (const ExponentialForm form : {ExponentialForm::kTextbook, ExponentialForm::kIndependent}) {
    Profile profile = Leaky();
    Pin(profile, Parameter::kVT, 500);
    Pin(profile, Parameter::kA, 30);
    Pin(profile, Parameter::kB, 800);
    profile.exponential = form;
    profile.exponential_g_ns = 40;
    profile.exponential_limit_na = 400;
    profile.stimulus_na = 14;
    const double g_exp = form == ExponentialForm::kTextbook ? 0.1 : 0.04;
    const AdEx reference{2.3, 0.1, 400, 500, 20, g_exp, 400, 420, 780, 0.03, 0.8, 100, 2, 14};
    const std::vector<double> expected = reference.Spikes(200, 1200, 1400);
    const std::vector<float> spikes = RunOne(profile).spike_time_us;
    ASSERT_GT(expected.size(), 4u);
    ASSERT_EQ(spikes.size(), expected.size());
    for (std::size_t i = 0; i < spikes.size(); ++i) {
      // The error of steps of 0.1 us adds up spike by spike, some 30 ns each (four times as much
      // at 0.2 us); noise moves the first spike by a microsecond.
      EXPECT_NEAR(spikes[i], expected[i], 0.04 * static_cast<double>(i + 1)) << i;
    }
  }
}

}  // namespace
}  // namespace inferon::worker
