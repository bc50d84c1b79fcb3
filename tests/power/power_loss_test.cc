// Power is lost after every single operation on the disk: a scheduler is run with its files
// recorded, then started on what a power loss at each point could have left. What it had
// acknowledged is there, whole and once; what it had not is there whole or not at all; and it goes
// on to the end from there.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "common/sqlite/sqlite.h"
#include "tests/power/disk_log.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using power::DiskLog;
using power::DiskModel;
using power::DiskOp;
using power::Image;
using power::Loss;

constexpr int kCheckpointPages = 24;  // Small, so that the workload checkpoints often.
constexpr int kParts = 4;             // Tests that share the sweep.

Limits SmallLimits() {
  Limits limits;
  limits.segment_bytes = 6000;  // A few frames.
  limits.retry.max_attempts = 1;
  return limits;
}

JobRequest RequestOf(int index) {
  constexpr std::size_t kSets[] = {6, 300, 4, 40};
  constexpr std::uint32_t kShard[] = {2, 100, 2, 8};
  JobRequest request = MakeRequest(fmt::format("job-{}", index), kSets[index], kShard[index]);
  request.spec.seed = static_cast<std::uint64_t>(100 + index);
  return request;
}

// What the scheduler has told, and after which operation of the disk.
struct Told {
  struct Done {
    std::size_t at;
    std::string job;
    std::uint64_t first;
    std::uint32_t count;
  };
  std::map<std::string, std::pair<std::size_t, int>> jobs;  // Name -> when, index.
  std::vector<Done> done;
  std::map<std::string, std::size_t> cancelled;
  std::map<std::string, std::size_t> purge_begun;  // Its results may be gone from here on.
  std::vector<std::pair<std::size_t, Fence>> fences;
};

// Runs jobs through everything that writes, with the disk recorded.
class Workload {
 public:
  Workload() : log_(folder_.path()) {
    sqlite::RecordingVfs vfs(log_, kCheckpointPages);
    Start();
    Submit(0);
    Submit(1);
    Work(2);
    FailOne();
    Submit(2);
    Work(3);
    Start();
    Cancel(2);
    Work(2);
    Purge();
    Submit(3);
    Work(3);
    Start();
    Work(2);
    core_.reset();
  }
  std::vector<DiskOp> ops() const { return log_.ops(); }
  const Told& told() const { return told_; }

 private:
  void Start() {
    core_.reset();
    core_ = OpenCore(folder_.path(), SmallLimits(), clock_, log_).value();
  }
  void Submit(int index) {
    const Job job = core_->CreateJob(RequestOf(index)).value();
    told_.jobs[JobName(job.project, job.id)] = {log_.size(), index};
  }
  LeaseRef Lease() {
    const LeaseRef lease = worker_.LeaseOne(*core_);
    told_.fences.push_back({log_.size(), lease.fence});
    return lease;
  }
  void Work(int shards) {
    for (int i = 0; i < shards; ++i) {
      const LeaseRef lease = Lease();
      const ShardWork work = core_->GetShard(lease).value();
      EXPECT_FALSE(RunShard(*core_, lease).value());
      told_.done.push_back({log_.size(), work.job, work.first, work.count});
      worker_.Drop(lease);
    }
  }
  void FailOne() {
    const LeaseRef lease = Lease();
    EXPECT_TRUE(core_->FailShard(lease, "split me", true));
    worker_.Drop(lease);
  }
  void Cancel(std::uint64_t index) {
    const std::string name = JobName("default", index + 1);
    EXPECT_TRUE(core_->CancelJob(name));
    told_.cancelled[name] = log_.size();
  }
  void Purge() {
    const std::size_t begun = log_.size();
    clock_.Advance(std::chrono::seconds(10));
    const GarbageReport report = core_->CollectGarbage(std::chrono::seconds(1), false).value();
    EXPECT_FALSE(report.jobs.empty());
    for (const std::string& name : report.jobs) told_.purge_begun[name] = begun;
  }

  TemporaryFolder folder_;
  DiskLog log_;
  FakeClock clock_;
  std::unique_ptr<Core> core_;
  FakeWorker worker_{"w1", "aaaaaaaaaaaaaaaa"};
  Told told_;
};

// A scheduler on what was left after `at` operations.
class Survivor {
 public:
  Survivor(const Told& told, std::size_t at, const std::filesystem::path& folder)
      : told_(told), at_(at), folder_(folder) {}

  void Check() {
    core_ = OpenCore(folder_, SmallLimits(), clock_).value();
    CheckAcknowledged();
    RunToTheEnd();
    const JobPage page = core_->ListJobs("default", 0, "").value();
    for (const Job& job : page.jobs) CheckEnd(job);
    core_.reset();
    CheckDatabase();
  }

 private:
  bool MayBePurged(const std::string& name) const {
    const auto purge = told_.purge_begun.find(name);
    return purge != told_.purge_begun.end() && purge->second <= at_;
  }

  void CheckAcknowledged() {
    for (const auto& [name, accepted] : told_.jobs) {
      if (accepted.first > at_) continue;
      const Result<Job> job = core_->GetJob(name);
      ASSERT_TRUE(job) << name << " was accepted";
      const JobRequest request = RequestOf(accepted.second);
      EXPECT_EQ(job->request_id, request.request_id);
      EXPECT_EQ(job->experiments, request.spec.Experiments());
    }
    for (const Told::Done& done : told_.done) {
      if (done.at > at_ || MayBePurged(done.job)) continue;
      const Result<ResultPage> page = core_->ReadResults(done.job, done.first, false);
      ASSERT_TRUE(page) << done.job << ": " << page.error().Text();
      ASSERT_TRUE(page->chunk) << done.job << " " << done.first << " was committed";
      EXPECT_EQ(page->chunk->count, done.count);
    }
    for (const auto& [name, at] : told_.cancelled) {
      if (at <= at_) EXPECT_EQ(core_->GetJob(name)->state, JobState::kCancelled);
    }
  }

