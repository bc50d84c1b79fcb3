// Calls that are tried again while a server cannot be reached.
//
// Every method of the API is idempotent (request ids, fences, cursors), so that a call which may or
// may not have arrived can simply be made again.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/retry_policy.h"

namespace inferon::rpc {

// How one client calls one server.
struct CallSettings {
  std::string server;  // For messages: "scheduler at 127.0.0.1:7001".
  RetryPolicy retry;
  std::chrono::milliseconds timeout{30'000};  // Of one attempt; 0 for streams: none.
  Clock* clock = nullptr;                     // Waits between attempts. Not owned.
};

// True for errors that may pass by themselves: kUnavailable, kDeadlineExceeded, kCancelled (by the
// server), and kResourceExhausted where the server says when to come again.
bool IsTransient(const Error& error);

// The waiting between attempts: grows after each failure, starts again after success.
class BackOff {
 public:
  // The settings outlive the object.
  explicit BackOff(const CallSettings& settings);
  void Succeeded();
  // Waits before the next attempt. False where the error is not transient, the policy gives up
  // or a stop was requested: then the error stands.
  bool WaitAfter(const Error& error, std::stop_token stop);

 private:
  const CallSettings& settings_;
  std::chrono::milliseconds delay_;
  std::optional<std::chrono::milliseconds> limit_;
  SteadyTime since_;  // Last success, or start.
};

// One attempt: a context with deadline, cancelled when a stop is requested.
Status CallOnce(const CallSettings& settings, std::stop_token stop,
                const std::function<grpc::Status(grpc::ClientContext&)>& call);

// Makes the call until it succeeds, is refused, the policy gives up or a stop is requested
// (kCancelled).
Status CallWithRetry(const CallSettings& settings, std::stop_token stop,
                     const std::function<grpc::Status(grpc::ClientContext&)>& call);

// Reads a server stream to its end. `open` starts the stream where the last one ended (the cursor
// is the caller's), `take` handles a message; its error ends the stream and is returned. A broken
// stream is opened again under the policy; each message that arrives resets the back-off.
template <typename Message, typename Open, typename Take>
Status ReadStream(const CallSettings& settings, std::stop_token stop, Open&& open, Take&& take) {
  BackOff back_off(settings);
  for (;;) {
    Status taken;
    const Status ended = CallOnce(settings, stop, [&](grpc::ClientContext& context) {
      auto reader = open(context);
      Message message;
      while (taken && reader->Read(&message)) {
        back_off.Succeeded();
        taken = take(message);
      }
      if (!taken) context.TryCancel();
      return reader->Finish();
    });
    if (!taken) return taken;
    if (ended || !back_off.WaitAfter(ended.error(), stop)) return ended;
  }
}

}  // namespace inferon::rpc
