#include "common/rpc/retry.h"

#include <grpc/support/time.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/rpc/status.h"

namespace inferon::rpc {

bool IsTransient(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
      return true;
    case ErrorCode::kResourceExhausted:
      return error.retry_after.has_value();
    default:
      return false;
  }
}

BackOff::BackOff(const CallSettings& settings)
    : settings_(settings),
      delay_(settings.retry.first_delay),
      limit_(settings.retry.give_up_after) {
  INFERON_CHECK(settings.clock != nullptr);
  since_ = settings.clock->Now();
}

void BackOff::Succeeded() {
  delay_ = settings_.retry.first_delay;
  if (limit_) limit_ = std::max(*limit_, settings_.retry.resume_within);
  since_ = settings_.clock->Now();
}

bool BackOff::WaitAfter(const Error& error, std::stop_token stop) {
  if (stop.stop_requested() || !IsTransient(error)) return false;
  if (limit_ && settings_.clock->Now() - since_ + delay_ > *limit_) return false;
  const auto wait = std::max(delay_, error.retry_after.value_or(delay_));
  delay_ = std::min(2 * delay_, settings_.retry.max_delay);
  return settings_.clock->SleepFor(wait, stop);
}

Status CallOnce(const CallSettings& settings, std::stop_token stop,
                const std::function<grpc::Status(grpc::ClientContext&)>& call) {
  grpc::ClientContext context;
  if (settings.timeout.count() > 0) {  // A time span counts from now, on gRPC's steady clock.
    context.set_deadline(gpr_time_from_millis(settings.timeout.count(), GPR_TIMESPAN));
  }
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  const grpc::Status status = call(context);
  if (status.ok()) return {};
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
  return tl::unexpected(FromStatus(status, settings.server));
}

Status CallWithRetry(const CallSettings& settings, std::stop_token stop,
                     const std::function<grpc::Status(grpc::ClientContext&)>& call) {
  BackOff back_off(settings);
  for (;;) {
    const Status done = CallOnce(settings, stop, call);
    if (done || !back_off.WaitAfter(done.error(), stop)) return done;
  }
}

}  // namespace inferon::rpc
