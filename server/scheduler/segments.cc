#include "server/scheduler/segments.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <map>
#include <system_error>

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

}  // namespace

SegmentWriter::SegmentWriter(std::filesystem::path folder, std::uint64_t segment_bytes,
                             std::span<const SegmentEnd> committed, Disk& disk)
    : folder_(std::move(folder)), segment_bytes_(segment_bytes), disk_(disk) {
  disk_.MakeFolder(folder_);
  std::map<std::uint32_t, std::uint64_t> ends;
  for (const SegmentEnd& end : committed) ends[end.segment] = end.bytes;
  CutToCommitted(ends);
  if (ends.empty()) return;
  segment_ = ends.rbegin()->first;
  end_ = ends.rbegin()->second;
  // A last file that is shorter than its rows is damaged: leave it and go on in the next.
  const std::filesystem::path last = SegmentPath(folder_, segment_);
  if (!std::filesystem::exists(last) || std::filesystem::file_size(last) < end_) {
    end_ = segment_bytes_;
  }
}

void SegmentWriter::CutToCommitted(const std::map<std::uint32_t, std::uint64_t>& ends) {
  std::map<std::uint32_t, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (const std::uint32_t number = SegmentNumber(entry.path())) files[number] = entry.path();
  }
  for (const auto& [number, path] : files) {
    const auto end = ends.find(number);
    if (end == ends.end()) {
      disk_.Remove(path);
    } else if (std::filesystem::file_size(path) > end->second) {
      disk_.Truncate(path, end->second);
    }
  }
}

Location SegmentWriter::Append(std::string_view frame) {
  if (segment_ == 0 || end_ >= segment_bytes_) {
    Sync();
    Open(segment_ + 1);
  } else if (!file_) {
    Open(segment_);
  }
  const Location location{segment_, end_, frame.size()};
  dirty_ = true;
  file_->WriteAt(end_, frame);
  end_ += frame.size();
  return location;
}

void SegmentWriter::Sync() {
  if (!dirty_) return;
  file_->Sync();
  if (!named_) disk_.SyncFolder(folder_);
  named_ = true;
  dirty_ = false;
}

void SegmentWriter::Abandon() {
  if (!dirty_) return;
  dirty_ = false;
  end_ = segment_bytes_;
}

void SegmentWriter::Open(std::uint32_t segment) {
  file_.reset();
  const std::filesystem::path path = SegmentPath(folder_, segment);
  if (segment == segment_) {
    file_ = disk_.Open(path);
    named_ = true;
    return;
  }
  file_ = disk_.Create(path);
  named_ = false;
  segment_ = segment;
  end_ = 0;
}

std::uint64_t SegmentBytes(const std::filesystem::path& folder, std::uint32_t segment) {
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(SegmentPath(folder, segment), missing);
  return missing ? 0 : bytes;
}

void RemoveSegment(const std::filesystem::path& folder, std::uint32_t segment, Disk& disk) {
  try {
    disk.Remove(SegmentPath(folder, segment));
  } catch (const std::system_error&) {
    // What is left is removed at the next start.
  }
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
