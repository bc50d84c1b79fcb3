#include "server/scheduler/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/base/files.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {

Upload::Upload(Staging& staging, LeaseRef lease, std::uint64_t total, std::string sha256)
    : staging_(staging),
      lease_(lease),
      total_(total),
      sha256_(std::move(sha256)),
      part_(staging.folder_ / fmt::format("{}.part", staging.next_part_++)),
      fd_(open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (fd_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot open " + part_.string());
  }
  ++staging_.open_;
}

Upload::~Upload() {
  if (fd_ >= 0) close(fd_);
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
  --staging_.open_;
}

Status Upload::Append(std::uint64_t offset, std::string_view chunk, std::uint32_t crc32) {
  if (offset != received_) {
    return InvalidArgument(fmt::format("a chunk begins at byte {}, expected {}", offset, received_),
                           "Send the chunks in order without gaps");
  }
  if (chunk.size() > kMaxChunkBytes) {
    return InvalidArgument(fmt::format("a chunk has {} bytes, more than the limit of {}",
                                       chunk.size(), kMaxChunkBytes));
  }
  if (chunk.size() > total_ - received_) {
    return InvalidArgument(fmt::format("the upload has more than its {} bytes", total_));
  }
  if (Crc32(chunk) != crc32) {
    return InvalidArgument(fmt::format("the checksum of the chunk at byte {} is wrong", offset),
                           "Upload the shard again");
  }
  for (std::size_t done = 0; done < chunk.size();) {
    const ssize_t n = write(fd_, chunk.data() + done, chunk.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw std::system_error(errno, std::generic_category(), "cannot write " + part_.string());
    }
    done += static_cast<std::size_t>(n);
  }
  hash_.Update(chunk);
  received_ += chunk.size();
  return {};
}

Result<std::uint64_t> Upload::Finish() {
  if (received_ != total_) {
    return InvalidArgument(fmt::format("the upload ended after {} of {} bytes", received_, total_),
                           "Upload the shard again");
  }
  if (hash_.Hex() != sha256_) {
    return InvalidArgument("the SHA-256 of the upload differs from the one announced",
                           "Upload the shard again");
  }
  std::filesystem::rename(part_, staging_.FinishedPath(lease_));
  return received_;
}

Staging::Staging(std::filesystem::path folder, const Limits& limits)
    : folder_(std::move(folder)),
      max_bytes_(limits.max_upload_bytes),
      max_uploads_(limits.max_uploads) {
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
}

Result<std::unique_ptr<Upload>> Staging::Begin(const LeaseRef& lease, std::uint64_t total,
                                               const std::string& sha256) {
  if (total < 1 || total > max_bytes_) {
    return InvalidArgument(fmt::format("total_bytes is {}, outside 1..{}", total, max_bytes_));
  }
  if (!IsHex(sha256, 64, 64)) {
    return InvalidArgument("sha256 is not 64 lower-case hex digits");
  }
  if (open_ >= max_uploads_) {
    Error error{ErrorCode::kResourceExhausted, fmt::format("{} uploads run already", max_uploads_),
                "Try again in a second", std::chrono::seconds(1)};
    return tl::unexpected(std::move(error));
  }
  return std::unique_ptr<Upload>(new Upload(*this, lease, total, sha256));
}

Result<std::string> Staging::Read(const LeaseRef& lease, const std::string& sha256) const {
  Result<std::string> frame = ReadFile(FinishedPath(lease), max_bytes_);
  if (frame && Sha256Hex(*frame) == sha256) return frame;
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("there is no complete upload of shard {} with this SHA-256", lease.shard),
              "Upload the shard, then commit it");
}

void Staging::Remove(const LeaseRef& lease) {
  std::error_code ignored;
  std::filesystem::remove(FinishedPath(lease), ignored);
}

std::filesystem::path Staging::FinishedPath(const LeaseRef& lease) const {
  return folder_ / fmt::format("{}-{}.frame", lease.shard, lease.fence);
}

}  // namespace inferon::scheduler
