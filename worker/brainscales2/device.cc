#include "worker/brainscales2/device.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

bool IsRefusalCode(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kFailedPrecondition ||
         code == ErrorCode::kUnimplemented || code == ErrorCode::kNotFound;
}

}  // namespace

Device::Device(SessionOptions session, const RestartLimits& limits, Clock& clock)
    : options_(std::move(session)), policy_(limits), clock_(clock) {}

std::optional<pid_t> Device::child() const {
  return session_ ? std::optional(session_->pid()) : std::nullopt;
}

Status Device::StartOnce() {
  in_flight_.clear();
  opened_.clear();
  session_.reset();
  ++starts_;
  auto session = Session::Start(options_, clock_);
  if (!session) return tl::unexpected(session.error());
  session_ = std::move(*session);
  hello_ = session_->hello();
  options_.chip = hello_.chip;
  spdlog::info("child {} drives {} in mode {}, bitfile '{}'", session_->pid(), hello_.chip,
               hello_.mode, hello_.bitfile);
  return {};
}

Status Device::Connect(std::stop_token stop) {
  while (session_ == nullptr || !session_->usable()) {
    if (policy_.bad()) {
      return Fail(ErrorCode::kUnavailable, "the device is bad",
                  "Look at it with 'inferon worker doctor', then restart the worker");
    }
    const Status started = StartOnce();
    if (started) return {};
    if (Status again = Recover(started.error(), stop); !again) return again;
  }
  return {};
}

void Device::Disconnect() {
  session_.reset();
  opened_.clear();
  in_flight_.clear();
}

Status Device::Prepare(const OpenRequest& open) {
  if (session_ == nullptr || !session_->usable()) {
    if (Status started = StartOnce(); !started) return started;
  }
  const std::string request = EncodeOpen(open);
  if (request == opened_) return {};
  opened_.clear();
  const auto frame = session_->Call(request, options_.start_time);
  if (!frame) return tl::unexpected(frame.error());
  const Result<std::string> calibration = DecodeCalibrationId(*frame, "opened");
  if (!calibration) return tl::unexpected(calibration.error());
  if (*calibration != open.calibration_id) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the child has loaded calibration '{}', the worker knows '{}'",
                            *calibration, open.calibration_id),
                "Let both see the same file");
  }
  opened_ = request;
  return {};
}

void Device::Prefetch(const OpenRequest& open, const BatchRequest& batch) {
  if (session_ == nullptr || !session_->usable() || !in_flight_.empty()) return;
  if (opened_ != EncodeOpen(open)) return;
  std::string request = EncodeBatch(batch);
  if (session_->Send(request)) in_flight_ = std::move(request);
}

Status Device::DropInFlight(std::chrono::nanoseconds time, const std::stop_token& stop) {
  if (std::exchange(in_flight_, {}).empty()) return {};
  const auto unwanted = session_->Receive(time, stop);
  if (!unwanted) return tl::unexpected(unwanted.error());
  return {};
}

Result<BatchReply> Device::Attempt(const OpenRequest& open, const BatchRequest& batch,
                                   std::chrono::nanoseconds time, const std::stop_token& stop) {
  const std::string request = EncodeBatch(batch);
  if (request == in_flight_ && opened_ == EncodeOpen(open)) {
    in_flight_.clear();
  } else {
    if (Status dropped = DropInFlight(time, stop); !dropped) {
      return tl::unexpected(dropped.error());
    }
    if (Status ready = Prepare(open); !ready) return tl::unexpected(ready.error());
    if (Status sent = session_->Send(request); !sent) return tl::unexpected(sent.error());
  }
  const auto frame = session_->Receive(time, stop);
  if (!frame) return tl::unexpected(frame.error());
  Result<BatchReply> reply = DecodeBatch(*frame);
  if (!reply) return reply;
  if (Status good = CheckBatchReply(*reply, batch); !good) return tl::unexpected(good.error());
  return reply;
}

template <typename T, typename AttemptFunction>
Result<T> Device::Insist(const std::stop_token& stop, AttemptFunction&& attempt) {
  for (;;) {
    if (Status connected = Connect(stop); !connected) return tl::unexpected(connected.error());
    Result<T> reply = attempt();
    if (reply) {
      policy_.Succeeded();
      return reply;
    }
    if (IsRefusal(reply.error())) return reply;
    if (Status again = Recover(reply.error(), stop); !again) return tl::unexpected(again.error());
  }
}

Result<BatchReply> Device::Await(const OpenRequest& open, const BatchRequest& batch,
                                 std::chrono::nanoseconds time, std::stop_token stop) {
  return Insist<BatchReply>(stop, [&] { return Attempt(open, batch, time, stop); });
}

Result<HealthReply> Device::Examine(const OpenRequest& open, std::chrono::nanoseconds time,
                                    std::stop_token stop) {
  return Insist<HealthReply>(stop, [&]() -> Result<HealthReply> {
    const auto frame = Ask(open, EncodeHealth(), time, stop);
    if (!frame) return tl::unexpected(frame.error());
    return DecodeHealth(*frame);
  });
}

Result<WireFrame> Device::Ask(const OpenRequest& open, const std::string& request,
                              std::chrono::nanoseconds time, std::stop_token stop) {
  if (Status connected = Connect(stop); !connected) return tl::unexpected(connected.error());
  if (Status dropped = DropInFlight(time, stop); !dropped) return tl::unexpected(dropped.error());
  if (Status ready = Prepare(open); !ready) return tl::unexpected(ready.error());
  if (Status sent = session_->Send(request); !sent) return tl::unexpected(sent.error());
  return session_->Receive(time, stop);
}

bool Device::IsRefusal(const Error& error) const {
  return IsRefusalCode(error.code) && session_ != nullptr && session_->usable();
}

Status Device::Recover(const Error& error, const std::stop_token& stop) {
  Disconnect();
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped");
  policy_.Failed();
  spdlog::error("the device failed ({} in a row): {}", policy_.failures(), error.Text());
  if (policy_.bad()) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the device is bad after {} failures in a row, the last: {}",
                            policy_.failures(), error.message),
                "Look at it with 'inferon worker doctor', then restart the worker");
  }
  if (!clock_.SleepFor(policy_.Delay(), stop)) return Fail(ErrorCode::kCancelled, "stopped");
  return {};
}

}  // namespace inferon::worker
