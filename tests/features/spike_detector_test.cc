#include "common/features/spike_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/features/catalogue.h"
#include "common/features/recording_features.h"

namespace inferon {
namespace {

using ::testing::IsEmpty;

struct Trace {
  std::vector<double> time, v;
  TraceView view() const { return {time, v}; }
};

// 20 kHz, resting at -70 mV; a spike at each time: up by `height` mV within 0.4 ms, down to 10 mV
// below rest within 0.8 ms, back within 5 ms.
Trace WithSpikes(const std::vector<double>& spikes, double height = 100, double length = 400) {
  Trace trace;
  for (int k = 0; 0.05 * k <= length; ++k) {
    const double t = 0.05 * k;
    double v = -70;
    for (const double spike : spikes) {
      const double s = t - spike;
      if (s >= 0 && s < 0.4) v += height * s / 0.4;
      if (s >= 0.4 && s < 1.2) v += height - (height + 10) * (s - 0.4) / 0.8;
      if (s >= 1.2 && s < 6.2) v += -10 + 10 * (s - 1.2) / 5;
    }
    trace.time.push_back(t), trace.v.push_back(v);
  }
  return trace;
}

std::vector<SpikePoints> Detect(const Trace& trace, SpikeSettings settings = {}) {
  return DetectSpikes(trace.view(), Slopes(trace.view(), settings.corner),
                      {trace.time.front(), trace.time.back()}, settings);
}

double Get(const RecordingFeatures& features, std::string_view name) {
  return features.values.at(FindFeature(name).value());
}

TEST(SpikeDetectorTest, ThresholdAndPeakAreWhereTheyAre) {
  const Trace trace = WithSpikes({100, 200});
  const std::vector<SpikePoints> spikes = Detect(trace);
  ASSERT_EQ(spikes.size(), 2u);
  EXPECT_NEAR(spikes[0].time, 100, 0.1);
  EXPECT_NEAR(trace.time[spikes[0].peak], 100.4, 0.06);
  EXPECT_FALSE(spikes[1].clipped);
}

TEST(SpikeDetectorTest, LowAndSmallEventsAreNoSpikes) {
  EXPECT_THAT(Detect(WithSpikes({100}, 39)), IsEmpty()) << "peak at -31 mV";
  EXPECT_EQ(Detect(WithSpikes({100}, 41)).size(), 1u);
  Trace bump = WithSpikes({});
  for (double& v : bump.v) v += 60;  // At -10 mV: high enough, but
  bump.v[2001] += 1.5;               // steep for one sample and 1.5 mV high.
  EXPECT_THAT(Detect(bump), IsEmpty());
}

TEST(SpikeDetectorTest, SlowDepolarisationIsNoSpikeButACrossing) {
  Trace ramp;
  for (int k = 0; k < 8000; ++k) {
    ramp.time.push_back(0.05 * k), ramp.v.push_back(-70 + 0.01 * k);  // 0.2 mV/ms up to +10 mV.
  }
  EXPECT_THAT(Detect(ramp), IsEmpty());
  EXPECT_EQ(Detect(ramp, {.method = SpikeMethod::kCrossing}).size(), 1u);
}

// 20 kHz, straight lines between these points of time and voltage.
Trace Through(const std::vector<std::pair<double, double>>& points) {
  Trace trace;
  std::size_t i = 0;
  for (int k = 0; 0.05 * k <= points.back().first; ++k) {
    const double t = 0.05 * k;
    while (i + 2 < points.size() && t >= points[i + 1].first) ++i;
    const auto [t0, v0] = points[i];
    const auto [t1, v1] = points[i + 1];
    trace.time.push_back(t), trace.v.push_back(v0 + (v1 - v0) * (t - t0) / (t1 - t0));
  }
  return trace;
}

// From the onset at 100 ms on the membrane rises by 4 mV/ms, more than a twentieth of the upstroke
// of 60 mV/ms: going back from there, no slope is a threshold's.
TEST(SpikeDetectorTest, FirstSpikeOfAFastRiseIsKept) {
  const Trace trace = Through({{0, -70},
                               {100, -70},
                               {107, -42},
                               {107.8, 6},
                               {109, -60},
                               {130, -42},
                               {130.8, 6},
                               {132, -60},
                               {200, -60}});
  const std::vector<SpikePoints> spikes = Detect(trace);
  ASSERT_EQ(spikes.size(), 2u);
  EXPECT_NEAR(spikes[0].time, 107, 0.11) << "where the slope reaches the cut-off";
  EXPECT_NEAR(spikes[1].time, 130, 0.11);
}

TEST(SpikeDetectorTest, SlowRiseAfterASteepOnsetIsNoSpike) {
  const Trace trace =
      Through({{0, -70}, {100, -70}, {100.2, -60}, {109, -24}, {130, -70}, {200, -70}});
  EXPECT_THAT(Detect(trace), IsEmpty());
}

TEST(SpikeDetectorTest, NothingInATraceWithoutSamplesOrChange) {
  EXPECT_THAT(Detect({{0, 1}, {-70, -70}}), IsEmpty());
  EXPECT_THAT(Detect(WithSpikes({})), IsEmpty());
}

TEST(SpikeDetectorTest, SpikeCutOffByTheEndIsClipped) {
  Trace trace = WithSpikes({100, 200}, 100, 200.5);
  const std::vector<SpikePoints> spikes = Detect(trace);
  ASSERT_EQ(spikes.size(), 2u);
  EXPECT_TRUE(spikes[1].clipped);
  const RecordingFeatures features = ExtractRecordingFeatures(trace.view(), std::nullopt, {});
  EXPECT_FALSE(features.shapes[1].width);
  EXPECT_TRUE(features.shapes[0].width);
}

TEST(RecordingFeaturesTest, ShapesOfAKnownSpike) {
  const Trace trace = WithSpikes({100, 200});
  const RecordingFeatures features = ExtractRecordingFeatures(trace.view(), Window{50, 350}, {});
  EXPECT_EQ(Get(features, "spike_count"), 2);
  EXPECT_NEAR(Get(features, "latency"), 50, 0.1);
  EXPECT_NEAR(Get(features, "mean_isi"), 100, 0.1);
  EXPECT_NEAR(Get(features, "peak"), 30, 3);
  EXPECT_NEAR(Get(features, "fast_trough"), -80, 3);
  // Half of 30 and -80 is -25: 0.22 ms before the peak to 0.4 ms after it.
  EXPECT_NEAR(Get(features, "half_width"), 0.62, 0.02);
  EXPECT_NEAR(Get(features, "width"), 0.62, 0.11) << "between whole samples";
  EXPECT_NEAR(Get(features, "threshold"), -70, 3);
  EXPECT_NEAR(Get(features, "max_upstroke"), 250, 5);
  EXPECT_NEAR(Get(features, "max_downstroke"), -137.5, 3);
  EXPECT_NEAR(Get(features, "ahp_depth"), -10, 0.3);
  EXPECT_NEAR(Get(features, "rate"), 2 / 0.3, 1e-9);
  EXPECT_NEAR(Get(features, "baseline"), -70, 1e-9);
}

TEST(RecordingFeaturesTest, SpikesOutsideTheStepAreCountedApart) {
  const Trace trace = WithSpikes({20, 100, 200, 380});
  const RecordingFeatures features = ExtractRecordingFeatures(trace.view(), Window{50, 350}, {});
  EXPECT_EQ(Get(features, "spike_count"), 2);
  EXPECT_EQ(Get(features, "spikes_before"), 1);
  EXPECT_EQ(Get(features, "spikes_after"), 1);
  EXPECT_NEAR(features.before.at(0), 20, 0.1);
  EXPECT_NEAR(features.after.at(0), 380, 0.1);
}

TEST(RecordingFeaturesTest, ASpikeAcrossTheEndOfTheStepIsCountedOnce) {
  const Trace trace = WithSpikes({100, 199.9});  // The second has its peak at 200.3 ms.
  for (const SpikeMethod method : {SpikeMethod::kSlope, SpikeMethod::kCrossing}) {
    const RecordingFeatures features =
        ExtractRecordingFeatures(trace.view(), Window{50, 200.2}, {.method = method});
    EXPECT_EQ(Get(features, "spike_count"), 2);
    EXPECT_EQ(Get(features, "spikes_after"), 0);
  }
}

TEST(RecordingFeaturesTest, WhatIsNotDefinedIsMissing) {
  const auto missing = [](const RecordingFeatures& features) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < features.values.size(); ++i) {
      const int least = FeatureCatalogue()[i].least_spikes;
      if (static_cast<int>(features.spikes.size()) < least) {
        EXPECT_TRUE(std::isnan(features.values[i])) << FeatureCatalogue()[i].name;
      }
      count += std::isnan(features.values[i]) ? 1 : 0;
    }
    return count;
  };
  std::size_t before = FeatureCatalogue().size();
  for (const std::vector<double>& spikes :
       {std::vector<double>{}, {100}, {100, 200}, {100, 200, 320}}) {
    const Trace trace = WithSpikes(spikes);
    const std::size_t now = missing(ExtractRecordingFeatures(trace.view(), Window{50, 350}, {}));
    EXPECT_LT(now, before) << spikes.size();
    before = now;
  }
  const Trace trace = WithSpikes({100, 200, 320});
  const RecordingFeatures unknown = ExtractRecordingFeatures(trace.view(), std::nullopt, {});
  for (const char* name : {"latency", "baseline", "rate", "spikes_before", "mean_voltage"}) {
    EXPECT_TRUE(std::isnan(Get(unknown, name))) << name;
  }
  EXPECT_EQ(Get(unknown, "spike_count"), 3);
}

