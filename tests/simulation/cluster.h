// A scheduler's core, workers that keep their leases with the real ledger, clients and operators,
// on a bad network and a bad disk, on a virtual clock.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/scheduler/store.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"
#include "worker/agent/ledger.h"

namespace inferon::scheduler {

class Cluster {
 public:
  explicit Cluster(std::uint64_t seed);
  // Lives through the faults, then without them to the end of all jobs, and checks everything.
  void Run();

 private:
  using Duration = World::Duration;
  struct Node {
    int index = 0;
    std::string id;
    std::string session;
    std::uint64_t life = 0;  // Rises when the process dies: its events are void then.
    SteadyTime frozen_until{};
    std::optional<worker::Ledger> ledger{1};  // Always there; another one for each life.
    std::map<worker::LeaseRef, ShardWork> work;
    std::map<worker::LeaseRef, std::size_t> running;  // Place in spans_.
    std::set<std::uint64_t> begun;                    // Fences of leases that it has run.
  };
  // A substrate at work.
  struct Span {
    int node;
    std::string job;
    std::uint64_t first;
    std::uint32_t count;
    SteadyTime begin;
    std::optional<SteadyTime> end;
  };

  // The scheduler.
  void Start();
  void TickOften();
  void BeforeCommit();
  template <typename T>
  Result<T> Serve(const std::function<Result<T>()>& body);
  template <typename T>
  void Call(int node, std::function<Result<T>()> serve, std::function<void(const Result<T>&)> done);

  // Clients and operators.
  void Submit(int index);
  void Operate();
  std::string NameOf(int index) const;

  // Workers. `Later` is void in the node's next life and waits while it is frozen.
  void Later(Node& node, Duration delay, std::function<void()> event);
  void Live(Node& node);
  void Die(Node& node);
  void Heartbeat(Node& node);
  Result<SyncAnswer> Synchronize(const std::string& id, const std::string& session,
                                 const worker::WorkerReport& report);
  void Obey(Node& node, const SyncAnswer& answer, SteadyTime sent_at);
  void ExpireLater(Node& node);
  void EndSpans(Node& node, const std::vector<worker::LeaseRef>& refs);
  void Pump(Node& node);
  void Fetch(Node& node, worker::HeldLease& held);
  void RunShard(Node& node, worker::HeldLease& held);
  void EndRun(Node& node, const worker::LeaseRef& ref, const std::stop_token& token);
  void Deliver(Node& node, worker::HeldLease& held);
  Status Commit(const LeaseRef& lease, const ShardWork& work);

  void GoWrong();
  void Heal();
  bool AllEnded();
  void CheckSpans() const;
  void CheckJobs();

  World world_;
  const bool calm_;  // Nothing takes a lease back but its end: then no two substrates run the same.
  const bool sqlite_;
  TemporaryFolder folder_;
  Limits limits_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Core> core_;
  SteadyTime disk_slow_until_{};
  SteadyTime disk_full_until_{};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<int, JobId> jobs_;
  std::set<int> cancelled_;
  std::set<std::uint64_t> poison_;   // Experiments that fail wherever they run.
  std::set<std::uint64_t> killers_;  // Experiments that end their worker.
  History history_;
  std::vector<Span> spans_;
  bool healed_ = false;
};

}  // namespace inferon::scheduler
