#include "server/trainer/registry/compute_queue.h"

namespace inferon::trainer {

void ComputeQueue::Enter() {
  std::unique_lock lock(mu_);
  const std::uint64_t ticket = next_ticket_++;
  moved_.wait(lock, [&] { return free_ > 0 && next_turn_ == ticket; });
  --free_;
  ++next_turn_;
  if (free_ > 0) moved_.notify_all();  // The next ticket may enter, too.
}

void ComputeQueue::Leave() {
  const std::lock_guard lock(mu_);
  ++free_;
  moved_.notify_all();
}

std::size_t ComputeQueue::waiting() const {
  const std::lock_guard lock(mu_);
  return next_ticket_ - next_turn_;
}

}  // namespace inferon::trainer
