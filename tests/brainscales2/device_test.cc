// The supervised child: every way in which it may fail.
#include "worker/brainscales2/device.h"

#include "tests/brainscales2/device_fixture.h"
#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/monitors.h"

namespace inferon::worker {
namespace {

using namespace std::chrono_literals;

constexpr RestartLimits kHasty{.first_delay = 1ms, .max_delay = 2ms};

class SupervisionTest : public DeviceTest {
 protected:
  BatchPlan Plan(std::uint32_t count) const {
    return PlanBatches(Config(), BuiltInChipMapping("adex-paper").value(), "", Request(count))
        .value();
  }
  Result<BatchReply> RunOn(Device& device, std::chrono::nanoseconds time = 30s) const {
    const BatchPlan plan = Plan(2);
    return device.Await(plan.open, plan.batches.at(0), time, {});
  }
};

TEST_F(SupervisionTest, AHealthyChildAnswers) {
  Device device(Options(), kHasty, SystemClock());
  const auto reply = RunOn(device);
  ASSERT_TRUE(reply) << reply.error().Text();
  EXPECT_EQ(reply->experiments, 2u);
  EXPECT_NEAR(reply->sample_count[0], 1407 * 1000.0 / 34, 2);
  EXPECT_EQ(device.hello().chip, "fake-0");
  EXPECT_EQ(device.starts(), 1);
}

TEST_F(SupervisionTest, ChildrenThatAreNotWhatWasConfiguredNeverWork) {
  const std::vector<std::vector<std::string>> liars{
      {"--protocol", "2"}, {"--mode", "hardware"}, {"--chip", ""}, {"--fault", "calibration"}};
  for (const auto& arguments : liars) {
    Device device(Options(arguments), kHasty, SystemClock());
    const auto reply = RunOn(device);
    ASSERT_FALSE(reply) << arguments[1];
    EXPECT_TRUE(device.bad() || reply.error().code == ErrorCode::kFailedPrecondition)
        << reply.error().Text();
  }
  SessionOptions options = Options();
  options.chip = "another-chip";
  Device device(options, kHasty, SystemClock());
  const Status connected = device.Connect({});
  ASSERT_FALSE(connected);
  EXPECT_NE(connected.error().message.find("another-chip"), std::string::npos);
}

TEST_F(SupervisionTest, AFakeIsNeverTakenForHardware) {
  SessionOptions options = Options();
  options.mode = "hardware";
  const auto session = Session::Start(options, SystemClock());
  ASSERT_FALSE(session);
  EXPECT_NE(session.error().message.find("mode 'fake'"), std::string::npos);
}

// Faults that cost the child; the batch then runs on the next one.
class TransientFaultTest : public SupervisionTest,
                           public ::testing::WithParamInterface<const char*> {};

TEST_P(TransientFaultTest, TheBatchRunsOnANewChild) {
  Device device(Options({"--fault", GetParam(), "--once", Path("happened")}), kHasty,
                SystemClock());
  const auto reply = RunOn(device, 2s);
  ASSERT_TRUE(reply) << reply.error().Text();
  EXPECT_EQ(device.starts(), 2);
  EXPECT_FALSE(device.bad());
}

TEST_P(TransientFaultTest, ThreeInARowAreBad) {
  Device device(Options({"--fault", GetParam()}), kHasty, SystemClock());
  const auto reply = RunOn(device, 1s);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(device.bad());
  EXPECT_EQ(device.starts(), 3);
  EXPECT_EQ(RunOn(device).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(device.starts(), 3) << "a bad device is not started again";
}

INSTANTIATE_TEST_SUITE_P(Each, TransientFaultTest,
                         ::testing::Values("crash", "exit", "hang", "oversize", "malformed", "cut",
                                           "short", "jump", "dead", "fewer", "unavailable"));

TEST_F(SupervisionTest, PartialReadsAndSlowAnswersAreFine) {
  for (const char* fault : {"partial", "slow", "saturate"}) {
    Device device(Options({"--fault", fault}), kHasty, SystemClock());
    const auto reply = RunOn(device);
    ASSERT_TRUE(reply) << fault << ": " << reply.error().Text();
    EXPECT_EQ(device.starts(), 1);
    EXPECT_EQ(reply->saturated, std::string(fault) == "saturate" ? 2u : 0u);
  }
}

TEST_F(SupervisionTest, ANewChildOnAnotherChipNeverWorks) {
  Device device(Options({"--fault", "identity", "--at", "-1", "--once", Path("happened")}), kHasty,
                SystemClock());
  ASSERT_TRUE(device.Connect({}));
  EXPECT_EQ(device.hello().chip, "fake-0-other");
  device.Disconnect();
  EXPECT_FALSE(device.child());
  const auto reply = RunOn(device);
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("'fake-0'"), std::string::npos) << reply.error().Text();
  EXPECT_TRUE(device.bad());
}

TEST_F(SupervisionTest, ExaminingIsInsistedOnLikeABatch) {
  Device device(Options(), kHasty, SystemClock());
  const auto health = device.Examine(Plan(1).open, 30s, {});
  ASSERT_TRUE(health) << health.error().Text();
  EXPECT_EQ(health->sawtooth_breaks, 0u);
  EXPECT_EQ(health->monitors.supply_v, MonitorLimits().supply_v);
  SessionOptions options = Options({"--fault", "calibration"});
  Device liar(options, kHasty, SystemClock());
  EXPECT_FALSE(liar.Examine(Plan(1).open, 30s, {}));
}

TEST_F(SupervisionTest, ARefusalCostsNothing) {
  Device device(Options({"--fault", "refuse", "--once", Path("happened")}), kHasty, SystemClock());
  EXPECT_EQ(RunOn(device).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(RunOn(device));
  EXPECT_EQ(device.starts(), 1);
}

TEST_F(SupervisionTest, AHangAtHelloMeetsTheStartDeadline) {
  SessionOptions options = Options({"--fault", "hang", "--at", "-1"});
  options.start_time = 200ms;
  Device device(options, kHasty, SystemClock());
  EXPECT_FALSE(device.Connect({}));
  EXPECT_TRUE(device.bad());
}

TEST_F(SupervisionTest, AStopEndsTheWaitForAHangingChild) {
  Device device(Options({"--fault", "hang"}), kHasty, SystemClock());
  std::stop_source stop;
  stop.request_stop();
  const BatchPlan plan = Plan(1);
  const auto reply = device.Await(plan.open, plan.batches[0], 1h, stop.get_token());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
}

TEST_F(SupervisionTest, APrefetchedBatchThatNobodyAwaitsIsThrownAway) {
  Device device(Options(), kHasty, SystemClock());
  BatchPlan plan = Plan(2);
  ASSERT_TRUE(device.Await(plan.open, plan.batches[0], 30s, {}));
  BatchRequest other = plan.batches[0];  // As many experiments, other codes.
  for (std::uint16_t& code : other.codes) code = static_cast<std::uint16_t>(code / 2);
  device.Prefetch(plan.open, other);
  const auto wanted = device.Await(plan.open, plan.batches[0], 30s, {});
  ASSERT_TRUE(wanted) << wanted.error().Text();
  Device fresh(Options(), kHasty, SystemClock());
  EXPECT_EQ(wanted->sample_value, fresh.Await(plan.open, plan.batches[0], 30s, {})->sample_value);
  device.Prefetch(plan.open, other);
  const auto health = device.Ask(plan.open, EncodeHealth(), 30s, {});
  ASSERT_TRUE(health);
  EXPECT_TRUE(DecodeHealth(*health));
  EXPECT_EQ(device.starts(), 1);
}

TEST_F(SupervisionTest, APrefetchedBatchIsTheNextAnswer) {
  Device device(Options(), kHasty, SystemClock());
  const BatchPlan plan = Plan(60);
  ASSERT_EQ(plan.batches.size(), 2u);
  ASSERT_TRUE(device.Await(plan.open, plan.batches[0], 30s, {}));
  device.Prefetch(plan.open, plan.batches[1]);
  const auto ahead = device.Await(plan.open, plan.batches[1], 30s, {});
  ASSERT_TRUE(ahead) << ahead.error().Text();
  Device other(Options(), kHasty, SystemClock());
  const auto alone = other.Await(plan.open, plan.batches[1], 30s, {});
  ASSERT_TRUE(alone);
  EXPECT_EQ(ahead->sample_value, alone->sample_value);
}

}  // namespace
}  // namespace inferon::worker
