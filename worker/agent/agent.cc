#include "worker/agent/agent.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace inferon::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t kMaxErrorLength = 2'000;

bool MayPass(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kInternal:
      return true;
    default:
      return false;
  }
}

// Substrate boundary: what a substrate throws is a failure of this run.
Result<ObservationBatch> RunGuarded(Substrate& substrate, const RunRequest& request,
                                    std::stop_token stop) {
  try {
    return substrate.Run(request, stop);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInternal, fmt::format("the substrate failed: {}", error.what()));
  }
}

Status CheckBatch(const ObservationBatch& batch, const RunRequest& request) {
  if (batch.size() == request.count && batch.points == request.protocol.Points()) return {};
  return Fail(ErrorCode::kInternal,
              fmt::format("the substrate returned {} observations of {} points instead of {} of {}",
                          batch.size(), batch.points, request.count, request.protocol.Points()));
}

}  // namespace

Agent::Agent(const AgentOptions& options, Link& link, Substrate& substrate, Clock& clock)
    : options_(options),
      link_(link),
      substrate_(substrate),
      clock_(clock),
      ledger_(options.ahead),
      retry_(options.first_retry) {}

Status Agent::Run(std::stop_token stop) {
  std::stop_source refused;
  const std::stop_callback wake_on_stop(stop, [this] {
    std::lock_guard lock(mu_);
    changed_.notify_all();
  });
  {
    std::jthread heartbeat([&](std::stop_token own) {
      HeartbeatLoop(own);
      refused.request_stop();  // It returns by itself only where the worker is refused.
    });
    std::jthread transfer([this](std::stop_token own) { TransferLoop(own); });
    std::jthread runner([this](std::stop_token own) { RunnerLoop(own); });
    {
      std::unique_lock lock(mu_);
      changed_.wait(lock, refused.get_token(), [&] { return stop.stop_requested(); });
    }
    if (!refused.stop_requested()) Drain();
    std::lock_guard lock(mu_);
    ledger_.Return(/*running_too=*/true);
    heartbeat.request_stop();
    WakeHeartbeat();
  }
  if (refused_) return tl::unexpected(*refused_);  // All threads have ended.
  const auto farewell = link_.Synchronize({.draining = true}, options_.farewell_timeout, {});
  if (!farewell) spdlog::info("left without a farewell: {}", farewell.error().Text());
  return {};
}

void Agent::Drain() {
  spdlog::info("stopping: the running shard may finish, others are given back");
  std::unique_lock lock(mu_);
  draining_ = true;
  ledger_.Return(/*running_too=*/false);
  WakeHeartbeat();
  const SteadyTime end = clock_.Now() + options_.drain_grace;
  while (!ledger_.empty() && clock_.Now() < end) {
    lock.unlock();
    clock_.SleepFor(milliseconds(20), {});
    lock.lock();
  }
}

Result<nanoseconds> Agent::HeartbeatStep(std::stop_token stop) {
  const Status health = substrate_.Health();
  std::unique_lock lock(mu_);
  if (!health && healthy_) spdlog::error("the substrate is not ready: {}", health.error().Text());
  healthy_ = health.has_value();
  const bool accepting = healthy_ && !operator_drains_;
  const WorkerReport report = ledger_.Report(accepting, draining_);
  const SteadyTime sent_at = clock_.Now();
  const nanoseconds timeout = SynchronizeTimeout(sent_at);
  lock.unlock();
  const Result<Orders> orders = link_.Synchronize(report, timeout, stop);
  lock.lock();
  std::vector<LeaseRef> lost;
  if (orders) {
    if (!reachable_) spdlog::info("the scheduler is back");
    reachable_ = true;
    retry_ = options_.first_retry;
    operator_drains_ = orders->drain;
    lost = ledger_.Apply(*orders, sent_at);
    if (draining_) ledger_.Return(/*running_too=*/false);
  } else if (!MayPass(orders.error())) {
    return tl::unexpected(orders.error());
  }
  const std::vector<LeaseRef> expired = ledger_.Expire(clock_.Now());
  for (const LeaseRef& ref : lost) spdlog::warn("lost the lease of shard {}", ref.shard);
  for (const LeaseRef& ref : expired) {
    spdlog::warn("the lease of shard {} ends and the scheduler is away: stopped it", ref.shard);
  }
  changed_.notify_all();
  return orders ? std::max<nanoseconds>(orders->next, milliseconds(10))
                : PauseAfterFailure(orders.error());
}

nanoseconds Agent::SynchronizeTimeout(SteadyTime now) const {
  const auto expiry = ledger_.NextExpiry();
  if (!expiry) return options_.call_timeout;
  return std::clamp<nanoseconds>(*expiry - now, milliseconds(10), options_.call_timeout);
}

nanoseconds Agent::PauseAfterFailure(const Error& error) {
  if (reachable_) spdlog::warn("{} Trying again until it answers.", error.Text());
  reachable_ = false;
  nanoseconds pause = retry_;
  retry_ = std::min(2 * retry_, options_.max_retry);
  if (const auto expiry = ledger_.NextExpiry()) {
    pause = std::clamp<nanoseconds>(*expiry - clock_.Now(), milliseconds(1), pause);
  }
  return pause;
}

