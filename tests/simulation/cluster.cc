#include "tests/simulation/cluster.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "common/base/hash.h"
#include "tests/scheduler/faulty_store.h"
#include "tests/simulation/outcome.h"

namespace inferon::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using worker::Phase;

constexpr int kWorkers = 4;
constexpr int kClient = kWorkers;  // Node number of the client.
constexpr int kJobs = 3;           // The last one may be cancelled.
constexpr std::uint64_t kExperiments = 12;
constexpr seconds kFaultyTime{60};
constexpr hours kLongest{6};

LeaseRef ToServer(const worker::LeaseRef& ref) { return {ref.shard, ref.fence}; }

}  // namespace

Cluster::Cluster(std::uint64_t seed) : world_(seed), calm_(seed % 2 == 0), sqlite_(seed % 8 == 1) {
  limits_.retry = {.max_attempts = 2 + world_.random().Below(4),
                   .first_backoff = seconds(1),
                   .max_backoff = seconds(5),
                   .max_losses = 1 + world_.random().Below(3),
                   .max_losses_alone = 20};
  limits_.lease_time = seconds(10);
  limits_.segment_bytes = 2000;
  for (std::uint64_t e = 0; e < kExperiments; ++e) {
    if (world_.Chance(8)) poison_.insert(e);
    if (world_.Chance(2)) killers_.insert(e);
  }
  store_ = sqlite_ ? OpenSqliteStore(folder_.path() / "scheduler.db").value() : MakeMemoryStore();
  for (int i = 0; i < kWorkers; ++i) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->index = i;
    nodes_.back()->id = fmt::format("w{}", i);
  }
}

void Cluster::Run() {
  Start();
  TickOften();
  for (int i = 0; i < kJobs; ++i) Submit(i);
  for (auto& node : nodes_) Live(*node);
  GoWrong();
  const SteadyTime begin = world_.now();
  while (world_.now() < begin + kFaultyTime) world_.Step();
  Heal();
  while (!AllEnded()) {
    world_.Step();
    ASSERT_LT(world_.now(), begin + kLongest) << "the jobs do not end";
  }
  Start();
  CheckJobs();
  if (calm_) CheckSpans();
}

// What memory had is gone; the disk is as it was.
void Cluster::Start() {
  core_.reset();
  core_ = std::make_unique<Core>(std::make_unique<FaultyStore>(store_, [this] { BeforeCommit(); }),
                                 folder_.path(), limits_, world_.server_clock());
}

void Cluster::TickOften() {
  if (core_)
    Serve<Job>([this]() -> Result<Job> {
      if (Status done = core_->Tick(); !done) return tl::unexpected(done.error());
      return Job{};
    });
  world_.After(seconds(2), [this] { TickOften(); });
}

void Cluster::BeforeCommit() {
  if (world_.now() < disk_full_until_) {
    throw std::system_error(ENOSPC, std::generic_category(), "commit");
  }
  if (world_.now() < disk_slow_until_) {
    const bool very = world_.Chance(5);
    world_.server_clock().Advance(world_.Between(milliseconds(1), milliseconds(very ? 9000 : 300)));
  }
}

template <typename T>
Result<T> Cluster::Serve(const std::function<Result<T>()>& body) {
  if (!core_) return Fail(ErrorCode::kUnavailable, "the scheduler is down");
  try {
    return body();
  } catch (const std::system_error&) {
    return Fail(ErrorCode::kInternal, "the disk is full");
  }
}

template <typename T>
void Cluster::Call(int node, std::function<Result<T>()> serve,
                   std::function<void(const Result<T>&)> done) {
  world_.Call<T>(
      node, seconds(4), [this, serve = std::move(serve)] { return Serve<T>(serve); },
      std::move(done));
}

std::string Cluster::NameOf(int index) const {
  return JobName(fmt::format("p{}", index % 2), jobs_.at(index));
}

