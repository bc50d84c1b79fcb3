// The MADC in detail: the noise of each single point, centring, saturation (readout_test.cc has the
// overall figures).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

constexpr double kRateMhz = 29.41;

// Rests at 400 mV, tau_m = 2 us, read out around count 500 at 10 counts a mV.
Profile Fast() {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, 1150);
  Pin(profile, Parameter::kA, 0);
  Pin(profile, Parameter::kVTh, 1000);
  profile.stimulus_na = 0;
  profile.madc_mode = MadcMode::kPoint;
  profile.madc_gain = 10;
  profile.madc_offset = -3500;
  return profile;
}

// Variance around 500 of the points for which `wanted` holds, over trials.
template <typename Wanted>
double Variance(const Profile& profile, Wanted&& wanted) {
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 1, 500), 32));
  double square = 0, count = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    for (std::size_t k = 0; k < batch.points; ++k) {
      if (!wanted(k)) continue;
      const double deviation = batch.Trace(i)[k] - 500.0;
      square += deviation * deviation, ++count;
    }
  }
  EXPECT_GT(count, 1500);
  return square / count;
}

// Where between its two samples a point of the 1 us grid lies.
double Fraction(std::size_t point) {
  const double place = static_cast<double>(point) * kRateMhz;
  return place - std::floor(place);
}

TEST(MadcTest, InterpolationSmoothsBetweenSamplesOnly) {
  Profile profile = Fast();
  profile.readout_noise_counts = 20;
  profile.madc_mode = MadcMode::kInterpolated;
  profile.madc_rate_mhz = kRateMhz;
  // The mean of f^2 + (1 - f)^2 is 2/3 over all points, near 1 at a sample, near 1/2 in the middle.
  EXPECT_NEAR(Variance(profile, [](std::size_t) { return true; }), 400 * 2.0 / 3, 10);
  const auto at_sample = [](std::size_t k) { return std::abs(Fraction(k) - 0.5) > 0.48; };
  EXPECT_NEAR(Variance(profile, at_sample), 400 * 0.98, 50);
  const auto between = [](std::size_t k) { return std::abs(Fraction(k) - 0.5) < 0.02; };
  EXPECT_NEAR(Variance(profile, between), 200, 25);
}

TEST(MadcTest, TheFirstMeanHasHalfTheSamples) {
  Profile profile = Fast();
  profile.madc_mode = MadcMode::kAveraged;
  profile.madc_rate_mhz = kRateMhz;
  profile.readout_noise_counts = 100;
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 1, 500), 400));
  double first = 0, second = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    first += std::pow(batch.Trace(i)[0] - 500.0, 2) / 400;
    second += std::pow(batch.Trace(i)[1] - 500.0, 2) / 400;
  }
  // 15 samples before 0.5 us and 30 from there to 1.5 us; four standard errors are 0.28.
  EXPECT_NEAR(first / (1e4 / 15), 1, 0.3);
  EXPECT_NEAR(second / (1e4 / 30), 1, 0.3);
}

TEST(MadcTest, AMeanIsCentredOnItsPoint) {
  Profile profile = Fast();
  profile.stimulus_na = 1.15 * 40;  // 40 mV.
  profile.madc_mode = MadcMode::kAveraged;
  profile.madc_rate_mhz = kRateMhz;
  RunRequest request = Request(profile, EqualSets(profile, 1, 500));
  request.protocol = {{{100, 600, 1}}, 700, 1};
  const Observation observation = Extract(RunOrDie(request), 0);
  const double mean_of_window = std::sinh(0.25) / 0.25;  // Of exp(-t / 2 us) over 1 us.
  for (std::size_t k = 602; k < 612; ++k) {
    const double v = 40 * std::exp(-(static_cast<double>(k) - 600) / 2) * mean_of_window;
    EXPECT_NEAR((observation.trace[k] - 500) / 10.0, v, 0.11) << k;
  }
}

TEST(MadcTest, SaturatesAtBothEndsWithNoiseToo) {
  for (const MadcMode mode : {MadcMode::kPoint, MadcMode::kInterpolated, MadcMode::kAveraged}) {
    Profile profile = Fast();
    profile.readout_noise_counts = 50;
    profile.madc_mode = mode;
    profile.madc_rate_mhz = kRateMhz;
    profile.madc_min = 480;
    profile.madc_max = 520;
    const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 1, 500)));
    const auto [least, most] = std::minmax_element(batch.trace.begin(), batch.trace.end());
    EXPECT_GE(*least, 480);
    EXPECT_LE(*most, 520);
    if (mode == MadcMode::kAveraged) continue;
    EXPECT_EQ(*least, 480);
    EXPECT_EQ(*most, 520);
  }
}

}  // namespace
}  // namespace inferon::worker
