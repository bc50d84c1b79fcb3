#include "server/scheduler/services/stream_pump.h"

#include <fmt/format.h>

namespace inferon::scheduler {

StreamPump::StreamPump(std::uint32_t threads, std::uint32_t max_streams)
    : max_streams_(max_streams) {
  for (std::uint32_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this](std::stop_token stop) { Loop(stop); });
  }
}

StreamPump::~StreamPump() = default;

Status StreamPump::Enter(const std::shared_ptr<PumpedStream>& stream) {
  std::lock_guard lock(mu_);
  if (stopping_) {
    return tl::unexpected(Error{ErrorCode::kUnavailable, "the scheduler is stopping",
                                "Try again when it runs", std::chrono::seconds(1)});
  }
  if (streams_.size() >= max_streams_) {
    return tl::unexpected(Error{
        ErrorCode::kResourceExhausted,
        fmt::format("{} streams are open, the limit of this server", streams_.size()),
        "Close some, or start the scheduler with a higher --max-streams", std::chrono::seconds(5)});
  }
  streams_.insert(stream);
  ScheduleLocked(stream);
  return {};
}

void StreamPump::Leave(const std::shared_ptr<PumpedStream>& stream) {
  std::lock_guard lock(mu_);
  streams_.erase(stream);
  empty_.notify_all();
}

void StreamPump::Schedule(const std::shared_ptr<PumpedStream>& stream) {
  std::lock_guard lock(mu_);
  if (streams_.contains(stream)) ScheduleLocked(stream);
}

void StreamPump::ScheduleLocked(const std::shared_ptr<PumpedStream>& stream) {
  switch (stream->place_) {
    case PumpedStream::Place::kIdle:
      stream->place_ = PumpedStream::Place::kQueued;
      queue_.push_back(stream);
      due_.notify_one();
      break;
    case PumpedStream::Place::kRunning:
      stream->place_ = PumpedStream::Place::kRunningAndDue;
      break;
    case PumpedStream::Place::kQueued:
    case PumpedStream::Place::kRunningAndDue:
      break;
  }
}

void StreamPump::Stop() {
  std::lock_guard lock(mu_);
  stopping_ = true;
  for (const auto& stream : streams_) ScheduleLocked(stream);
}

void StreamPump::AwaitEmpty() {
  std::unique_lock lock(mu_);
  empty_.wait(lock, [&] { return streams_.empty() && queue_.empty() && running_ == 0; });
}

bool StreamPump::stopping() const {
  std::lock_guard lock(mu_);
  return stopping_;
}

void StreamPump::Loop(std::stop_token stop) {
  std::unique_lock lock(mu_);
  while (due_.wait(lock, stop, [&] { return !queue_.empty(); })) {
    const std::shared_ptr<PumpedStream> stream = std::move(queue_.front());
    queue_.pop_front();
    stream->place_ = PumpedStream::Place::kRunning;
    ++running_;
    lock.unlock();
    stream->Step();
    lock.lock();
    if (--running_ == 0) empty_.notify_all();
    const bool due = stream->place_ == PumpedStream::Place::kRunningAndDue;
    stream->place_ = PumpedStream::Place::kIdle;
    if (due) ScheduleLocked(stream);
  }
}

}  // namespace inferon::scheduler
