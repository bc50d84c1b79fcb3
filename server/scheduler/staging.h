// Uploads on their way: files that belong to a lease until it is committed or lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/hash.h"
#include "common/base/result.h"
#include "server/scheduler/limits.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

class Staging;

// Bytes of an upload that have arrived: in memory while there is room for them all, else in a file,
// which goes with the object.
struct UploadPart {
  // `room`: bytes in memory that are left for uploads; this one takes its own and gives them back.
  UploadPart(std::filesystem::path file, std::uint64_t total_in,
             std::atomic<std::int64_t>& room_in);
  ~UploadPart();
  UploadPart(const UploadPart&) = delete;
  UploadPart& operator=(const UploadPart&) = delete;
  void Append(std::string_view chunk);

  const std::filesystem::path path;
  std::atomic<std::int64_t>& room;
  int fd = -1;                          // -1: in memory.
  std::shared_ptr<std::string> memory;  // Null where it is in a file.
  std::uint64_t total = 0;
  std::string sha256;  // As announced.
  std::uint64_t received = 0;
  Sha256 hash;  // Of what was received.
};

// One upload. Where it ends before Finish(), what has arrived is kept for another one to go on
// with. For one thread.
class Upload {
 public:
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  // kInvalidArgument for a gap, too many bytes, or a chunk whose checksum is wrong.
  Status Append(std::uint64_t offset, std::string_view chunk, std::uint32_t crc32);
  // Makes the upload ready for the commit; its bytes. kInvalidArgument where bytes are missing or
  // the digest differs (then nothing is kept).
  Result<std::uint64_t> Finish();

 private:
  friend class Staging;
  Upload(Staging& staging, LeaseRef lease, std::unique_ptr<UploadPart> part);

  Staging& staging_;
  const LeaseRef lease_;
  std::unique_ptr<UploadPart> part_;  // Null once it is finished or given up.
};

// Uploads and their folder. Thread-safe. Must outlive its uploads.
class Staging {
 public:
  // Empties the folder: leases from before the start are void.
  Staging(std::filesystem::path folder, const Limits& limits);
  // From byte `offset` on: 0 begins anew, another must be where an upload of the same frame stopped
  // (kFailedPrecondition otherwise). kInvalidArgument for a size or digest out of range,
  // kResourceExhausted over max_uploads.
  Result<std::unique_ptr<Upload>> Begin(const LeaseRef& lease, std::uint64_t total,
                                        const std::string& sha256, std::uint64_t offset = 0);
  // Bytes of an unfinished upload of this frame, where the next one can go on; 0: none.
  std::uint64_t Received(const LeaseRef& lease, const std::string& sha256) const;
  // A finished upload. kFailedPrecondition where there is none with this digest.
  Result<std::shared_ptr<const std::string>> Read(const LeaseRef& lease,
                                                  const std::string& sha256) const;
  // Forgets the uploads of a lease, if any.
  void Remove(const LeaseRef& lease);
  // Forgets those of leases that are over: one may end while its last bytes arrive.
  void RemoveUnless(const std::function<bool(const LeaseRef&)>& held);

 private:
  friend class Upload;
  using Key = std::pair<ShardId, Fence>;
  std::filesystem::path FinishedPath(const LeaseRef& lease) const;
  void Keep(const LeaseRef& lease, std::unique_ptr<UploadPart> part);

  const std::filesystem::path folder_;
  const std::uint64_t max_bytes_;
  const std::uint32_t max_uploads_;
  std::atomic<std::int64_t> room_{kStagingMemoryBytes};
  std::atomic<std::uint32_t> open_{0};
  std::atomic<std::uint64_t> next_part_{1};
  mutable std::mutex mu_;
  std::map<Key, std::unique_ptr<UploadPart>> kept_;  // Guarded by mu_; at most max_uploads_.
  // Whole uploads that are in memory. Guarded by mu_.
  std::map<Key, std::unique_ptr<UploadPart>> finished_;
  std::set<Key> files_;  // Whole uploads in files. Guarded by mu_.
};

}  // namespace inferon::scheduler
