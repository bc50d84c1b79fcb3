#include "worker/brainscales2/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <system_error>

extern char** environ;  // NOLINT: POSIX

namespace inferon::worker {
namespace {

constexpr int kChildDescriptor = 3;
constexpr int kMaxDescriptor = 4096;
constexpr int kSocketBuffer = 8 << 20;
constexpr std::chrono::milliseconds kReapPoll{10};

bool Matches(std::string_view pattern, std::string_view name) {
  if (!pattern.empty() && pattern.back() == '*') {
    pattern.remove_suffix(1);
    return name.substr(0, pattern.size()) == pattern;
  }
  return pattern == name;
}

// Room for much of a batch: with the system's default the two processes take turns for every 200
// KB. Above the system's limit where this process may.
void EnlargeBuffer(int socket) {
  const int bytes = kSocketBuffer;
  if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == 0) return;
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void BecomeChild(const char* program, char* const* argv, char* const* environment,
                              int socket, int report) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  // Out of the way of the number that the child knows.
  const int safe_report = fcntl(report, F_DUPFD_CLOEXEC, kChildDescriptor + 1);
  const int safe_socket = fcntl(socket, F_DUPFD_CLOEXEC, kChildDescriptor + 1);
  const int input = open("/dev/null", O_RDONLY);
  dup2(input, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  dup2(safe_socket, kChildDescriptor);
  for (int fd = kChildDescriptor + 1; fd < kMaxDescriptor; ++fd) {
    if (fd != safe_report) close(fd);
  }
  execve(program, argv, environment);
  const int error = errno;
  [[maybe_unused]] const auto n = write(safe_report, &error, sizeof error);
  _exit(127);
}

// 0 where the exec succeeded, else its errno.
int ReadReport(int fd) {
  int error = 0;
  ssize_t n = 0;
  do {
    n = read(fd, &error, sizeof error);  // Ends at the exec.
  } while (n < 0 && errno == EINTR);
  return n == sizeof error ? error : 0;
}

std::string Describe(int status) {
  if (!WIFSIGNALED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

}  // namespace

std::vector<std::string> ChildEnvironment(std::span<const std::string> allowed,
                                          std::span<const std::string> current,
                                          std::string_view mode) {
  std::vector<std::string> environment;
  for (const std::string& entry : current) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    if (name == kZeroMockVariable || name == kDescriptorVariable) continue;
    const auto lets_through = [&](const std::string& pattern) { return Matches(pattern, name); };
    if (mode == "simulation" && name == kSimulationVariable) {
      environment.push_back(entry);
      continue;
    }
    if (std::any_of(allowed.begin(), allowed.end(), lets_through)) environment.push_back(entry);
  }
  if (mode == "zeromock") environment.push_back(std::string(kZeroMockVariable) + "=1");
  environment.push_back(fmt::format("{}={}", kDescriptorVariable, kChildDescriptor));
  return environment;
}

std::vector<std::string> CurrentEnvironment() {
  std::vector<std::string> current;
  for (char** entry = environ; *entry != nullptr; ++entry) current.emplace_back(*entry);
  return current;
}

Result<std::string> FindExecutable(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    if (access(program.c_str(), X_OK) == 0) return program;
  } else {
    const char* path = std::getenv("PATH");
    std::istringstream places(path == nullptr ? "/usr/bin:/bin" : path);
    for (std::string place; std::getline(places, place, ':');) {
      const std::string candidate = place + "/" + program;
      if (!place.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
    }
  }
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("the launcher '{}' is not an executable program here", program),
              "Install it or correct 'launcher' in the device configuration");
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Launch& launch, Clock& clock) {
  if (launch.argv.empty()) {
    return InvalidArgument("the launcher is empty", "Give the child's command line");
  }
  Result<std::string> program = FindExecutable(launch.argv[0]);
  if (!program) return tl::unexpected(program.error());
  std::vector<std::string> words = launch.argv, settings = launch.environment;
  const std::vector<char*> argv = Pointers(words), environment = Pointers(settings);
  int sockets[2], report[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  for (const int socket : sockets) EnlargeBuffer(socket);
  if (pipe2(report, O_CLOEXEC) != 0) {
    const int error = errno;
    close(sockets[0]);
    close(sockets[1]);
    throw std::system_error(error, std::generic_category(), "pipe");
  }
  const pid_t pid = fork();
  if (pid == 0) {
    BecomeChild(program->c_str(), argv.data(), environment.data(), sockets[1], report[1]);
  }
  const int fork_error = pid < 0 ? errno : 0;
  close(sockets[1]);
  close(report[1]);
  if (pid > 0) setpgid(pid, pid);  // Whoever comes first; a signal then always finds the group.
  const int error = pid < 0 ? fork_error : ReadReport(report[0]);
  close(report[0]);
  if (error == 0) return std::unique_ptr<ChildProcess>(new ChildProcess(pid, sockets[0], clock));
  close(sockets[0]);
  if (pid > 0) waitpid(pid, nullptr, 0);
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("cannot start {}: {}", *program, std::strerror(error)),
              "Correct 'launcher' in the device configuration");
}

ChildProcess::ChildProcess(pid_t pid, int fd, Clock& clock)
    : pid_(pid), clock_(clock), channel_(std::make_unique<Channel>(fd, clock)) {}

ChildProcess::~ChildProcess() { Stop(std::chrono::nanoseconds(0)); }

bool ChildProcess::Running() {
  if (reaped_) return false;
  // The dead one stays unreaped, so that its group's number is not given to another.
  siginfo_t info{};
  const int asked = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return asked == 0 && info.si_pid == 0;
}

bool ChildProcess::WaitForEnd(std::chrono::nanoseconds time) {
  const SteadyTime end = clock_.Now() + time;
  while (Running()) {
    if (clock_.Now() >= end) return false;
    clock_.SleepFor(kReapPoll, {});
  }
  return true;
}

std::string ChildProcess::Stop(std::chrono::nanoseconds grace) {
  if (reaped_) return ending_;
  channel_.reset();
  if (grace.count() > 0) {
    kill(-pid_, SIGTERM);
    WaitForEnd(grace);
  }
  kill(-pid_, SIGKILL);  // What else is in its group too.
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  ending_ = Describe(status);
  return ending_;
}

}  // namespace inferon::worker
