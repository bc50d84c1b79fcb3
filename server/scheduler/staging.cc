#include "server/scheduler/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/base/files.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {

UploadPart::UploadPart(std::filesystem::path file, std::uint64_t total_in,
                       std::atomic<std::int64_t>& room_in)
    : path(std::move(file)), room(room_in), total(total_in) {
  const auto bytes = static_cast<std::int64_t>(total);
  if (room.fetch_sub(bytes) >= bytes) {
    memory = std::make_shared<std::string>();
    memory->reserve(total);
    return;
  }
  room += bytes;
  fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot open " + path.string());
  }
}

UploadPart::~UploadPart() {
  if (fd < 0) {
    room += static_cast<std::int64_t>(total);
    return;
  }
  close(fd);
  std::error_code ignored;  // It has another name once it is finished.
  std::filesystem::remove(path, ignored);
}

void UploadPart::Append(std::string_view chunk) {
  if (memory) *memory += chunk;
  for (std::size_t done = 0; fd >= 0 && done < chunk.size();) {
    const ssize_t n = write(fd, chunk.data() + done, chunk.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw std::system_error(errno, std::generic_category(), "cannot write " + path.string());
    }
    done += static_cast<std::size_t>(n);
  }
  hash.Update(chunk);
  received += chunk.size();
}

Upload::Upload(Staging& staging, LeaseRef lease, std::unique_ptr<UploadPart> part)
    : staging_(staging), lease_(lease), part_(std::move(part)) {
  ++staging_.open_;
}

Upload::~Upload() {
  --staging_.open_;
  if (part_ && part_->received > 0) staging_.Keep(lease_, std::move(part_));
}

Status Upload::Append(std::uint64_t offset, std::string_view chunk, std::uint32_t crc32) {
  if (offset != part_->received) {
    return InvalidArgument(
        fmt::format("a chunk begins at byte {}, expected {}", offset, part_->received),
        "Send the chunks in order without gaps");
  }
  if (chunk.size() > kMaxChunkBytes) {
    return InvalidArgument(fmt::format("a chunk has {} bytes, more than the limit of {}",
                                       chunk.size(), kMaxChunkBytes));
  }
  if (chunk.size() > part_->total - part_->received) {
    return InvalidArgument(fmt::format("the upload has more than its {} bytes", part_->total));
  }
  if (Crc32(chunk) != crc32) {
    return InvalidArgument(fmt::format("the checksum of the chunk at byte {} is wrong", offset),
                           "Upload the shard again");
  }
  part_->Append(chunk);
  return {};
}

Result<std::uint64_t> Upload::Finish() {
  if (part_->received != part_->total) {
    return InvalidArgument(
        fmt::format("the upload ended after {} of {} bytes", part_->received, part_->total),
        "Upload the shard again");
  }
  std::unique_ptr<UploadPart> part = std::move(part_);
  if (part->hash.Hex() != part->sha256) {
    return InvalidArgument("the SHA-256 of the upload differs from the one announced",
                           "Upload the shard again");
  }
  const std::uint64_t received = part->received;
  if (part->fd < 0) {
    std::lock_guard lock(staging_.mu_);
    staging_.finished_[{lease_.shard, lease_.fence}] = std::move(part);
  } else {
    std::filesystem::rename(part->path, staging_.FinishedPath(lease_));
    std::lock_guard lock(staging_.mu_);
    staging_.files_.insert({lease_.shard, lease_.fence});
  }
  return received;
}

Staging::Staging(std::filesystem::path folder, const Limits& limits)
    : folder_(std::move(folder)),
      max_bytes_(limits.max_upload_bytes),
      max_uploads_(limits.max_uploads) {
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
}

Result<std::unique_ptr<Upload>> Staging::Begin(const LeaseRef& lease, std::uint64_t total,
                                               const std::string& sha256, std::uint64_t offset) {
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
  std::unique_ptr<UploadPart> part;
  if (offset == 0) {
    part =
        std::make_unique<UploadPart>(folder_ / fmt::format("{}.part", next_part_++), total, room_);
    part->sha256 = sha256;
  } else {
    std::lock_guard lock(mu_);
    const auto found = kept_.find({lease.shard, lease.fence});
    const bool fits = found != kept_.end() && found->second->received == offset &&
                      found->second->total == total && found->second->sha256 == sha256;
    if (!fits) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("no upload of shard {} with this SHA-256 has stopped at byte {}",
                              lease.shard, offset),
                  "Ask where it has stopped, or begin at byte 0");
    }
    part = std::move(found->second);
    kept_.erase(found);
  }
  return std::unique_ptr<Upload>(new Upload(*this, lease, std::move(part)));
}

std::uint64_t Staging::Received(const LeaseRef& lease, const std::string& sha256) const {
  std::lock_guard lock(mu_);
  const auto found = kept_.find({lease.shard, lease.fence});
  return found == kept_.end() || found->second->sha256 != sha256 ? 0 : found->second->received;
}

void Staging::Keep(const LeaseRef& lease, std::unique_ptr<UploadPart> part) {
  std::lock_guard lock(mu_);
  std::unique_ptr<UploadPart>& kept = kept_[{lease.shard, lease.fence}];
  const bool further = kept && kept->sha256 == part->sha256 && kept->received >= part->received;
  if (!further) kept = std::move(part);
  // A part may come from a lease that is over already; any one that is dropped is sent again.
  if (kept_.size() > max_uploads_) kept_.erase(kept_.begin());
}

Result<std::shared_ptr<const std::string>> Staging::Read(const LeaseRef& lease,
                                                         const std::string& sha256) const {
  {
    std::lock_guard lock(mu_);
    const auto found = finished_.find({lease.shard, lease.fence});
    if (found != finished_.end() && found->second->sha256 == sha256) return found->second->memory;
  }
  Result<std::string> frame = ReadFile(FinishedPath(lease), max_bytes_);
  if (frame && Sha256Hex(*frame) == sha256) {
    return std::make_shared<const std::string>(std::move(*frame));
  }
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("there is no complete upload of shard {} with this SHA-256", lease.shard),
              "Upload the shard, then commit it");
}

void Staging::Remove(const LeaseRef& lease) {
  std::error_code ignored;
  std::filesystem::remove(FinishedPath(lease), ignored);
  std::lock_guard lock(mu_);
  kept_.erase({lease.shard, lease.fence});
  finished_.erase({lease.shard, lease.fence});
  files_.erase({lease.shard, lease.fence});
}

void Staging::RemoveUnless(const std::function<bool(const LeaseRef&)>& held) {
  const auto over = [&](const auto& one) { return !held({one.first.first, one.first.second}); };
  std::lock_guard lock(mu_);
  std::erase_if(kept_, over);
  std::erase_if(finished_, over);
  std::erase_if(files_, [&](const Key& key) {
    if (held({key.first, key.second})) return false;
    std::error_code ignored;
    std::filesystem::remove(FinishedPath({key.first, key.second}), ignored);
    return true;
  });
}

std::filesystem::path Staging::FinishedPath(const LeaseRef& lease) const {
  return folder_ / fmt::format("{}-{}.frame", lease.shard, lease.fence);
}

}  // namespace inferon::scheduler
