#include "client/cli/cluster/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "client/cli/cluster/supervisor.h"
#include "common/base/clock.h"
#include "common/base/files.h"

namespace inferon::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

Ending WaitForEnd(pid_t pid) {
  for (int i = 0; i < 1'000; ++i) {
    if (const auto ending = Reap(pid)) return *ending;
    SystemClock().SleepFor(milliseconds(5), {});
  }
  ADD_FAILURE() << "process " << pid << " does not end";
  return {};
}

Command Shell(const TemporaryFolder& folder, const std::string& script) {
  return {.program = "/bin/sh", .arguments = {"-c", script}, .log = folder.path() / "log"};
}

TEST(ChildProcessTest, OutputGoesToTheLogAndTheExitCodeIsKnown) {
  const TemporaryFolder folder;
  const auto pid = Spawn(Shell(folder, "echo out; echo err >&2; read line || exit 7"));
  ASSERT_TRUE(pid);
  EXPECT_EQ(WaitForEnd(*pid).exit_code, 7);  // Standard input is empty.
  EXPECT_EQ(*ReadFile(folder.path() / "log"), "out\nerr\n");
}

TEST(ChildProcessTest, SignalsAreUnblockedInTheChild) {
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  const TemporaryFolder folder;
  const auto pid =
      Spawn({.program = "/bin/sleep", .arguments = {"60"}, .log = folder.path() / "log"});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(pid);
  kill(*pid, SIGTERM);
  const Ending ending = WaitForEnd(*pid);
  EXPECT_EQ(ending.exit_code, 128 + SIGTERM);
  EXPECT_THAT(ending.text, HasSubstr("signal 15"));
}

TEST(ChildProcessTest, ProgramThatCannotBeStartedIsAnError) {
  const TemporaryFolder folder;
  const auto pid = Spawn({.program = "/nonexistent/program", .log = folder.path() / "log"});
  ASSERT_FALSE(pid);
  EXPECT_THAT(pid.error().message, HasSubstr("/nonexistent/program: No such file"));
}

TEST(ChildProcessTest, ProgramIsFoundBesideThisOneThenOnThePath) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/bin/true", folder.path() / "inferon-worker");
  EXPECT_EQ(*FindProgram(folder.path(), "inferon-worker"), folder.path() / "inferon-worker");
  EXPECT_TRUE(FindProgram(folder.path(), "sh"));
  EXPECT_THAT(FindProgram(folder.path(), "inferon-nothing").error().message,
              HasSubstr("there is no program inferon-nothing"));
}

TEST(ChildProcessTest, WorkersShareTheProcessors) {
  EXPECT_GE(ThreadsPerWorker(1), 1);
  EXPECT_EQ(ThreadsPerWorker(100'000), 1);
  EXPECT_LE(ThreadsPerWorker(2), ThreadsPerWorker(1));
}

}  // namespace
}  // namespace inferon::cli
