#include "common/base/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "common/base/files.h"

namespace inferon {
namespace {

[[noreturn]] void ThrowErrno(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", what, path.string()));
}

// Large writes go past the page cache where the file system can do that: copying into it and
// writing it back cost more than the disk itself.
constexpr std::size_t kDirectBytes = 1 << 20;  // From this size on; also the size of the buffer.
constexpr std::size_t kBlock = 4096;           // What such a write is aligned to, everywhere.

class RealFile : public DiskFile {
 public:
  RealFile(std::filesystem::path path, int flags)
      : path_(std::move(path)), fd_(open(path_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644)) {
    if (fd_ < 0) ThrowErrno("cannot open", path_);
  }
  ~RealFile() override {
    close(fd_);
    if (direct_fd_ >= 0) close(direct_fd_);
  }

  void WriteAt(std::uint64_t offset, std::string_view bytes) override {
    if (bytes.size() >= kDirectBytes && OpenDirect()) {
      const std::size_t head = (kBlock - offset % kBlock) % kBlock;
      const std::size_t middle = (bytes.size() - head) / kBlock * kBlock;
      Write(offset, bytes.substr(0, head));
      WriteDirect(offset + head, bytes.substr(head, middle));
      offset += head + middle;
      bytes.remove_prefix(head + middle);
    }
    Write(offset, bytes);
  }
  void Sync() override {
    if (fdatasync(fd_) != 0) ThrowErrno("cannot sync", path_);
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  // False where the file system cannot.
  bool OpenDirect() {
    if (buffer_) return direct_fd_ >= 0;
    buffer_.reset(static_cast<char*>(std::aligned_alloc(kBlock, kDirectBytes)));
    if (!buffer_) throw std::bad_alloc();
    direct_fd_ = open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_DIRECT);
    return direct_fd_ >= 0;
  }

  // Offset and size are of whole blocks. What the file system refuses goes the usual way.
  void WriteDirect(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view part = bytes.substr(0, kDirectBytes);
      std::memcpy(buffer_.get(), part.data(), part.size());
      const ssize_t n = direct_fd_ < 0 ? 0
                                       : pwrite(direct_fd_, buffer_.get(), part.size(),
                                                static_cast<off_t>(offset));
      if (n < 0 && errno == EINVAL) {
        close(std::exchange(direct_fd_, -1));
      } else if (n < 0 && errno != EINTR) {
        ThrowErrno("cannot write", path_);
      }
      // A short write is of no whole blocks, perhaps.
      if (n != static_cast<ssize_t>(part.size())) Write(offset, part);
      offset += part.size();
      bytes.remove_prefix(part.size());
    }
  }

  void Write(std::uint64_t offset, std::string_view bytes) const {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n =
          pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) ThrowErrno("cannot write", path_);
      done += static_cast<std::size_t>(n);
    }
  }

  const std::filesystem::path path_;
  const int fd_;
  int direct_fd_ = -1;                  // -1: none, or not possible here.
  std::unique_ptr<char, Free> buffer_;  // kDirectBytes; null until the first large write.
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
