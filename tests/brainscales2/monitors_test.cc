#include "worker/brainscales2/monitors.h"

#include <gtest/gtest.h>

namespace inferon::worker {
namespace {

HealthReply Good() {
  return {.monitors = {.temperature_c = 40.0, .supply_v = MonitorLimits().supply_v},
          .sawtooth_samples = 6000};
}

TEST(MonitorsTest, NominalSuppliesAndAWholeSawtoothAreFine) {
  EXPECT_EQ(JudgeHealth(Good(), {}), "");
}

TEST(MonitorsTest, FivePercentOfASupplyAreTheLimit) {
  for (const double sign : {-1.0, 1.0}) {
    HealthReply health = Good();
    health.monitors.supply_v[3] = 2.5 * (1 + sign * 0.0499);
    EXPECT_EQ(JudgeHealth(health, {}), "");
    health.monitors.supply_v[3] = 2.5 * (1 + sign * 0.0501);
    EXPECT_NE(JudgeHealth(health, {}).find("supply 3"), std::string::npos);
    EXPECT_EQ(JudgeHealth(health, {.max_supply = 0.1}), "");
  }
}

TEST(MonitorsTest, ADeviceWithoutMonitorsHasNoSuppliesToJudge) {
  EXPECT_EQ(JudgeSupplies({}, {}), "");
  EXPECT_EQ(JudgeSupplies({.supply_v = {9.9}}, {.supply_v = {}}), "");
  EXPECT_NE(JudgeSupplies({.supply_v = {1.2}}, {}), "") << "another board than configured";
}

TEST(MonitorsTest, ABrokenOrShortSawtoothIsAFault) {
  HealthReply broken = Good();
  broken.sawtooth_breaks = 1;
  EXPECT_NE(JudgeHealth(broken, {}).find("1 breaks"), std::string::npos);
  HealthReply small = Good();
  small.sawtooth_samples = 4500;
  EXPECT_EQ(JudgeHealth(small, {}), "");
  small.sawtooth_samples = 4499;
  EXPECT_NE(JudgeHealth(small, {}).find("4499"), std::string::npos);
}

}  // namespace
}  // namespace inferon::worker
