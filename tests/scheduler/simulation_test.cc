// A seeded simulation of a scheduler and its workers: crashes, lost answers, late commits, failing
// experiments, expired leases, restarts. A history checker watches every step.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>
#include <set>

#include "common/base/hash.h"
#include "common/base/philox.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

constexpr int kSeedsInATest = 40;
constexpr int kSteps = 120;
constexpr std::uint64_t kExperiments = 24;

// What must hold at all times, from the outside.
class History {
 public:
  // A lease was given (or repeated) to a worker.
  void Given(const LeaseRef& lease, const std::string& worker) {
    Fence& last = fences_[lease.shard];
    const auto holder = holders_.find(lease.fence);
    if (holder != holders_.end()) {
      EXPECT_EQ(holder->second, worker) << "one fence, two holders";
      return;
    }
    EXPECT_GT(lease.fence, last) << "the fence of shard " << lease.shard << " fell";
    EXPECT_GT(lease.fence, highest_) << "a fence was given twice";
    last = highest_ = lease.fence;
    holders_[lease.fence] = worker;
  }
  // A commit was accepted.
  void Committed(const LeaseRef& lease, std::uint64_t first, std::uint32_t count, bool repeated) {
    if (repeated) {
      EXPECT_TRUE(accepted_.contains(lease.fence)) << "repeated before it was made";
      return;
    }
    EXPECT_EQ(lease.fence, fences_[lease.shard]) << "a stale lease was committed";
    EXPECT_TRUE(accepted_.insert(lease.fence).second);
    for (std::uint64_t e = first; e < first + count; ++e) {
      EXPECT_TRUE(done_.insert(e).second) << "experiment " << e << " was committed twice";
    }
  }
  const std::set<std::uint64_t>& done() const { return done_; }

 private:
  std::map<ShardId, Fence> fences_;
  std::map<Fence, std::string> holders_;
  std::set<Fence> accepted_;
  std::set<std::uint64_t> done_;
  Fence highest_ = 0;
};

struct Work {
  LeaseRef lease;
  ShardWork shard;
};

struct SimulatedWorker {
  std::string id;
  std::string session;
  std::vector<LeaseRef> held;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(StreamKey(seed, "simulation")) {
    limits_.retry = {2 + random_.Below(6), std::chrono::seconds(1), std::chrono::seconds(5)};
    limits_.lease_time = std::chrono::seconds(10);
    limits_.segment_bytes = 2000;
    for (int i = 0; i < 3; ++i) {
      workers_.push_back({fmt::format("w{}", i), NewSession(), {}});
    }
    for (std::uint64_t e = 0; e < kExperiments; ++e) {
      if (random_.Below(12) == 0) poison_.insert(e);
    }
    Restart();
    Submit();
  }

  void Run() {
    for (int i = 0; i < kSteps; ++i) Step();
    Finish();
    Check();
  }

 private:
  void Step() {
    SimulatedWorker& worker = workers_[random_.Below(3)];
    const std::uint32_t dice = random_.Below(100);
    if (dice < 30) {
      Beat(worker, random_.Below(3), random_.Below(10) == 0);
    } else if (dice < 70) {
      WorkOn(worker);
    } else if (dice < 78) {
      CommitLate();
    } else if (dice < 88) {
      clock_.Advance(std::chrono::milliseconds(random_.Below(9000)));
    } else if (dice < 92) {
      ASSERT_TRUE(core_->Tick());
    } else if (dice < 95) {
      worker = {worker.id, NewSession(), {}};  // The process died and another one started.
    } else if (dice < 98) {
      Submit();
    } else {
      Restart();
    }
  }

