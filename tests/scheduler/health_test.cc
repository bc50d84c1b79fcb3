// Control charts and what follows from them: tables.
#include "server/scheduler/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/features/features.h"

namespace inferon::scheduler {
namespace {

using std::chrono::duration;
using testing::HasSubstr;

std::vector<double> FeaturesAt(double latency_us, double peak) {
  std::vector<double> features(kFeatureCount, 0.0);
  features[static_cast<std::size_t>(Feature::kLatency)] = latency_us;
  features[static_cast<std::size_t>(Feature::kPeak)] = peak;
  return features;
}

Canary MakeCanary() {
  Canary canary;
  canary.baseline_checks = 3;
  canary.limit_sigmas = 4;
  return canary;
}

const std::vector<std::vector<double>> kStored{FeaturesAt(100, 500), FeaturesAt(104, 500),
                                               FeaturesAt(96, 500)};

TEST(JudgeTest, FirstChecksBecomeTheStoredValues) {
  EXPECT_EQ(Judge(std::span(kStored).first(2), FeaturesAt(999, 0), MakeCanary()).verdict,
            Verdict::kBaseline);
  EXPECT_EQ(Judge(kStored, FeaturesAt(100, 500), MakeCanary()).verdict, Verdict::kGood);
}

TEST(JudgeTest, LimitsAreSigmasOfTheStoredValues) {
  // Standard deviation 4 us: inside up to 16 us.
  EXPECT_EQ(Judge(kStored, FeaturesAt(115.9, 500), MakeCanary()).verdict, Verdict::kGood);
  const Judgement outside = Judge(kStored, FeaturesAt(116.1, 500), MakeCanary());
  EXPECT_EQ(outside.verdict, Verdict::kOutlier);
  EXPECT_THAT(outside.message, HasSubstr("latency_us of set 0 is 116.1"));
}

TEST(JudgeTest, ValuesThatNeverVaryAreJudgedByTheirResolution) {
  // 1 % of 500 counts, four times.
  EXPECT_EQ(Judge(kStored, FeaturesAt(100, 519.9), MakeCanary()).verdict, Verdict::kGood);
  EXPECT_EQ(Judge(kStored, FeaturesAt(100, 520.1), MakeCanary()).verdict, Verdict::kOutlier);
}

TEST(JudgeTest, FeatureThatComesOrGoesIsAnOutlier) {
  EXPECT_THAT(Judge(kStored, FeaturesAt(std::nan(""), 500), MakeCanary()).message,
              HasSubstr("missing now"));
  const std::vector<std::vector<double>> without(3, FeaturesAt(std::nan(""), 500));
  EXPECT_EQ(Judge(without, FeaturesAt(std::nan(""), 500), MakeCanary()).verdict, Verdict::kGood);
  EXPECT_THAT(Judge(without, FeaturesAt(100, 500), MakeCanary()).message, HasSubstr("there now"));
}

TEST(HealthTest, OneOutlierIsSuspectTwoAreBadTwoGoodOnesAreGoodAgain) {
  HealthStep step;
  step = AfterCheck(step, Verdict::kBaseline);
  EXPECT_EQ(step.health, WorkerHealth::kGood);
  step = AfterCheck(step, Verdict::kOutlier);
  EXPECT_EQ(step.health, WorkerHealth::kSuspect);
  EXPECT_EQ(AfterCheck(step, Verdict::kGood).health, WorkerHealth::kGood);
  step = AfterCheck(step, Verdict::kOutlier);
  EXPECT_EQ(step.health, WorkerHealth::kBad);
  step = AfterCheck(step, Verdict::kGood);
  EXPECT_EQ(step.health, WorkerHealth::kBad);
  EXPECT_EQ(AfterCheck(step, Verdict::kOutlier).health, WorkerHealth::kBad);
  EXPECT_EQ(AfterCheck(AfterCheck(step, Verdict::kOutlier), Verdict::kGood).health,
            WorkerHealth::kBad)
      << "in a row";
  EXPECT_EQ(AfterCheck(step, Verdict::kGood).health, WorkerHealth::kGood);
}

TEST(HealthTest, CheckThatDoesNotRunIsBadAtOnce) {
  EXPECT_EQ(AfterCheck({WorkerHealth::kGood, 9}, Verdict::kFailed).health, WorkerHealth::kBad);
}

TEST(HealthTest, ChecksAreDueWhenDoubtfulOrOld) {
  const Canary canary;  // Every 3600 s.
  const auto due = [&](WorkerHealth health, std::uint64_t good, double seconds) {
    return CheckIsDue({health, good}, duration<double>(seconds), canary);
  };
  EXPECT_TRUE(CheckIsDue({WorkerHealth::kGood, 1}, std::nullopt, canary)) << "it has just come";
  EXPECT_FALSE(due(WorkerHealth::kGood, 1, 3599));
  EXPECT_TRUE(due(WorkerHealth::kGood, 1, 3600));
  EXPECT_TRUE(due(WorkerHealth::kSuspect, 0, 0));
  EXPECT_TRUE(due(WorkerHealth::kUnknown, 0, 0));
  EXPECT_FALSE(due(WorkerHealth::kBad, 0, 0));
  EXPECT_TRUE(due(WorkerHealth::kBad, 1, 0));
  EXPECT_TRUE(due(WorkerHealth::kBad, 0, 3600));
}

TEST(ChartTest, CanaryNeuronAndCalibrationMakeAChart) {
  Canary canary = MakeCanary();
  canary.substrate = "emulator";
  const Capabilities unbound{"emulator", "emulator", "", "", "1"};
  Capabilities other = unbound;
  other.version = "2";
  EXPECT_EQ(ChartName(canary, unbound), ChartName(canary, other));
  other.calibration_id = "cal";
  EXPECT_NE(ChartName(canary, unbound), ChartName(canary, other));
  other = unbound;
  other.chip = "chip-b";
  EXPECT_NE(ChartName(canary, unbound), ChartName(canary, other));
  const std::string before = ChartName(canary, unbound);
  canary.revision = 2;
  EXPECT_NE(ChartName(canary, unbound), before);
}

}  // namespace
}  // namespace inferon::scheduler
