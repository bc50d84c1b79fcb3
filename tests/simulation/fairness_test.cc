// Seeded simulations of fair share under faults: workers that die, a scheduler that starts anew, a
// disk that fails, leases that run out. INFERON_SIMULATION_SEEDS runs more than the standard
// number.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "common/base/hash.h"
#include "common/base/philox.h"
#include "tests/scheduler/faulty_store.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

constexpr int kSeeds = 500;
constexpr int kParts = 10;
constexpr int kProjects = 3;
constexpr std::uint32_t kWorkers = 3;
constexpr int kSteps = 120;
constexpr std::size_t kShards = 120;  // Of each project: more than can be run.

// Projects of random weights whose shards take random times and that always have work.
class FairShare {
 public:
  explicit FairShare(std::uint64_t seed) : random_(StreamKey(seed, "fairness")) {
    limits_.share_half_life = std::chrono::hours(24 * 365);
    limits_.retry.max_losses = 1'000'000;
    limits_.max_reservations = 1;
    switch_seconds_ = 0.25 * random_.Below(3);
    Restart();
    for (int i = 0; i < kProjects; ++i) {
      projects_.push_back(
          {fmt::format("p{}", i), 1.0 + random_.Below(4), 0.25 * (1 + random_.Below(8))});
      longest_ = std::max(longest_, projects_.back().shard_seconds);
      EXPECT_TRUE(core_->CreateProject(projects_.back().id, {.weight = projects_.back().weight}));
      JobRequest request = MakeRequest("r", kShards, 1);
      request.project = projects_.back().id;
      EXPECT_TRUE(core_->CreateJob(request));
    }
    for (std::uint32_t i = 0; i < kWorkers; ++i) {
      workers_.emplace_back();
      Replace(i);
    }
  }

  void Run() {
    for (int step = 0; step < kSteps; ++step) {
      clock_.Advance(std::chrono::milliseconds(250));
      try {
        Step();
      } catch (const std::system_error&) {
        // The disk was full: nothing has happened.
      }
      disk_is_full_ = false;
      Check();
      if (testing::Test::HasFailure()) return;
    }
  }

 private:
  struct Project {
    std::string id;
    double weight;
    double shard_seconds;
  };

  void Restart() {
    core_.reset();
    core_ = std::make_unique<Core>(
        std::make_unique<FaultyStore>(store_,
                                      [this] {
                                        if (!disk_is_full_) return;
                                        throw std::system_error(ENOSPC, std::generic_category());
                                      }),
        folder_.path(), limits_, clock_);
  }

  // The one before, if there was one, has died.
  void Replace(std::uint32_t index) {
    workers_[index].emplace(fmt::format("w{}", index), fmt::format("{:016x}", ++sessions_));
    workers_[index]->capabilities.switch_seconds = switch_seconds_;
  }

  void Step() {
    const std::uint32_t index = random_.Below(kWorkers);
    const std::uint32_t what = random_.Below(40);
    if (what == 0) Replace(index);
    if (what == 1) Restart();
    if (what == 2) clock_.Advance(limits_.lease_time + std::chrono::seconds(1));
    if (what == 3) disk_is_full_ = true;
    FakeWorker& worker = *workers_[index];
    if (worker.held().empty()) {
      static_cast<void>(worker.Beat(*core_, 1));
    } else {
      Finish(worker);
    }
  }

  void Finish(FakeWorker& worker) {
    const LeaseRef lease = worker.held()[0];
    const Result<ShardWork> work = core_->GetShard(lease);
    if (!work) return worker.Drop(lease);  // It is another one's now.
    const std::string frame = FrameOf(*work);
    const std::string project = ParseJobName(work->job)->project;
    const Project& owner = *std::ranges::find(projects_, project, &Project::id);
    if (!Stage(*core_, lease, frame)) return worker.Drop(lease);
    static_cast<void>(core_->CommitShard(lease, Sha256Hex(frame), owner.shard_seconds));
    worker.Drop(lease);
  }

  // What each was charged, by its weight, stays within the cost of one shard and one switch on each
  // worker of every other.
  void Check() {
    const double bound = (kWorkers + 1) * (longest_ + switch_seconds_);
    std::vector<double> shares;
    for (const Project& project : projects_) {
      shares.push_back(core_->GetProject(project.id)->day_seconds / project.weight);
    }
    const auto [least, most] = std::ranges::minmax(shares);
    EXPECT_LE(most - least, bound);
  }

  PhiloxSequence random_;
  TemporaryFolder folder_;
  FakeClock clock_;
  Limits limits_;
  const std::shared_ptr<Store> store_ = MakeMemoryStore();
  bool disk_is_full_ = false;
  std::unique_ptr<Core> core_;
  double switch_seconds_ = 0;
  double longest_ = 0;
  std::uint64_t sessions_ = 0;
  std::vector<Project> projects_;
  std::vector<std::optional<FakeWorker>> workers_;
};

class FairnessSimulationTest : public testing::TestWithParam<int> {};

TEST_P(FairnessSimulationTest, ChargesByWeightStayWithinOneShardOnEachWorkerWhateverGoesWrong) {
  spdlog::set_level(spdlog::level::off);
  const char* wanted = std::getenv("INFERON_SIMULATION_SEEDS");
  const int seeds = wanted == nullptr ? kSeeds : std::max(kParts, std::atoi(wanted));
  for (int seed = GetParam(); seed < seeds; seed += kParts) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    FairShare(static_cast<std::uint64_t>(seed)).Run();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, FairnessSimulationTest, testing::Range(0, kParts));

}  // namespace
}  // namespace inferon::scheduler
