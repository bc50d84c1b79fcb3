// A started child that has said who it is.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/brainscales2/child_process.h"
#include "worker/brainscales2/messages.h"

namespace inferon::worker {

struct SessionOptions {
  Launch launch;
  std::string mode;                              // Must be the child's.
  std::string chip;                              // Must be the child's; empty: any.
  std::chrono::milliseconds start_time{60'000};  // Until its hello.
  std::chrono::milliseconds grace{5'000};        // Between SIGTERM and SIGKILL.
};

// Not thread-safe. One request at a time: Send, then Receive.
class Session {
 public:
  // Starts the child and greets it. kFailedPrecondition where it is not what the worker was
  // configured for: another protocol, mode or chip. The clock outlives the session.
  static Result<std::unique_ptr<Session>> Start(const SessionOptions& options, Clock& clock);
  // Says good-bye, then stops it.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Hello& hello() const { return hello_; }
  pid_t pid() const { return child_->pid(); }
  // False after any failure of Send or Receive: the child is out of step and must be given up.
  bool usable() const { return usable_; }

  Status Send(const std::string& frame);
  Result<WireFrame> Receive(std::chrono::nanoseconds time, std::stop_token stop = {});
  Result<WireFrame> Call(const std::string& frame, std::chrono::nanoseconds time);

 private:
  Session(std::unique_ptr<ChildProcess> child, const SessionOptions& options, Clock& clock);
  Status Greet();

  const SessionOptions options_;
  Clock& clock_;
  std::unique_ptr<ChildProcess> child_;
  Hello hello_;
  bool usable_ = true;
};

}  // namespace inferon::worker
