// Segment files: the bytes of committed results, appended once and never changed.
//
// segments/seg-000001.dat, seg-000002.dat, ... A frame is appended, the file is synced, and then
// one row of the store names its place; bytes that no row names do not count and are cut off at
// the next start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/disk.h"
#include "common/base/result.h"
#include "server/scheduler/store.h"

namespace inferon::scheduler {

// The appending side; belongs to the writer's thread. Failures of the disk are std::system_error.
class SegmentWriter {
 public:
  // Cuts every file in the folder to its committed end and removes those without one.
  SegmentWriter(std::filesystem::path folder, std::uint64_t segment_bytes,
                std::span<const SegmentEnd> committed, Disk& disk = SystemDisk());
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Appends; the bytes count only after the next Sync(). A segment at or over segment_bytes is
  // full, and the next one begins.
  Location Append(std::string_view frame);
  // Brings everything appended to disk.
  void Sync();
  // After a failure: what was appended since the last Sync() may or may not be on disk; goes on in
  // a new file.
  void Abandon();
  // Number of the file that is appended to; 0 before the first.
  std::uint32_t current() const { return segment_; }

 private:
  void CutToCommitted(const std::map<std::uint32_t, std::uint64_t>& ends);
  void Open(std::uint32_t segment);

  const std::filesystem::path folder_;
  const std::uint64_t segment_bytes_;
  Disk& disk_;
  std::uint32_t segment_ = 0;  // Last one used.
  std::uint64_t end_ = 0;
  std::unique_ptr<DiskFile> file_;  // Null: none is open.
  bool named_ = false;              // The open file's name is on disk.
  bool dirty_ = false;
};

// Size of a segment file; 0 where there is none.
std::uint64_t SegmentBytes(const std::filesystem::path& folder, std::uint32_t segment);
// Removes a file that no row names any more.
void RemoveSegment(const std::filesystem::path& folder, std::uint32_t segment, Disk& disk);

// Bytes of a frame. kDataLoss where the file is gone, too short, or its SHA-256 differs.
// Thread-safe.
Result<std::string> ReadSegment(const std::filesystem::path& folder, const Location& location,
                                const std::string& sha256);

}  // namespace inferon::scheduler
