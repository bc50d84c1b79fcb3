// The worker's agent: keeps its leases, fetches shards ahead, runs them, delivers their results.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <variant>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/agent/ledger.h"
#include "worker/agent/link.h"
#include "worker/substrate.h"

namespace inferon::worker {

struct AgentOptions {
  int ahead = 1;                                      // Shards held beyond the running one.
  std::chrono::milliseconds call_timeout{5'000};      // Of a Synchronize.
  std::chrono::milliseconds first_retry{100};         // Pause after a failed call; doubles up to
  std::chrono::milliseconds max_retry{2'000};         // here.
  std::chrono::milliseconds drain_grace{3'000};       // For the running shard after a stop.
  std::chrono::milliseconds farewell_timeout{1'000};  // Of the last Synchronize.
};

// Three threads, one step each, that meet in the ledger: the heartbeat keeps leases and stops work
// that is lost or whose time is over, the transfer fetches and delivers, the runner computes. No
// call to the link or the substrate is made under the lock.
class Agent {
 public:
  // Link, substrate and clock outlive the agent.
  Agent(const AgentOptions& options, Link& link, Substrate& substrate, Clock& clock);

  // Works until a stop is requested: then finishes the running shard within the grace, gives the
  // others back and returns. kAborted where another process has taken over the worker's name;
  // other errors where the scheduler refuses this worker.
  Status Run(std::stop_token stop);

  // One round of each thread, for tests. A round waits for nothing but link and substrate.

  // Reports and obeys. Gives the pause before the next report; an error where the scheduler refuses
  // this worker for good.
  Result<std::chrono::nanoseconds> HeartbeatStep(std::stop_token stop);
  // Delivers the oldest outcome, else fetches the oldest lease; false where there is neither.
  bool TransferStep(std::stop_token stop);
  // Runs the oldest fetched shard; false where there is none.
  bool RunnerStep();

 private:
  void HeartbeatLoop(std::stop_token stop);
  void TransferLoop(std::stop_token stop);
  void RunnerLoop(std::stop_token stop);

  std::chrono::nanoseconds SynchronizeTimeout(SteadyTime now) const;  // Under mu_.
  std::chrono::nanoseconds PauseAfterFailure(const Error& error);     // Under mu_.
  // False where it is worth trying again after a pause. `lease` is the lease's stop token.
  bool Deliver(const LeaseRef& ref, std::stop_token lease,
               const std::variant<Outcome, Error>& outcome);
  bool Fetch(const LeaseRef& ref, std::stop_token lease);
  Status Send(const LeaseRef& ref, std::stop_token lease,
              const std::variant<Outcome, Error>& outcome);
  void EndRun(const LeaseRef& ref, std::stop_token lease, std::variant<Outcome, Error> outcome);
  // The held lease, unless it was lost meanwhile (and perhaps given again: then its token is
  // another). Under mu_.
  HeldLease* Still(const LeaseRef& ref, const std::stop_token& lease);
  void Drain();
  void WakeHeartbeat();  // Under mu_.

  const AgentOptions options_;
  Link& link_;
  Substrate& substrate_;
  Clock& clock_;

  std::mutex mu_;
  std::condition_variable_any changed_;  // The ledger changed.
  Ledger ledger_;                        // Guarded by mu_, as is all below.
  std::stop_source wake_;                // Ends the heartbeat's pause.
  bool draining_ = false;
  bool operator_drains_ = false;
  bool reachable_ = true;  // So that losing the scheduler is logged once.
  bool healthy_ = true;
  std::chrono::milliseconds retry_;
  std::optional<Error> refused_;  // Why the scheduler does not want this worker.
};

}  // namespace inferon::worker