  void Beat(SimulatedWorker& worker, std::uint32_t wanted, bool answer_lost) {
    const Result<SyncAnswer> answer = core_->Synchronize(
        {worker.id, worker.session, EmulatorCapabilities(), worker.held, wanted, false});
    ASSERT_TRUE(answer) << answer.error().Text();
    for (const GivenLease& given : answer->leases) history_.Given(given.ref, worker.id);
    if (answer_lost) return;
    worker.held.clear();
    for (const GivenLease& given : answer->leases) worker.held.push_back(given.ref);
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
    const auto bad = poison_.lower_bound(shard->first);
    if (bad != poison_.end() && *bad < shard->first + shard->count) {
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
      history_.Committed(work.lease, work.shard.first, work.shard.count, *repeated);
    } else {
      EXPECT_EQ(repeated.error().code, ErrorCode::kAborted) << repeated.error().Text();
    }
  }

  // Any commit of the past, again or for the first time.
  void CommitLate() {
    if (!late_.empty()) Commit(late_[random_.Below(static_cast<std::uint32_t>(late_.size()))]);
  }

  void Submit() {
    JobRequest request = MakeRequest("job", kExperiments, 8);
    const Result<Job> job = core_->CreateJob(request);
    ASSERT_TRUE(job) << job.error().Text();
    EXPECT_TRUE(job_ == 0 || job_ == job->id) << "one request, two jobs";
    job_ = job->id;
  }

  void Restart() {
    core_.reset();
    Result<std::unique_ptr<Core>> core = OpenCore(folder_.path(), limits_, clock_);
    ASSERT_TRUE(core) << core.error().Text();
    core_ = std::move(*core);
  }

  // From here on everything works.
  void Finish() {
    for (int i = 0; i < 200 && !core_->GetJob(Name())->end_time; ++i) {
      clock_.Advance(std::chrono::seconds(11));
      Beat(workers_[0], 3, false);
      for (const LeaseRef& lease : std::vector(workers_[0].held)) {
        while (std::find(workers_[0].held.begin(), workers_[0].held.end(), lease) !=
               workers_[0].held.end()) {
          WorkOn(workers_[0]);
        }
      }
    }
  }

  void Check() {
    const Job job = core_->GetJob(Name()).value();
    EXPECT_EQ(job.experiments_done + job.experiments_failed, kExperiments);
    EXPECT_EQ(job.state, job.experiments_failed == 0 ? JobState::kSucceeded : JobState::kFailed);
    EXPECT_EQ(history_.done().size(), job.experiments_done);
    EXPECT_EQ(job.shards_open, 0u);
    EXPECT_EQ(job.shards_leased, 0u);
    Restart();
    std::uint64_t next = 0;
    for (const ResultChunk& chunk : ReadAll(*core_, Name())) {
      ASSERT_EQ(chunk.first, next);
      CheckChunk(chunk);
      next += chunk.count;
    }
    EXPECT_EQ(next, kExperiments);
  }

  void CheckChunk(const ResultChunk& chunk) {
    if (chunk.error.empty()) {
      const auto bad = poison_.lower_bound(chunk.first);
      EXPECT_TRUE(bad == poison_.end() || *bad >= chunk.first + chunk.count);
      EXPECT_TRUE(history_.done().contains(chunk.first));
      EXPECT_TRUE(chunk.frame == EncodeObservations(ResultOf(7, chunk.first, chunk.count, 20)));
      return;
    }
    // Dead: a poisonous one, or one whose workers died once too often; always alone.
    EXPECT_EQ(chunk.count, 1u);
    EXPECT_TRUE(chunk.frame.empty());
    EXPECT_FALSE(history_.done().contains(chunk.first));
    const bool lost = chunk.error.find("ran out") != std::string::npos;
    EXPECT_TRUE(lost || poison_.contains(chunk.first)) << chunk.error;
  }

  std::string Name() const { return JobName("default", job_); }
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
  std::set<std::uint64_t> poison_;  // Experiments that fail wherever they run.
  std::vector<Work> late_;
  History history_;
  JobId job_ = 0;
};

class SimulationTest : public testing::TestWithParam<int> {};

TEST_P(SimulationTest, EveryExperimentHasExactlyOneResult) {
  spdlog::set_level(spdlog::level::err);
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
