// A seeded simulation of a scheduler, its workers and its operators: crashes, lost answers, late
// commits, experiments that fail or kill their workers, expired leases, restarts; projects, pauses,
// cancellations, drained and reserved workers. A history checker watches every step.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <map>
#include <set>

#include "common/base/hash.h"
#include "common/base/philox.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "tests/simulation/outcome.h"

namespace inferon::scheduler {
namespace {

constexpr int kSeedsInATest = 40;
constexpr int kSteps = 120;
constexpr std::uint64_t kExperiments = 12;  // Of a job.
constexpr std::uint32_t kJobs = 3;          // The last one may be cancelled.
constexpr std::uint32_t kWorkers = 3;

struct Work {
  LeaseRef lease;
  ShardWork shard;
};

struct SimulatedWorker {
  std::string id;
  std::string session;
  std::vector<LeaseRef> held;
  bool drained = false;
  std::string reserved;  // Project that it is kept for; empty: none.
  std::uint64_t reservation = 0;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(StreamKey(seed, "simulation")) {
    limits_.retry = {.max_attempts = 2 + random_.Below(6),
                     .first_backoff = std::chrono::seconds(1),
                     .max_backoff = std::chrono::seconds(5),
                     .max_losses = 1 + random_.Below(3),
                     .max_losses_alone = 12};
    limits_.lease_time = std::chrono::seconds(10);
    limits_.segment_bytes = 2000;
    for (std::uint32_t i = 0; i < kWorkers; ++i) {
      workers_.push_back({.id = fmt::format("w{}", i), .session = NewSession()});
    }
    for (std::uint64_t e = 0; e < kExperiments; ++e) {
      if (random_.Below(12) == 0) poison_.insert(e);
      if (random_.Below(20) == 0) killers_.insert(e);
    }
    Restart();
    for (std::uint32_t i = 0; i < kJobs; ++i) Submit(i);
  }

  void Run() {
    for (int i = 0; i < kSteps; ++i) Step();
    Finish();
    Restart();
    for (std::uint32_t i = 0; i < kJobs; ++i) Check(i);
  }

 private:
  void Step() {
    SimulatedWorker& worker = workers_[random_.Below(kWorkers)];
    const std::uint32_t dice = random_.Below(100);
    if (dice < 30) {
      Beat(worker, random_.Below(3), random_.Below(10) == 0);
    } else if (dice < 66) {
      WorkOn(worker);
    } else if (dice < 73) {
      CommitLate();
    } else if (dice < 82) {
      clock_.Advance(std::chrono::milliseconds(random_.Below(9000)));
    } else if (dice < 86) {
      ASSERT_TRUE(core_->Tick());
    } else if (dice < 88) {
      Replace(worker);
    } else if (dice < 91) {
      Submit(random_.Below(kJobs));
    } else if (dice < 97) {
      Operate(worker);
    } else {
      Restart();
    }
  }

  void Operate(SimulatedWorker& worker) {
    const std::uint32_t job = random_.Below(kJobs);
    switch (random_.Below(4)) {
      case 0:
        return Pause(job, !paused_.contains(jobs_[job]));
      case 1:
        return Drain(worker, !worker.drained);
      case 2:
        return worker.reservation == 0 ? Reserve(worker) : Release(worker);
      default:
        if (random_.Below(4) == 0) Cancel(kJobs - 1);
    }
  }

  void Pause(std::uint32_t index, bool pause) {
    const Result<Job> job = pause ? core_->PauseJob(Name(index)) : core_->ResumeJob(Name(index));
    if (!job) {
      EXPECT_EQ(job.error().code, ErrorCode::kFailedPrecondition) << "only where it has ended";
      EXPECT_TRUE(core_->GetJob(Name(index))->end_time.has_value());
      return;
    }
    EXPECT_EQ(job->paused, pause);
    EXPECT_TRUE(!pause || job->shards_leased == 0);
    if (pause) {
      paused_.insert(job->id);
    } else {
      paused_.erase(job->id);
    }
  }