bool Agent::TransferStep(std::stop_token stop) {
  std::unique_lock lock(mu_);
  bool settled = true;
  if (HeldLease* done = ledger_.First(Phase::kOutcome)) {
    done->phase = Phase::kSending;
    const LeaseRef ref = done->ref;
    const std::stop_token lease = done->stop.get_token();
    const std::variant<Outcome, Error> outcome = std::move(done->outcome);
    lock.unlock();
    settled = Deliver(ref, lease, outcome);
  } else if (HeldLease* fresh = ledger_.First(Phase::kLeased)) {
    fresh->phase = Phase::kFetching;
    const LeaseRef ref = fresh->ref;
    const std::stop_token lease = fresh->stop.get_token();
    lock.unlock();
    settled = Fetch(ref, lease);
  } else {
    return false;
  }
  if (!settled) clock_.SleepFor(options_.first_retry, stop);
  return true;
}

bool Agent::Fetch(const LeaseRef& ref, std::stop_token lease) {
  Result<ShardWork> work = link_.GetShard(ref, lease);
  std::lock_guard lock(mu_);
  HeldLease* held = Still(ref, lease);
  if (held == nullptr) return true;
  changed_.notify_all();
  if (work) {
    held->work = std::move(*work);
    held->phase = Phase::kReady;
  } else if (work.error().code == ErrorCode::kAborted) {
    ledger_.Finish(ref);
    WakeHeartbeat();
  } else if (MayPass(work.error())) {
    held->phase = Phase::kLeased;
    return false;
  } else {
    held->outcome = work.error();
    held->phase = Phase::kOutcome;
  }
  return true;
}

bool Agent::Deliver(const LeaseRef& ref, std::stop_token lease,
                    const std::variant<Outcome, Error>& outcome) {
  const Status sent = Send(ref, lease, outcome);
  std::lock_guard lock(mu_);
  HeldLease* held = Still(ref, lease);
  if (held == nullptr) return true;
  changed_.notify_all();
  const bool again = !sent && MayPass(sent.error());
  const bool refused = !sent && !again && sent.error().code != ErrorCode::kAborted;
  if (again || (refused && std::holds_alternative<Outcome>(outcome))) {
    // A result that is refused is reported as the shard's failure.
    held->outcome = again ? outcome : std::variant<Outcome, Error>(sent.error());
    held->phase = Phase::kOutcome;
    return !again;
  }
  if (!sent) spdlog::warn("shard {} was not accepted: {}", ref.shard, sent.error().Text());
  ledger_.Finish(ref);
  WakeHeartbeat();
  return true;
}

Status Agent::Send(const LeaseRef& ref, std::stop_token lease,
                   const std::variant<Outcome, Error>& outcome) {
  if (const Outcome* done = std::get_if<Outcome>(&outcome)) {
    return link_.DeliverShard(ref, done->frame, done->substrate_seconds, lease);
  }
  const Error& error = std::get<Error>(outcome);
  spdlog::error("shard {} failed: {}", ref.shard, error.Text());
  const bool retryable = error.code != ErrorCode::kInvalidArgument;
  return link_.FailShard(ref, error.Text().substr(0, kMaxErrorLength), retryable, lease);
}

bool Agent::RunnerStep() {
  std::unique_lock lock(mu_);
  HeldLease* held = ledger_.First(Phase::kReady);
  if (held == nullptr) return false;
  held->phase = Phase::kRunning;
  const LeaseRef ref = held->ref;
  const ShardWork work = std::move(held->work);
  const std::stop_token lease = held->stop.get_token();
  lock.unlock();

  const SteadyTime start = clock_.Now();
  const Result<ObservationBatch> batch = RunGuarded(substrate_, work.request, lease);
  const double seconds = std::chrono::duration<double>(clock_.Now() - start).count();
  if (lease.stop_requested()) return true;  // Lost while it ran: its result belongs to nobody.
  const Status fits = batch ? CheckBatch(*batch, work.request) : tl::unexpected(batch.error());
  if (fits) {
    EndRun(ref, lease, Outcome{EncodeObservations(*batch), seconds});
  } else {
    EndRun(ref, lease, fits.error());
  }
  return true;
}

void Agent::EndRun(const LeaseRef& ref, std::stop_token lease,
                   std::variant<Outcome, Error> outcome) {
  std::lock_guard lock(mu_);
  HeldLease* held = Still(ref, lease);
  if (held == nullptr) return;
  held->outcome = std::move(outcome);
  held->phase = Phase::kOutcome;
  WakeHeartbeat();
  changed_.notify_all();
}

HeldLease* Agent::Still(const LeaseRef& ref, const std::stop_token& lease) {
  HeldLease* held = ledger_.Find(ref);
  return held != nullptr && held->stop.get_token() == lease ? held : nullptr;
}

void Agent::HeartbeatLoop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const Result<nanoseconds> pause = HeartbeatStep(stop);
    std::stop_token wake;
    {
      std::lock_guard lock(mu_);
      if (!pause) {
        refused_ = pause.error();
        ledger_.Return(/*running_too=*/true);
        changed_.notify_all();
        return;
      }
      wake = wake_.get_token();
    }
    clock_.SleepFor(*pause, wake);
    std::lock_guard lock(mu_);
    if (wake.stop_requested()) wake_ = std::stop_source();
  }
}

void Agent::TransferLoop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (TransferStep(stop)) continue;
    std::unique_lock lock(mu_);
    changed_.wait(lock, stop, [this] {
      return ledger_.First(Phase::kOutcome) != nullptr || ledger_.First(Phase::kLeased) != nullptr;
    });
  }
}

void Agent::RunnerLoop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (RunnerStep()) continue;
    std::unique_lock lock(mu_);
    changed_.wait(lock, stop, [this] { return ledger_.First(Phase::kReady) != nullptr; });
  }
}

void Agent::WakeHeartbeat() { wake_.request_stop(); }

}  // namespace inferon::worker
