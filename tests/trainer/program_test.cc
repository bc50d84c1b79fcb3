// The program inferon-trainer: its flags, exit codes and signals.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "tests/paths.h"

namespace inferon::trainer {
namespace {

// A running trainer with its errors in a file.
class Program {
 public:
  Program(std::vector<std::string> arguments, const std::filesystem::path& log) {
    const std::string path = std::string(INFERON_BINARY_DIR) + "/bin/inferon-trainer";
    arguments.insert(arguments.begin(), path);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    child_ = fork();
    if (child_ == 0) {
      if (freopen(log.c_str(), "w", stderr) == nullptr) _exit(99);
      if (freopen("/dev/null", "w", stdout) == nullptr) _exit(99);
      execv(path.c_str(), pointers.data());
      _exit(98);
    }
  }
  ~Program() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      Wait();
    }
  }
  void Signal(int number) { kill(child_, number); }
  int Wait() {
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t child_ = -1;
};

class ProgramTest : public ::testing::Test {
 protected:
  std::vector<std::string> Arguments(const std::string& data = "data") {
    return {"--data",         (folder_.path() / data).string(),
            "--listen",       "127.0.0.1:0",
            "--scheduler",    "127.0.0.1:1",
            "--address-file", AddressFile(),
            "--log-level",    "info"};
  }
  std::string AddressFile() { return (folder_.path() / "address").string(); }
  int ExitCode(const std::vector<std::string>& arguments) {
    return Program(arguments, folder_.path() / "other.log").Wait();
  }
  std::string Messages() { return *ReadFile(folder_.path() / "other.log"); }
  // Address of a trainer that has just been started.
  std::string AwaitAddress() {
    for (int i = 0; i < 600 && !std::filesystem::exists(AddressFile()); ++i) {
      SystemClock().SleepFor(std::chrono::milliseconds(50), {});
    }
    const auto address = ReadFile(AddressFile());
    return address ? *address : "";
  }

  const TemporaryFolder folder_;
};

TEST_F(ProgramTest, WrongUseEndsWithTwo) {
  EXPECT_EQ(ExitCode({}), 2);
  EXPECT_EQ(ExitCode({"--unknown"}), 2);
  std::vector<std::string> arguments = Arguments();
  arguments[1 + 8] = "loud";
  EXPECT_EQ(ExitCode(arguments), 2);
  arguments = Arguments();
  arguments[3] = "8.8.8.8:80";
  EXPECT_EQ(ExitCode(arguments), 2);
  EXPECT_NE(Messages().find("8.8.8.8"), std::string::npos) << Messages();
  EXPECT_EQ(ExitCode({"--help"}), 0);
}

TEST_F(ProgramTest, ServesUntilItIsToldToStop) {
  Program trainer(Arguments(), folder_.path() / "trainer.log");
  const std::string address = AwaitAddress();
  ASSERT_NE(address.find("127.0.0.1:"), std::string::npos);

  EXPECT_EQ(ExitCode(Arguments()), 4) << "the folder is locked";
  EXPECT_NE(Messages().find("locked by another process"), std::string::npos) << Messages();
  std::vector<std::string> same_port = Arguments("elsewhere");
  same_port[3] = address;
  EXPECT_EQ(ExitCode(same_port), 4) << "the port is in use";

  const SteadyTime before = SystemClock().Now();
  trainer.Signal(SIGTERM);
  EXPECT_EQ(trainer.Wait(), 0);
  EXPECT_LT(SystemClock().Now() - before, std::chrono::seconds(5));
}

}  // namespace
}  // namespace inferon::trainer