// Until it is accepted, and once more now and then.
void Cluster::Submit(int index) {
  JobRequest request = MakeRequest(fmt::format("job-{}", index), kExperiments, 6);
  request.project = fmt::format("p{}", index % 2);
  Call<Job>(
      kClient, [this, request] { return core_->CreateJob(request); },
      [this, index](const Result<Job>& job) {
        if (job) {
          EXPECT_TRUE(!jobs_.contains(index) || jobs_[index] == job->id) << "one request, two jobs";
          jobs_[index] = job->id;
        }
        if (!job || (!healed_ && world_.Chance(50))) {
          world_.After(seconds(1), [this, index] { Submit(index); });
        }
      });
}

void Cluster::Operate() {
  if (!core_ || calm_) return;
  const int index = static_cast<int>(world_.random().Below(kJobs));
  if (!jobs_.contains(index)) return;
  const std::string& worker = nodes_[world_.random().Below(kWorkers)]->id;
  const std::uint32_t what = world_.random().Below(10);
  try {
    if (what < 3) static_cast<void>(core_->PauseJob(NameOf(index)));
    if (what >= 3 && what < 6) static_cast<void>(core_->ResumeJob(NameOf(index)));
    if (what == 6) static_cast<void>(core_->DrainWorker(worker, ""));
    if (what == 7) static_cast<void>(core_->ResumeWorker(worker));
    if (what == 8 && index == kJobs - 1 && core_->CancelJob(NameOf(index))) {
      cancelled_.insert(index);
    }
  } catch (const std::system_error&) {
    // The disk is full: nothing has happened.
  }
}

void Cluster::Later(Node& node, Duration delay, std::function<void()> event) {
  world_.After(delay, [this, &node, life = node.life, event = std::move(event)] {
    if (node.life != life) return;
    if (world_.now() < node.frozen_until) {
      Later(node, node.frozen_until - world_.now(), event);
    } else {
      event();
    }
  });
}

void Cluster::Live(Node& node) {
  node.session.clear();
  for (int i = 0; i < 16; ++i) {
    node.session.push_back("0123456789abcdef"[world_.random().Below(16)]);
  }
  Heartbeat(node);
}

void Cluster::Die(Node& node) {
  ++node.life;
  for (const auto& [ref, place] : node.running) spans_[place].end = world_.now();
  node.running.clear();
  node.work.clear();
  node.ledger.emplace(1);
  node.frozen_until = {};
  Later(node, world_.Between(milliseconds(10), seconds(3)), [this, &node] { Live(node); });
}

// As the agent does: one call at a time, whatever becomes of it.
void Cluster::Heartbeat(Node& node) {
  const worker::WorkerReport report = node.ledger->Report(true, false);
  const SteadyTime sent_at = world_.now();
  Call<SyncAnswer>(
      node.index,
      [this, &node, life = node.life, session = node.session, report]() -> Result<SyncAnswer> {
        // A first call that comes after its successor's takes the name over: nothing orders the
        // two.
        if (calm_ && node.life != life) return Fail(ErrorCode::kUnavailable, "it is dead");
        return Synchronize(node.id, session, report);
      },
      [this, &node, life = node.life, sent_at](const Result<SyncAnswer>& answer) {
        if (node.life != life) return;
        Later(node, Duration(0), [this, &node, answer, sent_at] {
          if (!answer && answer.error().code == ErrorCode::kAborted) return Die(node);
          if (answer) Obey(node, *answer, sent_at);
          EndSpans(node, node.ledger->Expire(world_.now()));
          Pump(node);
          Later(node, answer ? answer->next : Duration(milliseconds(300)),
                [this, &node] { Heartbeat(node); });
        });
      });
}

Result<SyncAnswer> Cluster::Synchronize(const std::string& id, const std::string& session,
                                        const worker::WorkerReport& report) {
  SyncRequest request{id, session, EmulatorCapabilities(), {}, 0, report.draining};
  request.wanted = static_cast<std::uint32_t>(report.wanted);
  for (const worker::LeaseRef& ref : report.leases) request.leases.push_back(ToServer(ref));
  Result<SyncAnswer> answer = core_->Synchronize(request);
  if (!answer) return answer;
  for (const GivenLease& given : answer->leases) history_.Given(given.ref, id);
  return answer;
}

