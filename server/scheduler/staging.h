// Uploads on their way: files that belong to a lease until it is committed or lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/hash.h"
#include "common/base/result.h"
#include "server/scheduler/limits.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

class Staging;

// One upload; its file is removed with it unless Finish() was reached. For one thread.
class Upload {
 public:
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  // kInvalidArgument for a gap, too many bytes, or a chunk whose checksum is wrong.
  Status Append(std::uint64_t offset, std::string_view chunk, std::uint32_t crc32);
  // Makes the upload ready for the commit; its bytes. kInvalidArgument where bytes are missing or
  // the digest differs.
  Result<std::uint64_t> Finish();

 private:
  friend class Staging;
  Upload(Staging& staging, LeaseRef lease, std::uint64_t total, std::string sha256);

  Staging& staging_;
  const LeaseRef lease_;
  const std::uint64_t total_;
  const std::string sha256_;
  const std::filesystem::path part_;
  int fd_;
  std::uint64_t received_ = 0;
  Sha256 hash_;
};

// The folder of uploads. Thread-safe. Must outlive its uploads.
class Staging {
 public:
  // Empties the folder: leases from before the start are void.
  Staging(std::filesystem::path folder, const Limits& limits);
  // kInvalidArgument for a size or digest out of range, kResourceExhausted over max_uploads.
  Result<std::unique_ptr<Upload>> Begin(const LeaseRef& lease, std::uint64_t total,
                                        const std::string& sha256);
  // A finished upload. kFailedPrecondition where there is none with this digest.
  Result<std::string> Read(const LeaseRef& lease, const std::string& sha256) const;
  // Forgets the finished upload of a lease, if any.
  void Remove(const LeaseRef& lease);

 private:
  friend class Upload;
  std::filesystem::path FinishedPath(const LeaseRef& lease) const;

  const std::filesystem::path folder_;
  const std::uint64_t max_bytes_;
  const std::uint32_t max_uploads_;
  std::atomic<std::uint32_t> open_{0};
  std::atomic<std::uint64_t> next_part_{1};
};

}  // namespace inferon::scheduler
