// A chip behind a supervised child: started again with back-off, bad after failures in a row.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/brainscales2/messages.h"
#include "worker/brainscales2/restart_policy.h"
#include "worker/brainscales2/session.h"

namespace inferon::worker {

// Not thread-safe.
class Device {
 public:
  Device(SessionOptions session, const RestartLimits& limits, Clock& clock);

  // Starts the child if none runs; kUnavailable once the device is bad. The first hello settles
  // which chip this is: a later child that is connected to another one is a failure.
  Status Connect(std::stop_token stop);
  // Ends the child, so that another program can have the chip.
  void Disconnect();
  // Of the last child that has said hello.
  const Hello& hello() const { return hello_; }

  // Sends a batch ahead of its Await, so that the chip works while the worker computes. Does
  // nothing where that is not possible now: Await makes up for it.
  void Prefetch(const OpenRequest& open, const BatchRequest& batch);
  // The reply to a batch, checked. A failed child or void data cost the child; the batch runs again
  // on a new one until it succeeds or the device is bad (kUnavailable). A refusal by a healthy
  // child is returned at once. `time` is the deadline of one try.
  Result<BatchReply> Await(const OpenRequest& open, const BatchRequest& batch,
                           std::chrono::nanoseconds time, std::stop_token stop);
  // Monitors and the read-out's self-test, with the retries of a batch.
  Result<HealthReply> Examine(const OpenRequest& open, std::chrono::nanoseconds time,
                              std::stop_token stop);
  // One other request to an opened child, without retries; a failure costs the child.
  Result<WireFrame> Ask(const OpenRequest& open, const std::string& request,
                        std::chrono::nanoseconds time, std::stop_token stop);

  bool bad() const { return policy_.bad(); }
  int starts() const { return starts_; }  // Of children, so far.
  std::optional<pid_t> child() const;

 private:
  Status StartOnce();
  // Waits for the reply to a batch that was sent ahead and is not wanted any more.
  Status DropInFlight(std::chrono::nanoseconds time, const std::stop_token& stop);
  Status Prepare(const OpenRequest& open);
  Result<BatchReply> Attempt(const OpenRequest& open, const BatchRequest& batch,
                             std::chrono::nanoseconds time, const std::stop_token& stop);
  // Attempts until one succeeds, a healthy child refuses or there is no further try.
  template <typename T, typename AttemptFunction>
  Result<T> Insist(const std::stop_token& stop, AttemptFunction&& attempt);
  // Counts a failure and drops the child; then waits. An error where there is no further try.
  Status Recover(const Error& error, const std::stop_token& stop);
  bool IsRefusal(const Error& error) const;

  SessionOptions options_;  // Constant but for the chip, which the first hello settles.
  RestartPolicy policy_;
  Clock& clock_;
  std::unique_ptr<Session> session_;
  std::string opened_;     // The encoded open request that the child has answered.
  std::string in_flight_;  // The encoded batch that was sent ahead; empty: none.
  Hello hello_;
  int starts_ = 0;
};

}  // namespace inferon::worker
