// Who computes next: queries take turns in the order of their coming, a tile of draws at a turn.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace inferon::trainer {

// Lets `places` threads compute at the same time, first come, first served. Many queries that share
// the processors would all end late; one after another, most end early and none later. Thread-safe.
class ComputeQueue {
 public:
  explicit ComputeQueue(std::size_t places) : free_(places) {}

  void Enter();
  void Leave();
  // Threads that have asked and not entered yet.
  std::size_t waiting() const;

 private:
  mutable std::mutex mu_;
  std::condition_variable moved_;
  std::size_t free_;               // Guarded by mu_.
  std::uint64_t next_ticket_ = 0;  // Guarded by mu_.
  std::uint64_t next_turn_ = 0;    // Guarded by mu_; the ticket that enters next.
};

// One turn, from construction to destruction; without a queue, at once.
class ComputeTurn {
 public:
  explicit ComputeTurn(ComputeQueue* queue) : queue_(queue) {
    if (queue_ != nullptr) queue_->Enter();
  }
  ~ComputeTurn() {
    if (queue_ != nullptr) queue_->Leave();
  }
  ComputeTurn(const ComputeTurn&) = delete;
  ComputeTurn& operator=(const ComputeTurn&) = delete;

 private:
  ComputeQueue* const queue_;
};

}  // namespace inferon::trainer