  void Drain(SimulatedWorker& worker, bool drain) {
    const auto view = drain ? core_->DrainWorker(worker.id, "") : core_->ResumeWorker(worker.id);
    if (view) worker.drained = drain;  // Else it has never called.
  }

  void Reserve(SimulatedWorker& worker) {
    const std::string project = random_.Below(2) == 0 ? "p0" : "nobody";
    const WallTime now = clock_.WallNow();
    const auto made = core_->CreateReservation(
        {0, worker.id, project == "nobody" ? "" : project, now, now + std::chrono::hours(100), ""});
    if (!made) return;
    worker.reserved = project;
    worker.reservation = made->id;
  }

  void Release(SimulatedWorker& worker) {
    if (worker.reservation == 0) return;
    EXPECT_TRUE(core_->DeleteReservation(worker.reservation));
    worker.reservation = 0;
    worker.reserved.clear();
  }

  void Cancel(std::uint32_t index) {
    const Result<Job> job = core_->CancelJob(Name(index));
    if (job) {
      cancelled_.insert(job->id);
      EXPECT_EQ(job->shards_leased, 0u);
    }
  }

  // The process died and another one started.
  void Replace(SimulatedWorker& worker) {
    worker.session = NewSession();
    worker.held.clear();
  }

  void Beat(SimulatedWorker& worker, std::uint32_t wanted, bool answer_lost) {
    const Result<SyncAnswer> answer = core_->Synchronize(
        {worker.id, worker.session, EmulatorCapabilities(), worker.held, wanted, false});
    ASSERT_TRUE(answer) << answer.error().Text();
    EXPECT_EQ(answer->drain, worker.drained);
    for (const GivenLease& given : answer->leases) {
      const bool fresh = !given_.contains(given.ref.fence);
      history_.Given(given.ref, worker.id);
      if (fresh) CheckGiven(worker, given.ref);
      given_.insert(given.ref.fence);
    }
    if (answer_lost) return;
    worker.held.clear();
    for (const GivenLease& given : answer->leases) worker.held.push_back(given.ref);
  }

  // A lease that was given just now was to be given to this worker.
  void CheckGiven(const SimulatedWorker& worker, const LeaseRef& lease) {
    EXPECT_FALSE(worker.drained) << "a drained worker got a shard";
    const Result<ShardWork> work = core_->GetShard(lease);
    ASSERT_TRUE(work) << work.error().Text();
    const JobKey key = ParseJobName(work->job).value();
    EXPECT_FALSE(paused_.contains(key.job)) << "a shard of a paused job was given";
    EXPECT_FALSE(cancelled_.contains(key.job)) << "a shard of a cancelled job was given";
    EXPECT_TRUE(worker.reserved.empty() || worker.reserved == key.project)
        << "a worker that is kept for " << worker.reserved << " got a shard of " << key.project;
  }

  // Takes one of its leases as far as it comes: fetched, failed, uploaded or committed.
  void WorkOn(SimulatedWorker& worker) {
    if (worker.held.empty()) return;
    const LeaseRef lease =
        worker.held[random_.Below(static_cast<std::uint32_t>(worker.held.size()))];
    const Result<ShardWork> shard = core_->GetShard(lease);
    if (!shard) {
      EXPECT_EQ(shard.error().code, ErrorCode::kAborted);
      std::erase(worker.held, lease);
      return;
    }
    if (HoldsOne(killers_, shard->first, shard->count)) return Replace(worker);
    if (HoldsOne(poison_, shard->first, shard->count)) {
      const Status told = core_->FailShard(lease, "poison", true);
      EXPECT_TRUE(told || told.error().code == ErrorCode::kAborted);  // It ran out just now.
      std::erase(worker.held, lease);
      return;
    }
    ASSERT_TRUE(Stage(*core_, lease, FrameOf(*shard)));
    late_.push_back({lease, *shard});
    if (random_.Below(4) == 0) return;  // The commit comes late, or never.
    Commit(late_.back());
    if (random_.Below(5) != 0) std::erase(worker.held, lease);  // Else its answer was lost.
  }

