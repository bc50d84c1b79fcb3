// Profiles at and within the limits of their keys (docs/formats.md): whatever the physics, counts
// and spike times stay within their contract, and every build of the kernel agrees.
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/hash.h"
#include "common/base/philox.h"
#include "tests/emulator/emulator_fixture.h"
#include "worker/emulator/kernel_choice.h"

namespace inferon::worker {
namespace {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(StreamKey(seed, "extreme")) {}

  bool Coin() { return random_.Below(2) == 0; }
  template <typename T>
  T Of(std::initializer_list<T> values) {
    return *(values.begin() + random_.Below(static_cast<std::uint32_t>(values.size())));
  }
  // An end of the range, or a number within it, on a logarithmic scale.
  double Positive(double low, double high) {
    const double share = Of({0.0, 1.0, Uniform(), Uniform()});
    return low * std::pow(high / low, share);
  }
  double OrZero(double low, double high) { return Coin() ? 0 : Positive(low, high); }
  double Signed(double low, double high) { return (Coin() ? 1 : -1) * OrZero(low, high); }

 private:
  double Uniform() { return random_.Below(1u << 24) / static_cast<double>(1u << 24); }
  PhiloxSequence random_;
};

CodeMap DrawMap(Draw& draw, Parameter parameter) {
  if (IsVoltage(parameter)) return {draw.Signed(1, 1e5), draw.Positive(1e-3, 1e3), 0};
  const bool has_sign = parameter == Parameter::kA || parameter == Parameter::kB;
  const double slope = draw.Positive(1e-3, 1e3), offset = draw.Signed(1e-3, 1e5);
  if (has_sign) return {offset, draw.Coin() ? slope : -slope, draw.Signed(1e-3, 1e5)};
  return {offset, slope, draw.Positive(1e-3, 1e5)};
}

Profile DrawProfile(std::uint64_t seed) {
  Draw draw(seed);
  Profile profile = ShippedProfile();
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    // Some maps stay sane, or nothing would ever fire.
    if (draw.Coin()) {
      profile.map[static_cast<std::size_t>(i)] = DrawMap(draw, static_cast<Parameter>(i));
    }
  }
  profile.coupling = {.delta_t_to_v_t = draw.Signed(1e-3, 10),
                      .v_t_to_delta_t = draw.Signed(1e-3, 10),
                      .g_l_to_v_l = draw.Signed(1e-3, 10),
                      .reference_g_l = 511,
                      .reference_v_t = 0,
                      .reference_delta_t = 1022};
  profile.capacitance_pf = draw.Positive(0.01, 1000);
  profile.adaptation_capacitance_pf = draw.Positive(0.01, 1000);
  profile.refractory_us = draw.Positive(0.1, 1000);
  profile.stimulus_na = draw.Signed(1e-3, 1000);
  profile.reset = draw.Of({ResetForm::kHold, ResetForm::kConductance});
  profile.reset_tau_us = draw.Positive(0.001, 1000);
  profile.exponential = draw.Of({ExponentialForm::kTextbook, ExponentialForm::kIndependent});
  profile.exponential_g_ns = draw.OrZero(1e-3, 1e5);
  profile.exponential_limit_na = draw.Positive(1e-3, 1e5);
  profile.step_us = draw.Positive(0.01, 1);
  profile.settle_us = draw.OrZero(1, 30);
  profile.max_exponent = draw.Positive(1, 20);
  profile.madc_gain = draw.Positive(1e-3, 1e3);
  profile.madc_offset = draw.Signed(1, 1e5);
  profile.madc_min = draw.Of({0.0, 200.0, 1022.0});
  profile.madc_max = draw.Of({1023.0, 1022.5});
  profile.madc_mode = draw.Of({MadcMode::kPoint, MadcMode::kInterpolated, MadcMode::kAveraged});
  profile.madc_rate_mhz = draw.Positive(1, 1000);
  profile.readout_noise_counts = draw.OrZero(0.1, 100);
  profile.mismatch_voltage_mv = draw.OrZero(1, 1000);
  profile.mismatch_relative = draw.OrZero(0.01, 0.5);
  profile.run_drift_codes = draw.OrZero(0.1, 100);
  profile.write_jitter_codes = draw.OrZero(0.1, 100);
  profile.trial_jitter_codes = draw.OrZero(0.1, 100);
  profile.membrane_noise_mv = draw.OrZero(0.1, 100);
  profile.membrane_noise_tau_us = draw.OrZero(0.01, 1e4);
  profile.threshold_noise_mv = draw.OrZero(0.1, 1000);
  return profile;
}

Protocol DrawProtocol(std::uint64_t seed) {
  Draw draw(seed + 1'000'000);
  return {.steps = {{1, 8.05, draw.Signed(0.1, 10)}, {9, 20, draw.Signed(0.1, 10)}},
          .duration_us = 25,
          .grid_step_us = draw.Of({0.1, 0.37, 1.0, 12.0})};
}

// Runs by every build of the kernel and expects one and the same frame within the contract.
void ExpectContract(const RunRequest& request, const std::string& what) {
  std::string expected;
  for (const KernelBuild& build : UsableKernels()) {
    const auto batch = MakeEmulator({.threads = 1, .kernel = build.run})->Run(request, {});
    ASSERT_TRUE(batch) << what << ": " << batch.error().Text();
    const std::string frame = EncodeObservations(*batch);
    const auto decoded = DecodeObservations(frame);  // Checks spike times and counts.
    ASSERT_TRUE(decoded) << what << ": " << decoded.error().Text();
    for (const std::uint16_t count : batch->trace) {
      ASSERT_GE(count, std::floor(request.profile.madc_min)) << what << " " << build.name;
      ASSERT_LE(count, std::ceil(request.profile.madc_max)) << what << " " << build.name;
    }
    if (expected.empty()) expected = Sha256Hex(frame);
    EXPECT_EQ(Sha256Hex(frame), expected) << what << " " << build.name;
  }
}

TEST(ExtremeProfilesTest, KeepTheContractInEveryBuildOfTheKernel) {
  constexpr std::uint64_t kProfiles = 150;
  for (std::uint64_t seed = 0; seed < kProfiles; ++seed) {
    RunRequest request = Request(DrawProfile(seed), RandomSets(ShippedProfile(), 20, seed));
    request.protocol = DrawProtocol(seed);
    ASSERT_TRUE(ValidateProtocol(request.protocol));
    ExpectContract(request, std::to_string(seed));
  }
}

// A negative a that outweighs the leak makes the linear part unstable: V runs away to -infinity,
// beyond the numbers. What is stored is the read-out's lower end.
TEST(ExtremeProfilesTest, ARunawayMembraneSaturatesTheReadOut) {
  Profile profile = WithoutNoise(ShippedProfile());
  Pin(profile, Parameter::kA, -5000);
  Pin(profile, Parameter::kGTauW, 5000);
  profile.settle_us = 0;  // At rest, the tip of a hill, any trifle could push it up.
  profile.stimulus_na = -10;
  RunRequest request = Request(profile, EqualSets(profile, 3, 300));
  request.protocol = {{{0, 1000, 1}}, 1400, 1};
  ExpectContract(request, "runaway");
  const Observation observation = Extract(RunOrDie(request), 0);
  EXPECT_TRUE(observation.spike_time_us.empty());
  for (std::size_t k = 50; k < 1400; ++k) {
    ASSERT_EQ(observation.trace[k], profile.madc_min) << k;
  }
}

}  // namespace
}  // namespace inferon::worker
