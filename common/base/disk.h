// Files that are appended to and must survive a loss of power: every operation whose order decides
// what is left. A seam: tests record it, lose power, fill the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace inferon {

// A file open for writing. Failures are std::system_error.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  virtual void WriteAt(std::uint64_t offset, std::string_view bytes) = 0;
  // Brings content and size to disk, not the file's name.
  virtual void Sync() = 0;
};

// Failures are std::system_error.
class Disk {
 public:
  virtual ~Disk() = default;
  // A file that must not exist yet. Its name is on disk after SyncFolder.
  virtual std::unique_ptr<DiskFile> Create(const std::filesystem::path& path) = 0;
  // A file that exists.
  virtual std::unique_ptr<DiskFile> Open(const std::filesystem::path& path) = 0;
  virtual void Truncate(const std::filesystem::path& path, std::uint64_t bytes) = 0;
  virtual void Remove(const std::filesystem::path& path) = 0;
  // Makes a folder where it is missing; its parent must exist. Its name is on disk afterwards.
  virtual void MakeFolder(const std::filesystem::path& path) = 0;
  // Brings the names of a folder's files to disk.
  virtual void SyncFolder(const std::filesystem::path& path) = 0;
};

// The computer's. Lives as long as the process.
Disk& SystemDisk();

}  // namespace inferon
