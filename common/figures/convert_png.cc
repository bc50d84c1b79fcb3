#include "common/figures/convert_png.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

extern char** environ;

namespace inferon::report {
namespace {

constexpr int kNotFoundExit = 127;  // Some C libraries report a missing program so.

}  // namespace

Status ConvertToPng(const std::string& program, const std::filesystem::path& svg,
                    const std::filesystem::path& png) {
  const std::string in = svg.string(), out = png.string();
  const std::array<const char*, 7> arguments = {program.c_str(), "--zoom",   "2",    "--output",
                                                out.c_str(),     in.c_str(), nullptr};
  // The converter's chatter must not mix with the command's own output.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawnp(&child, program.c_str(), &actions, nullptr,
                                 const_cast<char* const*>(arguments.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    return Fail(ErrorCode::kFailedPrecondition, program + " is not installed",
                "Install the package librsvg2-bin for PNG figures");
  }
  if (error != 0) throw std::system_error(error, std::generic_category(), program);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotFoundExit) {
    return Fail(ErrorCode::kFailedPrecondition, program + " is not installed",
                "Install the package librsvg2-bin for PNG figures");
  }
  return Fail(ErrorCode::kInternal, program + " could not convert " + in,
              "Run it by hand to see why");
}

}  // namespace inferon::report
