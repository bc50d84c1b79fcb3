// Files that survive a crash: what a call has returned from is on disk.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace inferon {

// Whole content of a file. kNotFound where there is none; kInvalidArgument beyond max_bytes.
Result<std::string> ReadFile(const std::filesystem::path& path,
                             std::size_t max_bytes = std::size_t{1} << 40);

// Replaces a file: writes beside it, syncs, renames, syncs the folder. A crash leaves the old or
// the new content, never a mixture. Throws std::system_error when the disk refuses.
void WriteFileAtomically(const std::filesystem::path& path, std::string_view content);

// Syncs a file or folder. Throws std::system_error.
void SyncPath(const std::filesystem::path& path);

// Folder that is removed with its content at the end of its life; for tests and staging.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Exclusive lock on a file for the life of the object (flock: gone with the process).
class FileLock {
 public:
  // kFailedPrecondition where another process holds it.
  static Result<FileLock> Acquire(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace inferon
