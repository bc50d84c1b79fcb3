#include "common/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace inferon {
namespace {

[[noreturn]] void ThrowErrno(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", what, path.string()));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0644)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) ThrowErrno("cannot open", path);
  }
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file {}", path.string()),
                "Check the path");
  }
  if (!std::filesystem::is_regular_file(path, error)) {
    return InvalidArgument(fmt::format("{} is not a regular file", path.string()),
                           "Give the path of a file");
  }
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size > max_bytes) {
    return InvalidArgument(
        fmt::format("{} has {} bytes, more than the limit of {}", path.string(), size, max_bytes),
        "Give a smaller file");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return Fail(ErrorCode::kFailedPrecondition, fmt::format("cannot read {}", path.string()),
                "Check its permissions");
  }
  std::string content(static_cast<std::size_t>(size), '\0');
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(stream.gcount()));
  return content;
}

void SyncPath(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (fsync(file.get()) != 0) ThrowErrno("cannot sync", path);
}

void WriteFileAtomically(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::path beside = path;
  beside += fmt::format(".{}.part", getpid());
  try {
    const Descriptor file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    for (std::size_t done = 0; done < content.size();) {
      const ssize_t n = write(file.get(), content.data() + done, content.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) ThrowErrno("cannot write", beside);
      done += static_cast<std::size_t>(n);
    }
    if (fsync(file.get()) != 0) ThrowErrno("cannot sync", beside);
  } catch (...) {
    std::error_code ignored;  // A full disk is not made fuller.
    std::filesystem::remove(beside, ignored);
    throw;
  }
  std::filesystem::rename(beside, path);
  SyncPath(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "inferon-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) ThrowErrno("cannot make a temporary folder", name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Result<FileLock> FileLock::Acquire(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) ThrowErrno("cannot open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return FileLock(fd);
  close(fd);
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("{} is locked by another process", path.string()),
              "Stop that process or choose another folder");
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace inferon
