#include "tests/integration/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "tests/paths.h"

extern char** environ;

namespace inferon::testing {
namespace {

// Output goes through files: no pipe can fill up, and a daemon that keeps stdout open blocks
// nobody.
class Spawned {
 public:
  Spawned(std::vector<std::string> command, const std::filesystem::path& folder) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, (folder / "out").c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, (folder / "err").c_str(), flags, 0600);
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int error =
        posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + command.front());
  }

  pid_t pid() const { return pid_; }

  int Wait() const {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace

std::filesystem::path Program(const std::string& name) {
  return std::filesystem::path(INFERON_BINARY_DIR) / "bin" / name;
}

CommandResult Run(const std::vector<std::string>& command) {
  const TemporaryFolder folder;
  CommandResult result;
  result.exit_code = Spawned(command, folder.path()).Wait();
  result.output = ReadFile(folder.path() / "out").value();
  result.errors = ReadFile(folder.path() / "err").value();
  return result;
}

Daemon::Daemon(std::vector<std::string> command, std::filesystem::path folder)
    : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  pid_ = Spawned(std::move(command), folder_).pid();
}

Daemon::~Daemon() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  Wait();
}

int Daemon::Wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Daemon::Log() const { return ReadFile(folder_ / "err").value_or(""); }

std::string Await(const std::filesystem::path& file) {
  for (int i = 0; i < 3000; ++i) {
    if (const auto text = ReadFile(file)) return *text;
    SystemClock().SleepFor(std::chrono::milliseconds(10), {});
  }
  return "";
}

CommandResult Inferon(const std::filesystem::path& data, std::vector<std::string> arguments) {
  std::vector<std::string> command{Program("inferon").string(), "--data", data.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Run(command);
}

}  // namespace inferon::testing
