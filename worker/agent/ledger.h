// The leases that a worker holds and how far each has got: decides, and does nothing.
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/agent/link.h"

namespace inferon::worker {

// A finished run: the encoded observations.
struct Outcome {
  std::string frame;
  double substrate_seconds = 0;
};

// Ways of a lease: leased → fetching → ready → running → outcome → sending; a failure of fetching
// or running is an outcome too.
enum class Phase { kLeased, kFetching, kReady, kRunning, kOutcome, kSending };

struct HeldLease {
  LeaseRef ref;
  SteadyTime stop_at;  // Work on it ends here, a margin before the scheduler's deadline.
  Phase phase = Phase::kLeased;
  std::stop_source stop;                 // Ends whatever is done for this lease.
  ShardWork work;                        // From kReady on.
  std::variant<Outcome, Error> outcome;  // From kOutcome on.
};

// Not thread-safe: the agent's lock guards it. References stay valid until their lease is removed.
class Ledger {
 public:
  // `ahead`: shards that are held beyond the running one, so that the next is there when it ends.
  explicit Ledger(int ahead) : ahead_(ahead) {}

  // What to tell the scheduler. When accepting nothing new, wanted is 0.
  WorkerReport Report(bool accepting, bool draining) const;
  // Takes the scheduler's answer to a report sent at `sent_at` (deadlines count from there, so that
  // the answer's way is on the safe side). Stops and removes what is lost; returns it.
  std::vector<LeaseRef> Apply(const Orders& orders, SteadyTime sent_at);
  // Stops and removes leases whose time is over; returns them.
  std::vector<LeaseRef> Expire(SteadyTime now);
  // Stops and removes leases that no run has begun for; all of them with `running_too`.
  void Return(bool running_too);
  // When the next lease expires.
  std::optional<SteadyTime> NextExpiry() const;

  HeldLease* Find(const LeaseRef& ref);
  // The oldest lease in a phase; null where there is none.
  HeldLease* First(Phase phase);
  // Removes a lease that is done with. The scheduler may still name it in an answer under way.
  void Finish(const LeaseRef& ref);

  bool empty() const { return held_.empty(); }
  std::size_t size() const { return held_.size(); }

 private:
  template <typename Predicate>
  std::vector<LeaseRef> StopWhere(Predicate&& predicate);

  const int ahead_;
  std::list<HeldLease> held_;    // In order of arrival.
  std::set<LeaseRef> finished_;  // Removed here, perhaps not yet known to the scheduler.
};

}  // namespace inferon::worker
