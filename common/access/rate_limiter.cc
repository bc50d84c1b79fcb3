#include "common/access/rate_limiter.h"

#include <algorithm>
#include <cmath>

namespace inferon {

std::optional<std::chrono::milliseconds> RateLimiter::Take(const std::string& client) {
  if (per_second_ <= 0) return std::nullopt;
  const std::lock_guard lock(mu_);
  const SteadyTime now = clock_.Now();
  auto found = buckets_.find(client);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMaxClients) MakeRoom(now);
    found = buckets_.emplace(client, Bucket{burst_, now}).first;
  }
  Bucket& bucket = found->second;
  bucket = {LeftNow(bucket, now), now};
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return std::nullopt;
  }
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(std::ceil(1000 * (1 - bucket.left) / per_second_)));
}

double RateLimiter::LeftNow(const Bucket& bucket, SteadyTime now) const {
  const double seconds = std::chrono::duration<double>(now - bucket.time).count();
  return std::min(burst_, bucket.left + seconds * per_second_);
}

// A full bucket says no more than none. Where none is full, strangers share the memory: all go.
void RateLimiter::MakeRoom(SteadyTime now) {
  std::erase_if(buckets_, [&](const auto& entry) { return LeftNow(entry.second, now) >= burst_; });
  if (buckets_.size() >= kMaxClients) buckets_.clear();
}

}  // namespace inferon
