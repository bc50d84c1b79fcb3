// A real inferon-scheduler for tests.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "tests/paths.h"

extern char** environ;

namespace inferon::scheduler {

// A child process; killed at the end of its life. Its output goes to a file.
class SchedulerProcess {
 public:
  SchedulerProcess(std::vector<std::string> arguments, const std::filesystem::path& log,
                   const std::string& program = INFERON_BINARY_DIR "/bin/inferon-scheduler") {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    const int error = posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw std::system_error(error, std::generic_category(), argv[0]);
  }
  ~SchedulerProcess() {
    if (pid_ > 0) Kill();
  }
  SchedulerProcess(const SchedulerProcess&) = delete;
  SchedulerProcess& operator=(const SchedulerProcess&) = delete;

  void Kill() {
    kill(pid_, SIGKILL);
    Wait();
  }
  void Terminate() { kill(pid_, SIGTERM); }
  pid_t pid() const { return pid_; }
  // Exit code; 128 + signal where one ended it.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // The address it wrote once it was ready; empty when it ended before that, or after ten seconds.
  static std::string WaitForAddress(const std::filesystem::path& file) {
    for (int i = 0; i < 1000; ++i) {
      if (const Result<std::string> address = ReadFile(file); address) return *address;
      SystemClock().SleepFor(std::chrono::milliseconds(10), {});
    }
    return "";
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace inferon::scheduler
