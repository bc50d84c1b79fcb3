#include "worker/brainscales2/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/base/files.h"

namespace inferon::worker {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> Shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

TEST(ChildEnvironmentTest, OnlyTheAllowListPasses) {
  const std::vector<std::string> allowed{"SLURM_*", "PATH"};
  const std::vector<std::string> current{"PATH=/bin", "SLURM_FPGA_IPS=1.2.3.4", "SECRET=x",
                                         "SLURM=no", "PATHS=no"};
  EXPECT_EQ(ChildEnvironment(allowed, current, "hardware"),
            (std::vector<std::string>{"PATH=/bin", "SLURM_FPGA_IPS=1.2.3.4", "INFERON_BSS2_FD=3"}));
}

TEST(ChildEnvironmentTest, TheZeroMocksSwitchNeverReachesARealDevice) {
  const std::vector<std::string> allowed{"*"};
  const std::vector<std::string> current{"HXCOMM_ENABLE_ZERO_MOCK=1"};
  for (const char* mode : {"hardware", "simulation", "fake"}) {
    const auto environment = ChildEnvironment(allowed, current, mode);
    EXPECT_EQ(std::count(environment.begin(), environment.end(), "HXCOMM_ENABLE_ZERO_MOCK=1"), 0)
        << mode;
  }
  const auto mock = ChildEnvironment(allowed, {}, "zeromock");
  EXPECT_EQ(std::count(mock.begin(), mock.end(), "HXCOMM_ENABLE_ZERO_MOCK=1"), 1);
}

TEST(ChildEnvironmentTest, ASimulationGetsItsPortAndNoOtherModeDoes) {
  const std::vector<std::string> current{"FLANGE_SIMULATION_RCF_PORT=50000"};
  EXPECT_EQ(ChildEnvironment({}, current, "simulation").front(), current.front());
  EXPECT_EQ(ChildEnvironment({}, current, "hardware").size(), 1u);
}

TEST(ChildProcessTest, TheChildHasItsSocketAndNothingElseOpen) {
  const TemporaryFolder folder;
  const auto list = (folder.path() / "fds").string();
  const auto child =
      ChildProcess::Start({Shell("exec ls /proc/self/fd > " + list), {"PATH=/bin"}}, SystemClock());
  ASSERT_TRUE(child);
  while ((*child)->Running()) SystemClock().SleepFor(1ms, {});
  EXPECT_EQ((*child)->Stop(0s), "exit code 0");
  std::ifstream file(list);
  std::vector<std::string> open;
  for (std::string line; std::getline(file, line);) open.push_back(line);
  // The last is the folder that ls reads.
  EXPECT_EQ(open, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST(ChildProcessTest, AProgramThatIsNotThereIsAnErrorWithAdvice) {
  for (const char* program : {"/no/such/program", "no-such-program-anywhere"}) {
    const auto child = ChildProcess::Start({{program}, {}}, SystemClock());
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_NE(child.error().advice.find("launcher"), std::string::npos);
  }
  EXPECT_FALSE(ChildProcess::Start({{}, {}}, SystemClock()));
}

TEST(ChildProcessTest, SigtermComesFirst) {
  const TemporaryFolder folder;
  const auto mark = (folder.path() / "ready").string();
  const auto child = ChildProcess::Start(
      {Shell("trap 'exit 9' TERM; touch " + mark + "; while :; do sleep 0.01; done"),
       {"PATH=/bin:/usr/bin"}},
      SystemClock());
  ASSERT_TRUE(child);
  while (!std::filesystem::exists(mark)) SystemClock().SleepFor(1ms, {});
  EXPECT_TRUE((*child)->Running());
  EXPECT_EQ((*child)->Stop(10s), "exit code 9");
}

TEST(ChildProcessTest, AfterTheGraceTheWholeGroupIsKilled) {
  const TemporaryFolder folder;
  const auto mark = folder.path() / "grandchild";
  // A launcher that ignores SIGTERM, as does what it started. The fake clock spends the grace at
  // once.
  FakeClock clock;
  const SteadyTime start = clock.Now();
  const auto child = ChildProcess::Start(
      {Shell("trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! > " +
             mark.string() + "; wait"),
       {"PATH=/bin:/usr/bin"}},
      clock);
  ASSERT_TRUE(child);
  pid_t grandchild = 0;
  while (grandchild == 0) {
    std::ifstream(mark) >> grandchild;
    SystemClock().SleepFor(1ms, {});
  }
  EXPECT_EQ(kill(grandchild, 0), 0);
  EXPECT_EQ((*child)->Stop(5s), "signal 9 (Killed)");
  EXPECT_EQ(clock.Now() - start, 5s);
  // It is init's to reap now; until then it is a zombie, which takes no signal's effect.
  for (int i = 0; i < 5000 && kill(grandchild, 0) == 0; ++i) {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string number, name, state;
    stat >> number >> name >> state;
    if (state == "Z" || state.empty()) break;
    SystemClock().SleepFor(1ms, {});
    ASSERT_LT(i, 4999) << "the grandchild lives on in state " << state;
  }
}

TEST(ChannelTest, AHangingChildMeetsTheDeadlineOfTheInjectedClock) {
  class HastyClock : public FakeClock {
   public:
    SteadyTime Now() const override {
      ++asked_;
      return FakeClock::Now() + asked_ * 1s;
    }
    mutable int asked_ = 0;
  };
  HastyClock clock;
  const auto child = ChildProcess::Start({Shell("sleep 1000"), {"PATH=/bin"}}, clock);
  ASSERT_TRUE(child);
  const auto frame = (*child)->channel().Receive(clock.Now() + 3s);
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace inferon::worker
