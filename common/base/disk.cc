#include "common/base/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/base/files.h"

namespace inferon {
namespace {

[[noreturn]] void ThrowErrno(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", what, path.string()));
}

class RealFile : public DiskFile {
 public:
  RealFile(std::filesystem::path path, int flags)
      : path_(std::move(path)), fd_(open(path_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644)) {
    if (fd_ < 0) ThrowErrno("cannot open", path_);
  }
  ~RealFile() override { close(fd_); }

  void WriteAt(std::uint64_t offset, std::string_view bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n =
          pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) ThrowErrno("cannot write", path_);
      done += static_cast<std::size_t>(n);
    }
  }
  void Sync() override {
    if (fdatasync(fd_) != 0) ThrowErrno("cannot sync", path_);
  }

 private:
  const std::filesystem::path path_;
  const int fd_;
};

class RealDisk : public Disk {
 public:
  std::unique_ptr<DiskFile> Create(const std::filesystem::path& path) override {
    return std::make_unique<RealFile>(path, O_CREAT | O_EXCL);
  }
  std::unique_ptr<DiskFile> Open(const std::filesystem::path& path) override {
    return std::make_unique<RealFile>(path, 0);
  }
  void Truncate(const std::filesystem::path& path, std::uint64_t bytes) override {
    std::filesystem::resize_file(path, bytes);
  }
  void Remove(const std::filesystem::path& path) override { std::filesystem::remove(path); }
  void MakeFolder(const std::filesystem::path& path) override {
    if (!std::filesystem::create_directory(path)) return;
    SyncPath(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
  }
  void SyncFolder(const std::filesystem::path& path) override { SyncPath(path); }
};

}  // namespace

Disk& SystemDisk() {
  static RealDisk disk;
  return disk;
}

}  // namespace inferon
