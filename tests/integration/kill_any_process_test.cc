// The whole system as real processes: a small study is interrupted by SIGKILL of each process in
// turn, again and again, and must end with the data of an undisturbed one, byte for byte.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/hash.h"
#include "tests/integration/process.h"

namespace inferon::testing {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

const std::vector<std::string> kStudy{"study", "run", "s", "--scale", "small"};

std::vector<std::string> With(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// SHA-256 of every data set file of the study, by file name.
std::map<std::string, std::string> DataSets(const std::filesystem::path& data) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : std::filesystem::directory_iterator(data / "trainer/studies/s")) {
    if (entry.path().extension() != ".npy") continue;
    hashes[entry.path().filename().string()] = Sha256Hex(ReadFile(entry.path()).value());
  }
  return hashes;
}

// Process ids by name, the supervisor's included; empty while nothing answers.
std::map<std::string, pid_t> Processes(const std::filesystem::path& data) {
  std::map<std::string, pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator(data / "run")) {
    if (entry.path().extension() != ".pid") continue;
    const auto text = ReadFile(entry.path());
    if (text) pids[entry.path().stem().string()] = static_cast<pid_t>(std::atoi(text->c_str()));
  }
  return pids;
}

std::string StudyState(const std::filesystem::path& data) {
  const CommandResult shown = Inferon(data, {"study", "show", "s", "--json"});
  if (shown.exit_code != 0) return "";
  return Json::parse(shown.output).value("state", "");
}

void Wait(std::chrono::milliseconds time) { SystemClock().SleepFor(time, {}); }

TEST(KillAnyProcessTest, AStudyEndsWithTheSameDataByteForByte) {
  const TemporaryFolder folder;
  const auto calm = folder.path() / "calm";
  const auto stormy = folder.path() / "stormy";
  {
    const ClusterGuard guard(calm);
    ASSERT_EQ(Inferon(calm, {"up", "--workers", "2"}).exit_code, 0);
    const CommandResult run = Inferon(calm, kStudy);
    ASSERT_EQ(run.exit_code, 0) << run.output << run.errors;
  }
  const ClusterGuard guard(stormy);
  ASSERT_EQ(Inferon(stormy, {"up", "--workers", "2"}).exit_code, 0);
  const CommandResult detached = Inferon(stormy, With(kStudy, {"--detach"}));
  ASSERT_EQ(detached.exit_code, 0) << detached.errors;

  const std::vector<std::string> victims{"scheduler", "trainer", "worker-1", "supervisor",
                                         "worker-2",  "trainer", "scheduler"};
  int killed = 0;
  for (const std::string& victim : victims) {
    Wait(900ms);
    if (StudyState(stormy) == "succeeded") break;
    const auto pids = Processes(stormy);
    ASSERT_TRUE(pids.contains(victim)) << victim;
    ASSERT_EQ(kill(pids.at(victim), SIGKILL), 0) << victim;
    ++killed;
    if (victim == "supervisor") {
      Wait(500ms);
      const CommandResult up = Inferon(stormy, {"up", "--workers", "2"});
      ASSERT_EQ(up.exit_code, 0) << up.output << up.errors;
    }
  }
  EXPECT_GE(killed, 5) << "the study was over too early to be disturbed";
  // The same command again goes on with the study and waits for its end.
  const CommandResult resumed = Inferon(stormy, kStudy);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.output << resumed.errors;

  const auto expected = DataSets(calm);
  const auto found = DataSets(stormy);
  EXPECT_TRUE(expected.contains("uniform.trace.npy"));
  EXPECT_TRUE(expected.contains("constrained.trace.npy"));
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace inferon::testing
