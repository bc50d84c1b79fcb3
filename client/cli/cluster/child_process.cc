#include "client/cli/cluster/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace inferon::cli {
namespace {

constexpr int kSignalBase = 128;

[[noreturn]] void GiveUp(int report) {
  const int error = errno;
  [[maybe_unused]] const auto n = write(report, &error, sizeof(error));
  _exit(127);
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void BecomeProgram(const Command& command, char* const* argv, pid_t parent,
                                int report) {
  if (command.dies_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // It has ended already.
  }
  if (command.own_session) setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const int input = open("/dev/null", O_RDONLY);
  const int log = open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (input < 0 || log < 0) GiveUp(report);
  dup2(input, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  // Everything else of the parent's stays the parent's, but for the report (close-on-exec).
  for (int fd = STDERR_FILENO + 1; fd < 1024; ++fd) {
    if (fd != report) close(fd);
  }
  execv(argv[0], argv);
  GiveUp(report);
}

}  // namespace

Result<pid_t> Spawn(const Command& command) {
  std::vector<std::string> words{command.program.string()};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeProgram(command, argv.data(), parent, report[1]);
  close(report[1]);
  int error = pid < 0 ? errno : 0;
  ssize_t n = 0;
  do {
    n = pid < 0 ? 0 : read(report[0], &error, sizeof(error));  // Ends at the exec.
  } while (n < 0 && errno == EINTR);
  close(report[0]);
  if (error == 0) return pid;
  if (pid > 0) waitpid(pid, nullptr, 0);
  return Fail(ErrorCode::kInternal,
              fmt::format("cannot start {}: {}", command.program.string(), std::strerror(error)),
              "Check that the program is installed and the data folder is writable");
}

std::optional<Ending> Reap(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return Ending{kSignalBase + number, fmt::format("signal {} ({})", number, strsignal(number))};
  }
  return Ending{WEXITSTATUS(status), fmt::format("exit code {}", WEXITSTATUS(status))};
}

}  // namespace inferon::cli