void Cluster::Obey(Node& node, const SyncAnswer& answer, SteadyTime sent_at) {
  worker::Orders orders;
  for (const GivenLease& given : answer.leases) {
    orders.leases.push_back({{given.ref.shard, given.ref.fence}, given.left});
  }
  EndSpans(node, node.ledger->Apply(orders, sent_at));
  ExpireLater(node);
}

void Cluster::ExpireLater(Node& node) {
  const auto next = node.ledger->NextExpiry();
  if (!next) return;
  Later(node, std::max(Duration(0), Duration(*next - world_.now())), [this, &node] {
    EndSpans(node, node.ledger->Expire(world_.now()));
    Pump(node);
    ExpireLater(node);  // Of the next one.
  });
}

void Cluster::EndSpans(Node& node, const std::vector<worker::LeaseRef>& refs) {
  for (const worker::LeaseRef& ref : refs) {
    const auto running = node.running.find(ref);
    if (running == node.running.end()) continue;
    spans_[running->second].end = world_.now();
    node.running.erase(running);
  }
}

void Cluster::Pump(Node& node) {
  if (worker::HeldLease* done = node.ledger->First(Phase::kOutcome)) Deliver(node, *done);
  if (worker::HeldLease* fresh = node.ledger->First(Phase::kLeased)) Fetch(node, *fresh);
  worker::HeldLease* ready = node.ledger->First(Phase::kReady);
  if (ready != nullptr && node.running.empty()) RunShard(node, *ready);
}

void Cluster::Fetch(Node& node, worker::HeldLease& held) {
  held.phase = Phase::kFetching;
  const worker::LeaseRef ref = held.ref;
  Call<ShardWork>(
      node.index, [this, ref] { return core_->GetShard(ToServer(ref)); },
      [this, &node, ref, life = node.life,
       token = held.stop.get_token()](const Result<ShardWork>& work) {
        if (node.life != life) return;
        Later(node, Duration(0), [this, &node, ref, token, work] {
          worker::HeldLease* still = node.ledger->Find(ref);
          if (still == nullptr || still->stop.get_token() != token) return;
          if (work) {
            node.work[ref] = *work;
            still->phase = Phase::kReady;
          } else if (work.error().code == ErrorCode::kAborted) {
            node.ledger->Finish(ref);
          } else {
            still->phase = Phase::kLeased;
            return Later(node, milliseconds(200), [this, &node] { Pump(node); });
          }
          Pump(node);
        });
      });
}

void Cluster::RunShard(Node& node, worker::HeldLease& held) {
  held.phase = Phase::kRunning;
  const ShardWork& work = node.work.at(held.ref);
  node.running[held.ref] = spans_.size();
  spans_.push_back({node.index, work.job, work.first, work.count, world_.now(), std::nullopt});
  Later(node, world_.Between(milliseconds(100), milliseconds(8000)),
        [this, &node, ref = held.ref, token = held.stop.get_token()] { EndRun(node, ref, token); });
}

void Cluster::EndRun(Node& node, const worker::LeaseRef& ref, const std::stop_token& token) {
  if (token.stop_requested()) return Pump(node);
  EndSpans(node, {ref});
  const ShardWork& work = node.work.at(ref);
  if (HoldsOne(killers_, work.first, work.count)) return Die(node);
  node.ledger->Find(ref)->phase = Phase::kOutcome;
  Pump(node);
}

void Cluster::Deliver(Node& node, worker::HeldLease& held) {
  held.phase = Phase::kSending;
  const worker::LeaseRef ref = held.ref;
  Call<bool>(
      node.index,
      [this, ref, work = node.work.at(ref)]() -> Result<bool> {
        if (Status done = Commit(ToServer(ref), work); !done) return tl::unexpected(done.error());
        return true;
      },
      [this, &node, ref, life = node.life,
       token = held.stop.get_token()](const Result<bool>& answer) {
        if (node.life != life) return;
        Later(node, Duration(0), [this, &node, ref, token, answer] {
          worker::HeldLease* still = node.ledger->Find(ref);
          if (still == nullptr || still->stop.get_token() != token) return;
          if (answer || answer.error().code == ErrorCode::kAborted) {
            node.ledger->Finish(ref);
            return Pump(node);
          }
          still->phase = Phase::kOutcome;
          Later(node, milliseconds(200), [this, &node] { Pump(node); });
        });
      });
}

