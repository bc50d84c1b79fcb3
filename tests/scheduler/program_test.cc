// inferon-scheduler as a program: options, messages, exit codes.
#include <gmock/gmock.h>

#include "common/sqlite/sqlite.h"
#include "tests/scheduler/process.h"

namespace inferon::scheduler {
namespace {

using testing::HasSubstr;

class ProgramTest : public testing::Test {
 protected:
  // Runs the program to its end; what it said is in log().
  int Run(std::vector<std::string> arguments) {
    std::filesystem::remove(log_);
    return SchedulerProcess(std::move(arguments), log_).Wait();
  }
  std::string log() const { return ReadFile(log_).value_or(""); }
  std::string data() const { return (folder_.path() / "data").string(); }

  TemporaryFolder folder_;
  std::filesystem::path log_ = folder_.path() / "log";
  std::filesystem::path address_ = folder_.path() / "address";
};

TEST_F(ProgramTest, HelpAndVersionEndWell) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(log(), HasSubstr("--max-experiments-per-job"));
  EXPECT_EQ(Run({"--version"}), 0);
}

TEST_F(ProgramTest, WrongUsageIsExitCodeTwoAndNamesTheOption) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_EQ(Run({"--data", data()}), 2);
  EXPECT_THAT(log(), HasSubstr("--listen"));
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0", "--nonsense"}), 2);
  EXPECT_THAT(log(), HasSubstr("--nonsense"));
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0", "--max-attempts", "0"}), 2);
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0", "--log-level", "loud"}), 2);
  EXPECT_FALSE(std::filesystem::exists(data()));
}

TEST_F(ProgramTest, MalformedAddressIsExitCodeTwo) {
  EXPECT_EQ(Run({"--data", data(), "--listen", "nowhere"}), 2);
  EXPECT_THAT(log(), HasSubstr("'nowhere'"));
}

TEST_F(ProgramTest, NewerDataFolderIsRefusedWithAdvice) {
  std::filesystem::create_directories(data());
  sqlite::Database(std::filesystem::path(data()) / "scheduler.db", sqlite::Access::kWrite)
      .SetSchemaVersion(99);
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0"}), 4);
  EXPECT_THAT(log(), HasSubstr("schema version 99"));
  EXPECT_THAT(log(), HasSubstr("newer inferon-scheduler"));
}

TEST_F(ProgramTest, DamagedDatabaseIsRefusedWithAdvice) {
  std::filesystem::create_directories(data());
  WriteFileAtomically(std::filesystem::path(data()) / "scheduler.db", std::string(8192, 'x'));
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0"}), 4);
  EXPECT_THAT(log(), HasSubstr("is damaged"));
  EXPECT_THAT(log(), HasSubstr("Restore the data folder from a backup"));
}

TEST_F(ProgramTest, DataFolderThatCannotBeMadeIsRefusedWithAdvice) {
  WriteFileAtomically(data(), "a file");
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0"}), 4);
  EXPECT_THAT(log(), HasSubstr("cannot be written"));
  EXPECT_THAT(log(), HasSubstr("choose another folder"));
}

TEST_F(ProgramTest, ServesUntilSigtermAndRefusesASecondOne) {
  SchedulerProcess server(
      {"--data", data(), "--listen", "127.0.0.1:0", "--address-file", address_.string()}, log_);
  const std::string address = SchedulerProcess::WaitForAddress(address_);
  ASSERT_THAT(address, HasSubstr("127.0.0.1:"));
  EXPECT_EQ(Run({"--data", data(), "--listen", "127.0.0.1:0"}), 4);
  EXPECT_THAT(log(), HasSubstr("another scheduler uses the data folder"));
  EXPECT_EQ(Run({"--data", (folder_.path() / "other").string(), "--listen", address}), 4);
  EXPECT_THAT(log(), HasSubstr("port is in use"));
  server.Terminate();
  EXPECT_EQ(server.Wait(), 0);
}

TEST_F(ProgramTest, BackupRunsBesideTheServer) {
  SchedulerProcess server(
      {"--data", data(), "--listen", "127.0.0.1:0", "--address-file", address_.string()}, log_);
  ASSERT_THAT(SchedulerProcess::WaitForAddress(address_), HasSubstr("127.0.0.1:"));
  const std::string target = (folder_.path() / "copy").string();
  EXPECT_EQ(Run({"backup", "--data", data(), "--to", target}), 0) << log();
  EXPECT_EQ(Run({"backup", "--data", data(), "--to", target}), 4) << "it exists";
  EXPECT_EQ(Run({"backup", "--data", (folder_.path() / "none").string(), "--to", target}), 2);
  EXPECT_EQ(Run({"backup", "--data", data()}), 2);
  server.Terminate();
  EXPECT_EQ(server.Wait(), 0);
  const std::filesystem::path address = folder_.path() / "address of the copy";
  SchedulerProcess restored(
      {"--data", target, "--listen", "127.0.0.1:0", "--address-file", address.string()}, log_);
  ASSERT_THAT(SchedulerProcess::WaitForAddress(address), HasSubstr("127.0.0.1:"));
  restored.Terminate();
  EXPECT_EQ(restored.Wait(), 0);
}

}  // namespace
}  // namespace inferon::scheduler
