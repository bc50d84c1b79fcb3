// From codes to the physics of a written neuron.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/emulator/emulator_fixture.h"
#include "worker/emulator/instance.h"

namespace inferon::worker {
namespace {

const std::vector<std::uint16_t> kCodes{70, 500, 300, 400, 100, 50, 100};

NeuronInstance WriteOne(const Profile& profile, std::uint64_t set = 0, std::uint32_t trial = 0,
                        const DeviceId& device = {}) {
  return DeviceModel(profile, device, 1).Write(kCodes, set, trial);
}

TEST(DeviceModelTest, WithoutImperfectionsTheMapsDecide) {
  const NeuronInstance neuron = WriteOne(WithoutNoise(ShippedProfile()));
  EXPECT_DOUBLE_EQ(neuron.g_l_us, (5 + 1.2 * 70) * 1e-3);
  EXPECT_DOUBLE_EQ(neuron.v_l_mv, 400);
  EXPECT_DOUBLE_EQ(neuron.v_t_mv, 422 + 0.4 * 500);
  EXPECT_DOUBLE_EQ(neuron.delta_t_mv, 3 + 0.045 * 300);
  EXPECT_DOUBLE_EQ(neuron.v_r_mv, 250 + 0.45 * 400);
  EXPECT_DOUBLE_EQ(neuron.v_th_mv, 780);
  EXPECT_DOUBLE_EQ(neuron.a_us, 0.2 * 100 * 1e-3);
  EXPECT_DOUBLE_EQ(neuron.b_na, 9.0 * 50 * 1e-3);
  EXPECT_DOUBLE_EQ(neuron.tau_w_us, 22 / ((1 + 1.2 * 100) * 1e-3));
  EXPECT_DOUBLE_EQ(neuron.stimulus_na, 11);
}

TEST(DeviceModelTest, CouplingsShiftTheNeuronAndEachCanBeOff) {
  Profile profile = WithoutNoise(ShippedProfile());
  const NeuronInstance plain = WriteOne(profile);
  const auto with = [&](Coupling coupling) {
    coupling.reference_g_l = 60;
    coupling.reference_v_t = 400;
    coupling.reference_delta_t = 320;
    profile.coupling = coupling;
    return WriteOne(profile);
  };
  NeuronInstance neuron = with({.delta_t_to_v_t = 0.1});
  EXPECT_DOUBLE_EQ(neuron.v_t_mv, plain.v_t_mv - 2);
  EXPECT_EQ(neuron.delta_t_mv, plain.delta_t_mv);
  EXPECT_EQ(neuron.v_l_mv, plain.v_l_mv);
  neuron = with({.v_t_to_delta_t = 0.03});
  EXPECT_EQ(neuron.v_t_mv, plain.v_t_mv);
  EXPECT_DOUBLE_EQ(neuron.delta_t_mv, plain.delta_t_mv + 3);
  neuron = with({.g_l_to_v_l = -0.5});
  EXPECT_EQ(neuron.g_l_us, plain.g_l_us);
  EXPECT_DOUBLE_EQ(neuron.v_l_mv, plain.v_l_mv - 5);
}

TEST(DeviceModelTest, TheRestingPotentialFollowsTheLeaksBiasOnTheTrace) {
  Profile profile = WithoutNoise(ShippedProfile());
  profile.coupling = {.g_l_to_v_l = -0.5, .reference_g_l = 0};
  RunRequest request = Request(profile, {7,
                                         {20, 500, 300, 400, 100, 50, 100,  //
                                          100, 500, 300, 400, 100, 50, 100}});
  request.protocol = {{}, 10, 1};
  const ObservationBatch batch = RunOrDie(request);
  EXPECT_NEAR(batch.Trace(0)[0] - batch.Trace(1)[0], 40 / 1.2, 1);
}

// The jittered code decides, so a coupled value moves with the jitter of its partner.
TEST(DeviceModelTest, JitterPassesThroughTheCouplings) {
  Profile profile = WithoutNoise(ShippedProfile());
  profile.write_jitter_codes = 2;
  const NeuronInstance plain = WriteOne(profile, 7);
  const double delta_t_code = (plain.delta_t_mv - 3) / 0.045;
  EXPECT_GT(std::abs(delta_t_code - 300), 1e-3);
  profile.coupling = {.delta_t_to_v_t = 0.1, .reference_delta_t = 300};
  EXPECT_NEAR(WriteOne(profile, 7).v_t_mv - plain.v_t_mv, 0.1 * (delta_t_code - 300), 1e-9);
}

TEST(DeviceModelTest, WriteJitterIsOfTheSetTrialJitterOfTheTrial) {
  Profile profile = WithoutNoise(ShippedProfile());
  profile.write_jitter_codes = 2;
  EXPECT_EQ(WriteOne(profile, 3, 0).g_l_us, WriteOne(profile, 3, 1).g_l_us);
  EXPECT_NE(WriteOne(profile, 3, 0).g_l_us, WriteOne(profile, 4, 0).g_l_us);
  profile.trial_jitter_codes = 1;
  EXPECT_NE(WriteOne(profile, 3, 0).g_l_us, WriteOne(profile, 3, 1).g_l_us);
  EXPECT_EQ(WriteOne(profile, 3, 1).g_l_us, WriteOne(profile, 3, 1).g_l_us);
}

// Standard deviation of V_r over many draws, by what is varied.
template <typename Draw>
double DeviationOfReset(Draw&& draw) {
  constexpr int kDraws = 4000;
  double sum = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double v = draw(static_cast<std::uint32_t>(i)).v_r_mv;
    sum += v, square += v * v;
  }
  return std::sqrt(square / kDraws - sum / kDraws * (sum / kDraws));
}

TEST(DeviceModelTest, EachImperfectionHasItsDeviation) {
  const Profile quiet = WithoutNoise(ShippedProfile());
  const double slope = 0.45, tolerance = 4 / std::sqrt(2.0 * 4000);  // Four standard errors.
  Profile profile = quiet;
  profile.write_jitter_codes = 2;
  EXPECT_NEAR(DeviationOfReset([&](std::uint32_t i) { return WriteOne(profile, i); }) / (2 * slope),
              1, tolerance);
  profile = quiet;
  profile.trial_jitter_codes = 3;
  EXPECT_NEAR(
      DeviationOfReset([&](std::uint32_t i) { return WriteOne(profile, 0, i); }) / (3 * slope), 1,
      tolerance);
  profile = quiet;
  profile.run_drift_codes = 4;
  EXPECT_NEAR(DeviationOfReset([&](std::uint32_t i) {
                return WriteOne(profile, 0, 0, {.run = i});
              }) / (4 * slope),
              1, tolerance);
  profile = quiet;
  profile.mismatch_voltage_mv = 12;
  EXPECT_NEAR(DeviationOfReset([&](std::uint32_t i) {
                return WriteOne(profile, 0, 0,
                                {.chip = "chip-" + std::to_string(i / 512), .neuron = i % 512});
              }) / 12,
              1, tolerance);
}

TEST(DeviceModelTest, WithoutAdaptationAndExponentialNothingOfThemIsLeft) {
  const Profile profile = BuiltInProfile("lif2").value();
  const std::vector<std::uint16_t> codes{500, 500};
  const NeuronInstance neuron = DeviceModel(profile, {}, 1).Write(codes, 0, 0);
  EXPECT_EQ(neuron.a_us, 0);
  EXPECT_EQ(neuron.b_na, 0);
  EXPECT_GT(neuron.tau_w_us, 0);
  EXPECT_GT(neuron.delta_t_mv, 0);
}

}  // namespace
}  // namespace inferon::worker
