// How many calls of a kind are served at once, and how a call learns that nobody waits for it.
#pragma once

#include <fmt/format.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "common/base/result.h"

namespace inferon::trainer {

// Counts calls under way. Thread-safe.
class CallLimit {
 public:
  CallLimit(std::string what, int most) : what_(std::move(what)), most_(most) {}

  // One call; ends with the object.
  class Pass {
   public:
    explicit Pass(CallLimit& limit) : limit_(&limit) {}
    Pass(Pass&& other) noexcept : limit_(other.limit_) { other.limit_ = nullptr; }
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (limit_ != nullptr) --limit_->now_;
    }

   private:
    CallLimit* limit_;
  };

  // kResourceExhausted where too many are under way.
  Result<Pass> Enter() {
    if (++now_ <= most_) return Pass(*this);
    --now_;
    return tl::unexpected(Error{ErrorCode::kResourceExhausted,
                                fmt::format("{} {} are under way, the limit", most_, what_),
                                "Try again in a moment", std::chrono::seconds(1)});
  }

 private:
  const std::string what_;
  const int most_;
  std::atomic<int> now_{0};
};

// Stop token of one call: stops when the client has gone or the server stops. The context outlives
// it.
class CallStop {
 public:
  CallStop(grpc::ServerContext& context, std::stop_token server)
      : forward_(std::move(server), Forward{source_}),
        watcher_([this, &context](std::stop_token ending) { Watch(context, ending); }) {}

  std::stop_token token() const { return source_.get_token(); }

 private:
  struct Forward {
    std::stop_source source;
    void operator()() { source.request_stop(); }
  };

  void Watch(grpc::ServerContext& context, std::stop_token ending) {
    std::unique_lock lock(mu_);
    while (!ending.stop_requested()) {
      wake_.wait_for(lock, ending, std::chrono::milliseconds(50), [] { return false; });
      if (context.IsCancelled()) source_.request_stop();
    }
  }

  std::stop_source source_;
  std::stop_callback<Forward> forward_;
  std::mutex mu_;
  std::condition_variable_any wake_;
  std::jthread watcher_;  // Last: joins before what it uses goes.
};

}  // namespace inferon::trainer