// On the server: a whole upload and its commit, or the report of a failure.
Status Cluster::Commit(const LeaseRef& lease, const ShardWork& work) {
  if (HoldsOne(poison_, work.first, work.count)) return core_->FailShard(lease, "poison", true);
  const std::string frame = FrameOf(work);
  const Status staged = Stage(*core_, lease, frame);
  // Of a lease that is over; the commit may still have been made.
  if (!staged && staged.error().code != ErrorCode::kAborted) return staged;
  const Result<bool> repeated = core_->CommitShard(lease, Sha256Hex(frame), 1);
  if (!repeated) {
    EXPECT_EQ(repeated.error().code, ErrorCode::kAborted) << repeated.error().Text();
    return tl::unexpected(repeated.error());
  }
  history_.Committed(lease, ParseJobName(work.job)->job, work.first, work.count, *repeated);
  return {};
}

void Cluster::GoWrong() {
  if (healed_) return;
  Node& node = *nodes_[world_.random().Below(kWorkers)];
  const std::uint32_t what = world_.random().Below(calm_ ? 6 : 11);
  if (what < 2) world_.Cut(node.index, world_.Between(seconds(1), seconds(30)));
  if (what == 2) Die(node);
  if (what == 3) disk_slow_until_ = world_.now() + world_.Between(seconds(1), seconds(10));
  if (what == 4) disk_full_until_ = world_.now() + world_.Between(milliseconds(1), seconds(5));
  if (what == 5) {
    world_.server_clock().JumpWall(world_.Between(hours(-48), hours(48)));
  }
  if (what == 6) node.frozen_until = world_.now() + world_.Between(seconds(1), seconds(30));
  if (what == 7) world_.SkewServer(world_.Between(seconds(1), seconds(60)));
  if (what == 8) {
    core_.reset();
    world_.After(world_.Between(milliseconds(1), seconds(10)), [this] {
      disk_full_until_ = disk_slow_until_ = {};
      if (!core_) Start();
    });
  }
  if (what > 8) Operate();
  world_.After(world_.Between(milliseconds(200), seconds(6)), [this] { GoWrong(); });
}

void Cluster::Heal() {
  healed_ = true;
  world_.Heal();
  disk_full_until_ = disk_slow_until_ = {};
  if (!core_) Start();
  for (auto& node : nodes_) {
    node->frozen_until = {};
    static_cast<void>(core_->ResumeWorker(node->id));
  }
  for (const auto& [index, id] : jobs_) static_cast<void>(core_->ResumeJob(NameOf(index)));
}

bool Cluster::AllEnded() {
  for (int i = 0; i < kJobs; ++i) {
    if (!jobs_.contains(i) || !core_->GetJob(NameOf(i))->end_time) return false;
  }
  return true;
}

// No experiment ran on two substrates at the same time.
void Cluster::CheckSpans() const {
  for (const Span& a : spans_) {
    for (const Span& b : spans_) {
      const bool later = &b > &a && a.node != b.node && a.job == b.job;
      const bool same = a.first < b.first + b.count && b.first < a.first + a.count;
      if (!later || !same) continue;
      const bool apart = (a.end && *a.end <= b.begin) || (b.end && *b.end <= a.begin);
      EXPECT_TRUE(apart) << "w" << a.node << " and w" << b.node << " ran " << b.first
                         << " at the same time";
    }
  }
}

void Cluster::CheckJobs() {
  std::set<std::uint64_t> harmful = poison_;
  harmful.insert(killers_.begin(), killers_.end());
  for (int i = 0; i < kJobs; ++i) {
    CheckOutcome(*core_, {NameOf(i), kExperiments, harmful, cancelled_.contains(i)}, history_);
  }
}

}  // namespace inferon::scheduler
