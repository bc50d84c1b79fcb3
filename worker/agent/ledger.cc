#include "worker/agent/ledger.h"

#include <algorithm>

namespace inferon::worker {
namespace {

// Time between the end of work on a lease and the scheduler's deadline.
std::chrono::nanoseconds Margin(std::chrono::nanoseconds left) {
  using std::chrono::milliseconds;
  return std::clamp<std::chrono::nanoseconds>(left / 10, milliseconds(20), milliseconds(2'000));
}

bool IsComputed(const HeldLease& held) {
  return held.phase == Phase::kOutcome || held.phase == Phase::kSending;
}

}  // namespace

WorkerReport Ledger::Report(bool accepting, bool draining) const {
  WorkerReport report{.draining = draining};
  int uncomputed = 0;
  for (const HeldLease& held : held_) {
    report.leases.push_back(held.ref);
    if (!IsComputed(held)) ++uncomputed;
  }
  // A worker whose results cannot be delivered stops asking for more.
  const bool congested = static_cast<int>(held_.size()) - uncomputed > ahead_ + 1;
  if (accepting && !draining && !congested) report.wanted = std::max(0, 1 + ahead_ - uncomputed);
  return report;
}

std::vector<LeaseRef> Ledger::Apply(const Orders& orders, SteadyTime sent_at) {
  std::set<LeaseRef> named;
  for (const Lease& lease : orders.leases) {
    named.insert(lease.ref);
    if (finished_.contains(lease.ref)) continue;
    const SteadyTime stop_at = sent_at + lease.left - Margin(lease.left);
    if (HeldLease* held = Find(lease.ref)) {
      held->stop_at = stop_at;
    } else {
      held_.push_back({.ref = lease.ref, .stop_at = stop_at});
    }
  }
  // What the scheduler names no more needs no remembering.
  std::erase_if(finished_, [&](const LeaseRef& ref) { return !named.contains(ref); });
  // A lease that is being delivered may be missing because its commit has just arrived: the
  // delivery's own answer decides.
  return StopWhere([&](const HeldLease& held) {
    return held.phase != Phase::kSending && !named.contains(held.ref);
  });
}

std::vector<LeaseRef> Ledger::Expire(SteadyTime now) {
  // An outcome may be on its way still, and end the lease when it arrives: work on the same lease
  // is not begun anew where the scheduler offers it again.
  for (const HeldLease& held : held_) {
    if (held.stop_at <= now && IsComputed(held)) finished_.insert(held.ref);
  }
  return StopWhere([&](const HeldLease& held) { return held.stop_at <= now; });
}

void Ledger::Return(bool running_too) {
  StopWhere([&](const HeldLease& held) {
    return running_too || (held.phase != Phase::kRunning && !IsComputed(held));
  });
}

std::optional<SteadyTime> Ledger::NextExpiry() const {
  std::optional<SteadyTime> next;
  for (const HeldLease& held : held_) {
    if (!next || held.stop_at < *next) next = held.stop_at;
  }
  return next;
}

HeldLease* Ledger::Find(const LeaseRef& ref) {
  for (HeldLease& held : held_) {
    if (held.ref == ref) return &held;
  }
  return nullptr;
}

HeldLease* Ledger::First(Phase phase) {
  for (HeldLease& held : held_) {
    if (held.phase == phase) return &held;
  }
  return nullptr;
}

void Ledger::Finish(const LeaseRef& ref) {
  finished_.insert(ref);
  held_.remove_if([&](const HeldLease& held) { return held.ref == ref; });
}

template <typename Predicate>
std::vector<LeaseRef> Ledger::StopWhere(Predicate&& predicate) {
  std::vector<LeaseRef> stopped;
  for (auto held = held_.begin(); held != held_.end();) {
    if (!predicate(*held)) {
      ++held;
      continue;
    }
    held->stop.request_stop();
    stopped.push_back(held->ref);
    held = held_.erase(held);
  }
  return stopped;
}

}  // namespace inferon::worker
