// Real processes: up, work, crashes, down. Needs the built programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "tests/paths.h"

namespace inferon::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

struct Output {
  int exit_code = -1;
  std::string text;  // Both streams.
};

class ClusterTest : public ::testing::Test {
 protected:
  ~ClusterTest() override { Inferon("down"); }

  Output Inferon(const std::string& arguments) const {
    const std::string line = std::string(INFERON_BINARY_DIR) + "/bin/inferon --data " +
                             folder_.path().string() + " " + arguments + " 2>&1";
    Output output;
    FILE* pipe = popen(line.c_str(), "r");
    char buffer[4096];
    while (const std::size_t n = fread(buffer, 1, sizeof(buffer), pipe)) {
      output.text.append(buffer, n);
    }
    output.exit_code = WEXITSTATUS(pclose(pipe));
    return output;
  }

  nlohmann::json Json(const std::string& arguments) const {
    return nlohmann::json::parse(Inferon(arguments + " --json").text, nullptr, false);
  }

  pid_t Pid(const std::string& process) const {
    pid_t pid = 0;
    std::ifstream(folder_.path() / "run" / (process + ".pid")) >> pid;
    return pid;
  }

  static bool Alive(pid_t pid) {
    if (kill(pid, 0) != 0) return false;
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    const std::string text((std::istreambuf_iterator<char>(stat)), {});
    return text.find(") Z") == std::string::npos && !text.empty();
  }

  static bool WaitUntil(const std::function<bool()>& condition) {
    for (int i = 0; i < 300; ++i) {
      if (condition()) return true;
      SystemClock().SleepFor(milliseconds(50), {});
    }
    return false;
  }

  std::string Codes(int sets) const {
    std::string text = "g_l,v_t,delta_t,v_r,a,b,g_tau_w\n";
    for (int i = 0; i < sets; ++i) {
      text += std::to_string(i % 1023) + ",500,300," + std::to_string((i * 7) % 1023) +
              ",100,100,100\n";
    }
    WriteFileAtomically(folder_.path() / "codes.csv", text);
    return (folder_.path() / "codes.csv").string();
  }

  const TemporaryFolder folder_;
};

constexpr char kUp[] = "up --without-trainer --workers 2";

TEST_F(ClusterTest, StartsWorksAndStops) {
  const Output up = Inferon(kUp);
  ASSERT_EQ(up.exit_code, 0) << up.text;
  EXPECT_THAT(up.text, HasSubstr("worker-2"));
  EXPECT_EQ(Inferon("status").exit_code, 0);
  const Output again = Inferon(kUp);
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.text, HasSubstr("already up"));

  const Output job = Inferon("job submit " + Codes(300) + " --seed 3 --shard-size 64 --watch");
  EXPECT_EQ(job.exit_code, 0) << job.text;
  EXPECT_THAT(job.text, HasSubstr("succeeded"));
  const std::string out = (folder_.path() / "out").string();
  const Output fetched = Inferon("job fetch 1 --out " + out);
  EXPECT_EQ(fetched.exit_code, 0) << fetched.text;
  EXPECT_EQ(std::filesystem::file_size(out + "/traces.npy"), 256u + 300 * 1400 * 2);

  const pid_t scheduler = Pid("scheduler");
  const Output down = Inferon("down");
  EXPECT_EQ(down.exit_code, 0) << down.text;
  EXPECT_THAT(down.text, HasSubstr("Stopped scheduler"));
  EXPECT_FALSE(Alive(scheduler));
  EXPECT_EQ(Inferon("status").exit_code, 3);
  EXPECT_EQ(Inferon("job list").exit_code, 3);
}

TEST_F(ClusterTest, KilledProcessesComeBackWhereTheyWere) {
  ASSERT_EQ(Inferon(kUp).exit_code, 0);
  const std::string address = Json("status").at("processes")[0].at("address");
  for (const char* process : {"scheduler", "worker-1"}) {
    const pid_t before = Pid(process);
    ASSERT_GT(before, 0);
    kill(before, SIGKILL);
    EXPECT_TRUE(WaitUntil([&] { return Pid(process) > 0 && Pid(process) != before; })) << process;
  }
  EXPECT_TRUE(WaitUntil([&] { return Inferon("status").exit_code == 0; }));
  EXPECT_EQ(Json("status").at("processes")[0].at("address"), address);
  EXPECT_EQ(Inferon("job submit " + Codes(100) + " --watch").exit_code, 0);
}

TEST_F(ClusterTest, NoProcessOutlivesAKilledSupervisorAndPortsAreKept) {
  ASSERT_EQ(Inferon(kUp).exit_code, 0);
  const std::string address = Json("status").at("processes")[0].at("address");
  const pid_t children[] = {Pid("scheduler"), Pid("worker-1"), Pid("worker-2")};
  kill(Pid("supervisor"), SIGKILL);
  for (const pid_t child : children) EXPECT_TRUE(WaitUntil([&] { return !Alive(child); }));
  EXPECT_EQ(Inferon("status").exit_code, 3);
  ASSERT_EQ(Inferon(kUp).exit_code, 0);
  EXPECT_EQ(Json("status").at("processes")[0].at("address"), address);
}

TEST_F(ClusterTest, WatchGoesOnWhileTheSchedulerIsKilled) {
  ASSERT_EQ(Inferon(kUp).exit_code, 0);
  const std::string codes = Codes(40'000);
  Output watched;
  {
    std::jthread watcher(
        [&] { watched = Inferon("job submit " + codes + " --shard-size 64 --watch"); });
    ASSERT_TRUE(WaitUntil([&] {
      const nlohmann::json status = Json("status");
      return status.is_object() && status.contains("queue") && status["queue"].is_object() &&
             status["queue"].value("experiments_done", 0) > 0;
    }));
    kill(Pid("scheduler"), SIGKILL);
  }
  EXPECT_EQ(watched.exit_code, 0) << watched.text;
  const nlohmann::json job = Json("job show 1");
  EXPECT_EQ(job.at("experiments_done"), 40'000) << job;
}

TEST_F(ClusterTest, SecondWorkerOfOneNameTakesOverAndTheFirstSaysSo) {
  ASSERT_EQ(Inferon(kUp).exit_code, 0);
  const std::string address = Json("status").at("processes")[0].at("address");
  const std::string worker = std::string(INFERON_BINARY_DIR) + "/bin/inferon-worker --scheduler " +
                             address + " --name twice 2>&1";
  FILE* first = popen(worker.c_str(), "r");
  ASSERT_TRUE(WaitUntil(
      [&] { return Inferon("worker list").text.find("workers/twice") != std::string::npos; }));
  FILE* second = popen(("timeout 3 " + worker).c_str(), "r");
  std::string text;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof(buffer), first)) text.append(buffer, n);
  EXPECT_EQ(WEXITSTATUS(pclose(first)), 4);
  EXPECT_THAT(text, HasSubstr("another process works as 'twice'"));
  while (fread(buffer, 1, sizeof(buffer), second) > 0) {
  }
  pclose(second);
}

}  // namespace
}  // namespace inferon::cli