  void Commit(const Work& work) {
    const Result<bool> repeated = core_->CommitShard(work.lease, Sha256Hex(FrameOf(work.shard)), 1);
    if (repeated) {
      history_.Committed(work.lease, ParseJobName(work.shard.job)->job, work.shard.first,
                         work.shard.count, *repeated);
    } else {
      EXPECT_EQ(repeated.error().code, ErrorCode::kAborted) << repeated.error().Text();
    }
  }

  // Any commit of the past, again or for the first time.
  void CommitLate() {
    if (!late_.empty()) Commit(late_[random_.Below(static_cast<std::uint32_t>(late_.size()))]);
  }

  void Submit(std::uint32_t index) {
    JobRequest request = MakeRequest(fmt::format("job-{}", index), kExperiments, 6);
    request.project = ProjectOf(index);
    const Result<Job> job = core_->CreateJob(request);
    ASSERT_TRUE(job) << job.error().Text();
    EXPECT_TRUE(!jobs_.contains(index) || jobs_[index] == job->id) << "one request, two jobs";
    jobs_[index] = job->id;
  }

  void Restart() {
    core_.reset();
    Result<std::unique_ptr<Core>> core = OpenCore(folder_.path(), limits_, clock_);
    ASSERT_TRUE(core) << core.error().Text();
    core_ = std::move(*core);
  }

  bool AllEnded() {
    for (std::uint32_t i = 0; i < kJobs; ++i) {
      if (!core_->GetJob(Name(i))->end_time) return false;
    }
    return true;
  }

  // From here on everything works, but for the experiments that do not.
  void Finish() {
    for (SimulatedWorker& worker : workers_) {
      Drain(worker, false);
      Release(worker);
    }
    for (std::uint32_t i = 0; i < kJobs; ++i) {
      if (paused_.contains(jobs_[i])) Pause(i, false);
    }
    SimulatedWorker& worker = workers_[0];
    for (int i = 0; i < 400 && !AllEnded(); ++i) {
      clock_.Advance(std::chrono::seconds(11));
      Beat(worker, 3, false);
      for (const LeaseRef& lease : std::vector(worker.held)) {
        while (std::find(worker.held.begin(), worker.held.end(), lease) != worker.held.end()) {
          WorkOn(worker);
        }
      }
    }
  }

  void Check(std::uint32_t index) {
    std::set<std::uint64_t> harmful = poison_;
    harmful.insert(killers_.begin(), killers_.end());
    const bool cancelled = cancelled_.contains(jobs_[index]);
    CheckOutcome(*core_, {Name(index), kExperiments, harmful, cancelled}, history_);
  }

  static std::string ProjectOf(std::uint32_t index) { return fmt::format("p{}", index % 2); }
  std::string Name(std::uint32_t index) { return JobName(ProjectOf(index), jobs_[index]); }
  std::string NewSession() {
    std::string session;
    for (int i = 0; i < 16; ++i) session.push_back("0123456789abcdef"[random_.Below(16)]);
    return session;
  }

  PhiloxSequence random_;
  TemporaryFolder folder_;
  FakeClock clock_;
  Limits limits_;
  std::unique_ptr<Core> core_;
  std::vector<SimulatedWorker> workers_;
  std::set<std::uint64_t> poison_;   // Experiments that fail wherever they run.
  std::set<std::uint64_t> killers_;  // Experiments that end their worker.
  std::vector<Work> late_;
  History history_;
  std::set<Fence> given_;
  std::map<std::uint32_t, JobId> jobs_;
  std::set<JobId> paused_;
  std::set<JobId> cancelled_;
};

class SimulationTest : public testing::TestWithParam<int> {};

TEST_P(SimulationTest, EveryExperimentHasExactlyOneResult) {
  spdlog::set_level(spdlog::level::off);
  for (int i = 0; i < kSeedsInATest; ++i) {
    const int seed = GetParam() * kSeedsInATest + i;
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Simulation(static_cast<std::uint64_t>(seed)).Run();
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimulationTest, testing::Range(0, 10));

}  // namespace
}  // namespace inferon::scheduler
