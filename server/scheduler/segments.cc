#include "server/scheduler/segments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <system_error>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "server/scheduler/segment_name.h"

namespace inferon::scheduler {
namespace {

std::filesystem::path SegmentPath(const std::filesystem::path& folder, std::uint32_t segment) {
  return folder / SegmentName(segment);
}

// Number of a segment file; 0 for other files.
std::uint32_t SegmentNumber(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.rfind("seg-", 0) != 0 || path.extension() != ".dat") return 0;
  std::uint32_t number = 0;
  std::from_chars(name.data() + 4, name.data() + name.size() - 4, number);
  return number;
}

[[noreturn]] void ThrowErrno(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", what, path.string()));
}

}  // namespace

SegmentWriter::SegmentWriter(std::filesystem::path folder, std::uint64_t segment_bytes,
                             std::span<const SegmentEnd> committed)
    : folder_(std::move(folder)), segment_bytes_(segment_bytes) {
  std::filesystem::create_directories(folder_);
  std::map<std::uint32_t, std::uint64_t> ends;
  for (const SegmentEnd& end : committed) ends[end.segment] = end.bytes;
  std::map<std::uint32_t, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (const std::uint32_t number = SegmentNumber(entry.path())) files[number] = entry.path();
  }
  for (const auto& [number, path] : files) {
    const auto end = ends.find(number);
    if (end == ends.end()) {
      std::filesystem::remove(path);
    } else if (std::filesystem::file_size(path) > end->second) {
      std::filesystem::resize_file(path, end->second);
    }
  }
  if (ends.empty()) return;
  segment_ = ends.rbegin()->first;
  end_ = ends.rbegin()->second;
  // A last file that is shorter than its rows is damaged: leave it and go on in the next.
  const std::filesystem::path last = SegmentPath(folder_, segment_);
  if (!std::filesystem::exists(last) || std::filesystem::file_size(last) < end_) {
    end_ = segment_bytes_;
  }
}

SegmentWriter::~SegmentWriter() { Close(); }

Location SegmentWriter::Append(std::string_view frame) {
  if (segment_ == 0 || end_ >= segment_bytes_) {
    Sync();
    Open(segment_ + 1);
  } else if (fd_ < 0) {
    Open(segment_);
  }
  const Location location{segment_, end_, frame.size()};
  dirty_ = true;
  for (std::size_t done = 0; done < frame.size();) {
    const ssize_t n =
        pwrite(fd_, frame.data() + done, frame.size() - done, static_cast<off_t>(end_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ThrowErrno("cannot write", SegmentPath(folder_, segment_));
    done += static_cast<std::size_t>(n);
  }
  end_ += frame.size();
  return location;
}

void SegmentWriter::Sync() {
  if (!dirty_) return;
  if (fdatasync(fd_) != 0) ThrowErrno("cannot sync", SegmentPath(folder_, segment_));
  dirty_ = false;
}

void SegmentWriter::Abandon() {
  if (!dirty_) return;
  dirty_ = false;
  end_ = segment_bytes_;
}

void SegmentWriter::Open(std::uint32_t segment) {
  Close();
  const std::filesystem::path path = SegmentPath(folder_, segment);
  const bool is_new = segment != segment_;
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (is_new ? O_EXCL : 0), 0644);
  if (fd_ < 0) ThrowErrno("cannot open", path);
  if (is_new) {
    segment_ = segment;
    end_ = 0;
    SyncPath(folder_);
  }
}

void SegmentWriter::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::uint64_t SegmentBytes(const std::filesystem::path& folder, std::uint32_t segment) {
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(SegmentPath(folder, segment), missing);
  return missing ? 0 : bytes;
}

void RemoveSegment(const std::filesystem::path& folder, std::uint32_t segment) {
  std::error_code ignored;  // What is left is removed at the next start.
  std::filesystem::remove(SegmentPath(folder, segment), ignored);
}

Result<std::string> ReadSegment(const std::filesystem::path& folder, const Location& location,
                                const std::string& sha256) {
  const std::filesystem::path path = SegmentPath(folder, location.segment);
  std::string bytes(location.bytes, '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(location.offset));
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (stream.gcount() == static_cast<std::streamsize>(bytes.size()) && Sha256Hex(bytes) == sha256) {
    return bytes;
  }
  return Fail(ErrorCode::kDataLoss,
              fmt::format("the results at {} in {} are damaged", location.offset, path.string()),
              "Restore the scheduler's data folder from a backup, or submit the job again");
}

}  // namespace inferon::scheduler