TEST(RecordingFeaturesTest, SagIsTheHyperpolarisedStepsOnly) {
  Trace trace = WithSpikes({});
  for (std::size_t k = 0; k < trace.v.size(); ++k) {
    const double t = trace.time[k] - 100;
    if (t >= 0 && t < 200) trace.v[k] -= t < 20 ? 18 : t < 50 ? 20 : 15;
  }
  const RecordingFeatures down = ExtractRecordingFeatures(trace.view(), Window{100, 300}, {});
  EXPECT_NEAR(Get(down, "sag"), 0.25, 0.04);  // The lowest is a mean over 5 ms.
  EXPECT_NEAR(Get(down, "sag_amplitude"), 5, 1e-6);
  EXPECT_NEAR(Get(down, "steady_voltage"), -85, 1e-6);
  for (double& v : trace.v) v = -140 - v;  // Mirrored at rest: depolarised.
  const RecordingFeatures up = ExtractRecordingFeatures(trace.view(), Window{100, 300}, {});
  EXPECT_TRUE(std::isnan(Get(up, "sag")));
  EXPECT_TRUE(std::isnan(Get(up, "sag_amplitude")));
}

TEST(RecordingFeaturesTest, BurstsAreRunsOfShortIntervals) {
  const Trace trace = WithSpikes({60, 68, 76, 120, 160, 200, 208, 216, 260, 300}, 100, 400);
  const RecordingFeatures features = ExtractRecordingFeatures(trace.view(), Window{50, 350}, {});
  ASSERT_EQ(features.spikes.size(), 10u);
  EXPECT_EQ(Get(features, "burst_count"), 2);
}

TEST(RecordingFeaturesTest, LogSlopeOfAPowerLawIsItsExponent) {
  EXPECT_NEAR(LogSlope(std::vector<double>{8, 16, 24, 32}), 1, 1e-12);
  EXPECT_TRUE(std::isnan(LogSlope(std::vector<double>{8})));
}

}  // namespace
}  // namespace inferon