  void RunToTheEnd() {
    FakeWorker worker("w2", "bbbbbbbbbbbbbbbb");
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(worker.Beat(*core_, 4));
      if (worker.held().empty()) return;
      for (const LeaseRef& lease : std::vector(worker.held())) {
        for (const auto& [at, fence] : told_.fences) {
          if (at <= at_) EXPECT_GT(lease.fence, fence);
        }
        EXPECT_FALSE(RunShard(*core_, lease).value()) << "committed twice";
        worker.Drop(lease);
      }
    }
    ADD_FAILURE() << "the work has no end";
  }

  // Every experiment exactly once, with the bytes that every honest run gives.
  void CheckEnd(const Job& job) {
    const std::string name = JobName(job.project, job.id);
    if (job.purge_time) {
      EXPECT_TRUE(MayBePurged(name));
      return;
    }
    const int index = std::stoi(job.request_id.substr(4));
    std::uint64_t next = 0;
    for (const ResultChunk& chunk : ReadAll(*core_, name)) {
      ASSERT_EQ(chunk.first, next);
      ASSERT_EQ(chunk.error, "");
      ASSERT_TRUE(chunk.frame == EncodeObservations(ResultOf(RequestOf(index).spec.seed,
                                                             chunk.first, chunk.count, 20)));
      next += chunk.count;
    }
    if (job.state == JobState::kCancelled) {
      EXPECT_TRUE(told_.cancelled.contains(name));
      return;
    }
    EXPECT_EQ(job.state, JobState::kSucceeded);
    EXPECT_EQ(next, job.experiments);
    EXPECT_EQ(job.experiments_done, job.experiments);
  }

  void CheckDatabase() {
    sqlite::Database database(folder_ / "scheduler.db", sqlite::Access::kWrite);
    sqlite::Statement check = database.Prepare("PRAGMA integrity_check");
    ASSERT_TRUE(check.Step());
    EXPECT_EQ(check.Text(0), "ok");
    EXPECT_FALSE(database.Prepare("PRAGMA foreign_key_check").Step());
  }

  const Told& told_;
  const std::size_t at_;
  const std::filesystem::path folder_;
  FakeClock clock_;
  std::unique_ptr<Core> core_;
};

void CheckImage(const Told& told, std::size_t at, const Image& image) {
  TemporaryFolder folder;
  power::WriteImage(image, folder.path());
  Survivor(told, at, folder.path()).Check();
}

// Power is lost once more while the scheduler starts on the image.
void LoseAgain(const Told& told, std::size_t at, const Image& image, PhiloxSequence& random) {
  TemporaryFolder folder;
  power::WriteImage(image, folder.path());
  DiskLog log(folder.path());
  {
    sqlite::RecordingVfs vfs(log, kCheckpointPages);
    FakeClock clock;
    ASSERT_TRUE(OpenCore(folder.path(), SmallLimits(), clock, log));
  }
  const std::vector<DiskOp> ops = log.ops();
  DiskModel disk(image);
  const std::uint32_t count = random.Below(static_cast<std::uint32_t>(ops.size() + 1));
  for (std::uint32_t i = 0; i < count; ++i) disk.Apply(ops[i]);
  CheckImage(told, at, disk.Cut(Loss::kAtRandom, random));
}

bool IsSync(const DiskOp& op) {
  return op.kind == DiskOp::Kind::kSync || op.kind == DiskOp::Kind::kSyncFolder;
}

// The prefixes of the log that are `part` modulo kParts, each with `images` random losses.
void Sweep(std::size_t part, int images) {
  spdlog::set_level(spdlog::level::off);
  const Workload workload;
  const std::vector<DiskOp> ops = workload.ops();
  testing::Test::RecordProperty("operations", static_cast<int>(ops.size()));
  DiskModel disk;
  int checked = 0;
  for (std::size_t at = 0; at <= ops.size(); ++at) {
    if (at > 0) disk.Apply(ops[at - 1]);
    if (at % kParts != part) continue;
    SCOPED_TRACE(fmt::format("after operation {} of {}", at, ops.size()));
    PhiloxSequence random(StreamKey(at, "power loss"));
    for (int i = 0; i < images; ++i) {
      const Image image = disk.Cut(Loss::kAtRandom, random);
      CheckImage(workload.told(), at, image);
      if (random.Below(8) == 0) LoseAgain(workload.told(), at, image, random);
      ++checked;
    }
    // Between two syncs all is lost in the same way, and most is promised at the end.
    if (at == ops.size() || IsSync(ops[at])) {
      CheckImage(workload.told(), at, disk.Cut(Loss::kEverything, random));
    }
    if (random.Below(8) == 0) CheckImage(workload.told(), at, disk.Cut(Loss::kNothing, random));
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(checked, static_cast<int>(ops.size()) * images / kParts - images - 1);
}

class PowerLossTest : public testing::TestWithParam<int> {};

TEST_P(PowerLossTest, NothingAcknowledgedIsLostAndNothingElseIsHalfThere) {
  const char* images = std::getenv("INFERON_POWER_IMAGES");
  Sweep(static_cast<std::size_t>(GetParam()), images == nullptr ? 4 : std::atoi(images));
}

INSTANTIATE_TEST_SUITE_P(Parts, PowerLossTest, testing::Range(0, kParts));

}  // namespace
}  // namespace inferon::scheduler
