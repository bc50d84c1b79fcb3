// The judge is judged: closed forms, and its own convergence.
#include "tests/emulator/reference_neuron.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

// Leak, reset and threshold only; tau_m = 23 us.
ReferenceNeuron Leaky() {
  return {.c = 2.3,
          .g_l = 0.1,
          .v_l = 400,
          .v_t = 0,
          .delta_t = 1,
          .v_r = 420,
          .v_th = 780,
          .a = 0,
          .b = 0,
          .tau_w = 100,
          .g_exponential = 0,
          .limit = 1,
          .max_exponent = 8,
          .stimulus = 50,
          .refractory = 2,
          .reset_tau = 0,
          .settle = 100};
}

TEST(ReferenceNeuronTest, SpikeTimesAreTheClosedForms) {
  const ReferenceRun run = RunReference(Leaky(), {});
  const double first = 23 * std::log(500.0 / 120), interval = 2 + 23 * std::log(480.0 / 120);
  ASSERT_GT(run.spike_time_us.size(), 20u);
  for (std::size_t i = 0; i < run.spike_time_us.size(); ++i) {
    EXPECT_NEAR(run.spike_time_us[i], 200 + first + static_cast<double>(i) * interval, 1e-6) << i;
  }
  EXPECT_LE(run.spike_time_us.back(), 1200);
}

TEST(ReferenceNeuronTest, SamplesFollowMembraneAndAdaptation) {
  ReferenceNeuron neuron = Leaky();
  neuron.stimulus = 30;
  const std::vector<double> times{0, 200, 223.5, 1200, 1250};
  const ReferenceRun run = RunReference(neuron, {}, times);
  ASSERT_EQ(run.sample.size(), times.size());
  EXPECT_NEAR(run.sample[1].v, 400, 1e-9);
  EXPECT_NEAR(run.sample[2].v, 700 - 300 * std::exp(-23.5 / 23), 1e-6);
  EXPECT_NEAR(run.sample[4].v, 400 + 300 * std::exp(-50.0 / 23), 1e-6);
  neuron.a = 0.05;  // The steady state of both.
  const ReferenceRun adapted = RunReference(neuron, {}, times);
  EXPECT_NEAR(adapted.sample[3].v, 400 + 30 / 0.15, 2e-2);
  EXPECT_NEAR(adapted.sample[3].w, 0.05 * 30 / 0.15, 2e-3);
}

TEST(ReferenceNeuronTest, ResetsByHoldAndByConductance) {
  ReferenceNeuron neuron = Leaky();
  neuron.refractory = 20;
  neuron.b = 1;
  const double spike = RunReference(neuron, {}).spike_time_us.at(0);
  const std::vector<double> times{spike + 5, spike + 19};
  for (const double tau : {0.0, 4.0}) {
    neuron.reset_tau = tau;
    const ReferenceRun run = RunReference(neuron, {}, times);
    const double left = tau == 0 ? 0 : 360 * std::exp(-5 / tau);
    EXPECT_NEAR(run.sample[0].v, 420 + left, 1e-6) << tau;
    EXPECT_NEAR(run.sample[1].w, std::exp(-0.19), 1e-6) << tau;
  }
}

TEST(ReferenceNeuronTest, AHundredTimesFinerToleranceChangesNothing) {
  const Profile profile = WithoutNoise(ShippedProfile());
  const ParameterSets sets = RandomSets(profile, 1500, 9);
  double worst = 0;
  std::size_t spikes = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const ReferenceNeuron neuron = MakeReference(profile, sets[i]);
    const ReferenceRun run = RunReference(neuron, {});
    const ReferenceRun finer = RunReference(neuron, {}, {}, kReferenceTolerance / 100);
    ASSERT_EQ(run.spike_time_us.size(), finer.spike_time_us.size()) << i;
    for (std::size_t k = 0; k < std::min<std::size_t>(10, run.spike_time_us.size());
         ++k, ++spikes) {
      worst = std::max(worst, std::abs(run.spike_time_us[k] - finer.spike_time_us[k]));
    }
  }
  EXPECT_GT(spikes, 300u);
  EXPECT_LT(worst, 1e-3);  // us; the emulator is allowed 0.2.
}

}  // namespace
}  // namespace inferon::worker
