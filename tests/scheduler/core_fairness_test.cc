// Shares, quotas, pins, reservations, pauses, run times and lost workers, on a whole core.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <map>

#include "common/base/hash.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

JobRequest RequestOf(const std::string& project, const std::string& id, std::size_t sets,
                     std::uint32_t shard_size = 4) {
  JobRequest request = MakeRequest(id, sets, shard_size);
  request.project = project;
  return request;
}

// Seconds of substrate time that each project got from one worker, whose shards take
// `seconds_of` their project.
std::map<std::string, double> Serve(Core& core, FakeWorker& worker, FakeClock& clock, int shards,
                                    const std::map<std::string, double>& seconds_of) {
  std::map<std::string, double> got;
  for (int i = 0; i < shards; ++i) {
    const LeaseRef lease = worker.LeaseOne(core);
    const Result<ShardWork> work = core.GetShard(lease);
    if (!work) return got;
    const std::string project = ParseJobName(work->job)->project;
    const double took = seconds_of.at(project);
    const std::string frame = FrameOf(*work);
    clock.Advance(milliseconds(static_cast<int>(1000 * took)));
    EXPECT_TRUE(worker.Beat(core, 0));
    EXPECT_TRUE(Stage(core, lease, frame));
    EXPECT_TRUE(core.CommitShard(lease, Sha256Hex(frame), took));
    worker.Drop(lease);
    got[project] += took;
  }
  return got;
}

TEST_F(CoreTest, ProjectsTakeTurns) {
  const Job a = Submit(MakeRequest("a", 100));
  const Job b = Submit(RequestOf("other", "b", 100));
  ASSERT_TRUE(worker_.Beat(*core_, 6));
  EXPECT_EQ(Get(a).shards_leased, 3u);
  EXPECT_EQ(Get(b).shards_leased, 3u);
}

TEST_F(CoreTest, SecondsAreSharedByWeightWhateverAShardTakes) {
  ASSERT_TRUE(core_->CreateProject("big", {.weight = 3}));
  Submit(RequestOf("big", "a", 2000, 1));
  Submit(RequestOf("small", "b", 2000, 1));
  const auto got = Serve(*core_, worker_, clock_, 120, {{"big", 0.5}, {"small", 2}});
  EXPECT_NEAR(got.at("big") / got.at("small"), 3, 0.5);
}

TEST_F(CoreTest, SwitchingIsChargedAndBatched) {
  worker_.capabilities.switch_seconds = 1;
  Submit(RequestOf("a", "a", 200, 1));
  Submit(RequestOf("b", "b", 200, 1));
  std::vector<std::string> order;
  for (int i = 0; i < 40; ++i) {
    const LeaseRef lease = worker_.LeaseOne(*core_);
    order.push_back(ParseJobName(core_->GetShard(lease)->job)->project);
    const std::string frame = FrameOf(core_->GetShard(lease).value());
    ASSERT_TRUE(Stage(*core_, lease, frame));
    ASSERT_TRUE(core_->CommitShard(lease, Sha256Hex(frame), 0.25));
    worker_.Drop(lease);
  }
  int switches = 0;
  for (std::size_t i = 1; i < order.size(); ++i) switches += order[i] != order[i - 1] ? 1 : 0;
  EXPECT_GT(switches, 2) << "nobody starves";
  EXPECT_LT(switches, 20) << "a switch costs four shards: they are batched";
  const double a = core_->GetProject("a")->decayed_seconds;
  const double b = core_->GetProject("b")->decayed_seconds;
  EXPECT_NEAR(a + b, 40 * 0.25 + switches + 1, 0.01);
  EXPECT_NEAR(a, b, 2.5);
}

TEST_F(CoreTest, ChargesSurviveARestart) {
  Submit(RequestOf("a", "a", 20, 1));
  Serve(*core_, worker_, clock_, 4, {{"a", 2}});
  EXPECT_NEAR(core_->GetProject("a")->day_seconds, 8, 1e-9);
  Restart();
  EXPECT_NEAR(core_->GetProject("a")->day_seconds, 8, 1e-9);
  EXPECT_GT(core_->GetProject("a")->decayed_seconds, 4);
  Submit(RequestOf("b", "b", 20, 1));
  EXPECT_EQ(ParseJobName(core_->GetShard(worker_.LeaseOne(*core_))->job)->project, "b");
}

TEST_F(CoreTest, DailyQuotaHoldsAProjectBackUntilTheDayHasPassed) {
  ASSERT_TRUE(core_->CreateProject("p", {.max_seconds_per_day = 2}));
  Submit(RequestOf("p", "a", 20, 1));
  Serve(*core_, worker_, clock_, 2, {{"p", 1}});
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  clock_.Advance(hours(25));
  worker_.LeaseOne(*core_);
}

TEST_F(CoreTest, QueueQuotaOfAProjectAtTheEdge) {
  ASSERT_TRUE(core_->CreateProject("p", {.max_queued_experiments = 10}));
  Submit(RequestOf("p", "a", 6));
  Submit(RequestOf("p", "b", 4));
  const auto full = core_->CreateJob(RequestOf("p", "c", 1));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(full.error().message, HasSubstr("quota of 10"));
  Submit(RequestOf("q", "c", 100));
}

TEST_F(CoreTest, SubmissionsOfAProjectHaveARate) {
  ASSERT_TRUE(core_->CreateProject("p", {.max_submits_per_minute = 1}));
  Submit(RequestOf("p", "a", 1));
  EXPECT_EQ(core_->CreateJob(RequestOf("p", "b", 1)).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(Submit(RequestOf("p", "a", 1)).id, 1u) << "a repeated submission is none";
  clock_.Advance(seconds(60));
  Submit(RequestOf("p", "b", 1));
}

TEST_F(CoreTest, ClosedServerTakesJobsOfItsProjectsOnly) {
  limits_.closed_projects = true;
  limits_.max_projects = 1;
  Restart();
  EXPECT_EQ(core_->CreateJob(MakeRequest("a", 1)).error().code, ErrorCode::kFailedPrecondition);
  ASSERT_TRUE(core_->CreateProject("default", {}));
  Submit(MakeRequest("a", 1));
  EXPECT_EQ(core_->CreateProject("second", {}).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(CoreTest, ProjectsAreCreatedOnceAndChanged) {
  EXPECT_EQ(core_->GetProject("p").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(core_->UpdateProject("p", {}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(core_->CreateProject("p", {.weight = 2}));
  EXPECT_TRUE(core_->CreateProject("p", {.weight = 2})) << "the same again";
  EXPECT_EQ(core_->CreateProject("p", {.weight = 3}).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(core_->UpdateProject("p", {.weight = 5}, "alice"));
  Restart();
  EXPECT_EQ(core_->GetProject("p")->record.settings.weight, 5);
  const auto events = core_->ListEvents("p", 0, 10).value();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].kind, "project.changed");
  EXPECT_EQ(events[1].actor, "alice");
  EXPECT_EQ(core_->ListEvents("", events[0].sequence, 1)->at(0).sequence, events[1].sequence);
}

TEST_F(CoreTest, SettingsAtTheirEdges) {
  const auto code = [&](const ProjectSettings& settings) {
    const auto created = core_->CreateProject("p", settings);
    return created ? ErrorCode::kInternal : created.error().code;
  };
  for (const double weight : {0.0, -1.0, 0.0009, 1000.1, std::nan("")}) {
    EXPECT_EQ(code({.weight = weight}), ErrorCode::kInvalidArgument) << weight;
  }
  EXPECT_EQ(code({.max_seconds_per_day = -1}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.description = std::string(201, 'x')}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(core_->CreateProject("P", {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(core_->CreateProject(kHealthProject, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(core_->CreateJob(RequestOf(kHealthProject, "a", 1)).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(core_->CreateProject("p", {.weight = 0.001}));
  EXPECT_TRUE(core_->CreateProject("q", {.weight = 1000}));
}

TEST_F(CoreTest, PinnedJobWaitsForItsWorker) {
  JobRequest request = MakeRequest("r", 4);
  request.spec.placement.worker = "w2";
  const Job job = Submit(request);
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  FakeWorker other("w2", "bbbbbbbbbbbbbbbb");
  EXPECT_TRUE(RunShard(*core_, other.LeaseOne(*core_)));
  EXPECT_EQ(Get(job).state, JobState::kSucceeded);
}

TEST_F(CoreTest, PinnedCalibrationMustBeLoadedAndIsStamped) {
  JobRequest request = MakeRequest("r", 4);
  request.spec.placement.calibration_id = std::string(64, 'c');
  const Job job = Submit(request);
  worker_.capabilities.calibration_id = std::string(64, 'b');
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  worker_.capabilities.calibration_id = std::string(64, 'c');
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_EQ(ReadAll(*core_, NameOf(job)).at(0).calibration_id, std::string(64, 'c'));
  EXPECT_EQ(ReadAll(*core_, NameOf(job)).at(0).worker, "w1");
}

TEST_F(CoreTest, MaintenanceKeepsAWorkerFromItsBeginToItsEnd) {
  Submit(MakeRequest("r", 100, 1));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  const WallTime now = clock_.WallNow();
  const auto made =
      core_->CreateReservation({0, "w1", "", now + hours(1), now + hours(2), "new chip"}, "alice");
  ASSERT_TRUE(made) << made.error().Text();
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  clock_.Advance(hours(1));
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  Restart();
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty()) << "it is on disk";
  clock_.Advance(hours(1));
  worker_.LeaseOne(*core_);
}

TEST_F(CoreTest, ReservedWorkerTakesItsProjectOnly) {
  const Job mine = Submit(RequestOf("mine", "a", 100, 1));
  const Job other = Submit(RequestOf("other", "b", 100, 1));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  const WallTime now = clock_.WallNow();
  const auto made = core_->CreateReservation({0, "w1", "mine", now, now + hours(1), ""});
  ASSERT_TRUE(made);
  ASSERT_TRUE(worker_.Beat(*core_, 4));
  EXPECT_EQ(Get(mine).shards_leased, 4u);
  EXPECT_EQ(Get(other).shards_leased, 0u);
  ASSERT_TRUE(core_->DeleteReservation(made->id));
  EXPECT_EQ(core_->DeleteReservation(made->id).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(worker_.Beat(*core_, 4));
  EXPECT_GT(Get(other).shards_leased, 0u);
}

TEST_F(CoreTest, ReservationsAreChecked) {
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  const WallTime now = clock_.WallNow();
  const auto code = [&](const Reservation& reservation) {
    const auto made = core_->CreateReservation(reservation);
    return made ? ErrorCode::kInternal : made.error().code;
  };
  EXPECT_EQ(code({0, "w1", "", now + hours(1), now + hours(1), ""}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({0, "w1", "", now - hours(2), now, ""}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({0, "W", "", now, now + hours(1), ""}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({0, "w1", "P", now, now + hours(1), ""}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({0, "w9", "", now, now + hours(1), ""}), ErrorCode::kNotFound);
  ASSERT_TRUE(core_->CreateReservation({0, "w1", "", now, now + hours(1), ""}));
  EXPECT_EQ(code({0, "w1", "p", now + seconds(1), now + hours(2), ""}),
            ErrorCode::kFailedPrecondition);
  ASSERT_TRUE(core_->CreateReservation({0, "w1", "p", now + hours(1), now + hours(2), ""}));
  EXPECT_EQ(core_->ListReservations()->size(), 2u);
  clock_.Advance(hours(1));
  EXPECT_EQ(core_->ListReservations()->size(), 1u) << "one has ended";
}

TEST_F(CoreTest, DrainedWorkerFinishesAndTakesNoMore) {
  const Job job = Submit(MakeRequest("r", 12));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  EXPECT_EQ(core_->DrainWorker("w9", "").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(core_->DrainWorker("w1", "cleaning", "alice"));
  const auto answer = worker_.Beat(*core_, 1);
  EXPECT_TRUE(answer->drain);
  EXPECT_EQ(worker_.held(), std::vector<LeaseRef>{lease});
  EXPECT_EQ(core_->ListWorkers()->at(0).state, WorkerState::kDraining);
  EXPECT_TRUE(RunShard(*core_, lease));
  Restart();
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty()) << "it survives restarts";
  EXPECT_EQ(core_->GetWorker("w1")->view.record.drain_reason, "cleaning");
  ASSERT_TRUE(core_->ResumeWorker("w1"));
  EXPECT_FALSE(worker_.Beat(*core_, 1)->drain);
  EXPECT_EQ(worker_.held().size(), 1u);
}

TEST_F(CoreTest, PauseTakesLeasesBackAndResumeGoesOn) {
  const Job job = Submit(MakeRequest("r", 12));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const Result<Job> paused = core_->PauseJob(NameOf(job), "alice");
  ASSERT_TRUE(paused);
  EXPECT_TRUE(paused->paused);
  EXPECT_EQ(paused->shards_leased, 0u);
  EXPECT_EQ(RunShard(*core_, lease).error().code, ErrorCode::kAborted);
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty()) << "the worker is told, and gets none";
  ASSERT_TRUE(core_->PauseJob(NameOf(job))) << "changes nothing";
  Restart();
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  ASSERT_TRUE(core_->ResumeJob(NameOf(job)));
  const LeaseRef again = worker_.LeaseOne(*core_);
  EXPECT_EQ(again.shard, lease.shard);
  EXPECT_THAT(EventKinds(job), Contains("job.paused"));
  EXPECT_THAT(EventKinds(job), Contains("job.resumed"));
  ASSERT_TRUE(core_->PauseJob(NameOf(job)));
  ASSERT_TRUE(core_->CancelJob(NameOf(job))) << "a paused job can be cancelled";
  EXPECT_EQ(core_->PauseJob(NameOf(job)).error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(CoreTest, JobThatRunsTooLongFailsAndSaysWhy) {
  JobRequest request = MakeRequest("r", 12);
  request.spec.max_run_seconds = 25;
  const Job job = Submit(request);
  clock_.Advance(hours(1));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const auto run = [&](int for_seconds) {
    for (int i = 0; i < for_seconds; i += 5) {
      clock_.Advance(seconds(5));
      ASSERT_TRUE(worker_.Beat(*core_, 0));
      ASSERT_TRUE(core_->Tick());
    }
  };
  run(25);
  EXPECT_EQ(Get(job).state, JobState::kRunning) << "the time in the queue does not count";
  run(5);
  EXPECT_EQ(Get(job).state, JobState::kFailed);
  EXPECT_THAT(Get(job).last_error, HasSubstr("longer than its limit of 25.0 s"));
  EXPECT_EQ(RunShard(*core_, lease).error().code, ErrorCode::kAborted);
  EXPECT_EQ(ReadAll(*core_, NameOf(job)).size(), 1u) << "what is done stays";
  EXPECT_TRUE(core_->ReadResults(NameOf(job), 4, true)->ended);
}

TEST_F(CoreTest, TimeBetweenShardsIsNoRunTime) {
  JobRequest request = MakeRequest("r", 12);
  request.spec.max_run_seconds = 25;
  const Job job = Submit(request);
  for (int i = 0; i < 2; ++i) {
    const LeaseRef lease = worker_.LeaseOne(*core_);
    clock_.Advance(seconds(10));
    ASSERT_TRUE(RunShard(*core_, lease));
    worker_.Drop(lease);
    clock_.Advance(hours(1));
  }
  EXPECT_NEAR(Get(job).run_seconds, 20, 1e-6);
  worker_.LeaseOne(*core_);
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(Get(job).state, JobState::kRunning);
}

TEST_F(CoreTest, BadPinsAndRunTimesAreRefused) {
  const auto code = [&](const std::function<void(JobSpec&)>& change) {
    JobRequest request = MakeRequest("r", 4);
    change(request.spec);
    return core_->CreateJob(request).error().code;
  };
  EXPECT_EQ(code([](JobSpec& s) { s.placement.worker = "W"; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](JobSpec& s) { s.placement.calibration_id = "abc"; }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](JobSpec& s) { s.max_run_seconds = -1; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](JobSpec& s) { s.max_run_seconds = 31'536'001; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](JobSpec& s) { s.max_run_seconds = std::nan(""); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](JobSpec& s) {
              s.reuse = true;
              s.substrate = "brainscales2";
            }),
            ErrorCode::kInvalidArgument);
}

// Experiment 5 of 16 ends every worker that runs it; everything else must be delivered.
TEST_F(CoreTest, ExperimentThatKillsItsWorkersIsIsolatedAndTheRestDelivered) {
  const Job job = Submit(MakeRequest("r", 16, 8));
  constexpr std::uint64_t kPoison = 5;
  int deaths = 0;
  for (int i = 0; i < 300 && !Get(job).end_time; ++i) {
    FakeWorker worker("w1", fmt::format("{:016x}", i + 1));
    ASSERT_TRUE(worker.Beat(*core_, 2));
    for (const LeaseRef& lease : std::vector(worker.held())) {
      const ShardWork work = core_->GetShard(lease).value();
      if (work.first <= kPoison && kPoison < work.first + work.count) {
        ++deaths;
        if (i % 2 == 0) clock_.Advance(limits_.lease_time);  // Else it starts again at once.
        break;
      }
      ASSERT_TRUE(RunShard(*core_, lease));
    }
  }
  EXPECT_EQ(Get(job).experiments_done, 15u);
  EXPECT_EQ(Get(job).experiments_failed, 1u);
  EXPECT_LE(deaths, 16) << "3, 2 more splits, 10 alone";
  for (const ResultChunk& chunk : ReadAll(*core_, NameOf(job))) {
    EXPECT_EQ(chunk.error.empty(), chunk.first != kPoison);
    if (chunk.first != kPoison) continue;
    EXPECT_THAT(chunk.error, HasSubstr("while it ran alone"));
  }
}

TEST_F(CoreTest, InnocentExperimentSurvivesManyDyingWorkers) {
  const Job job = Submit(MakeRequest("r", 1));
  for (std::uint32_t i = 0; i + 1 < limits_.retry.max_losses_alone; ++i) {
    worker_.LeaseOne(*core_);
    clock_.Advance(limits_.lease_time);
    ASSERT_TRUE(core_->Tick());
  }
  EXPECT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_EQ(Get(job).state, JobState::kSucceeded);
}

TEST_F(CoreTest, ShardThatLostAWorkerRunsAlone) {
  Submit(MakeRequest("r", 12));
  worker_.LeaseOne(*core_);
  clock_.Advance(limits_.lease_time);
  ASSERT_TRUE(worker_.Beat(*core_, 3));
  ASSERT_EQ(worker_.held().size(), 1u);
  ASSERT_TRUE(RunShard(*core_, worker_.held()[0]));
  ASSERT_TRUE(worker_.Beat(*core_, 3));
  EXPECT_EQ(worker_.held().size(), 2u);
}

TEST_F(CoreTest, BusyWorkerCallsOftenEnoughToStopSoon) {
  Submit(MakeRequest("r", 4));
  worker_.LeaseOne(*core_);
  EXPECT_EQ(worker_.Beat(*core_, 0)->next, limits_.busy_interval);
}

TEST_F(CoreTest, ReuseTakesOverIdenticalResults) {
  JobRequest request = MakeRequest("a", 12);
  request.spec.reuse = true;
  const Job first = Submit(request);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  request.request_id = "b";
  const Job second = Submit(request);
  EXPECT_EQ(second.state, JobState::kRunning);
  EXPECT_EQ(second.experiments_reused, 8u);
  EXPECT_EQ(second.experiments_done, 8u);
  EXPECT_EQ(second.substrate_seconds, 0);
  EXPECT_EQ(ReadAll(*core_, NameOf(second)).at(0).frame,
            ReadAll(*core_, NameOf(first)).at(0).frame);
  ASSERT_TRUE(worker_.Beat(*core_, 5));
  for (const LeaseRef& lease : std::vector(worker_.held())) ASSERT_TRUE(RunShard(*core_, lease));
  EXPECT_EQ(Get(first).state, JobState::kSucceeded);
  EXPECT_EQ(Get(second).state, JobState::kSucceeded);
  request.request_id = "c";
  EXPECT_EQ(Submit(request).state, JobState::kSucceeded) << "all of it was there";
}

TEST_F(CoreTest, ReuseNeedsTheSameExperimentsAndConsentOfBoth) {
  JobRequest request = MakeRequest("a", 4);
  Submit(request);
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  request.spec.reuse = true;
  int number = 0;
  const auto reused = [&](const std::function<void(JobRequest&)>& change) {
    JobRequest other = request;
    other.request_id = fmt::format("r{}", number++);
    change(other);
    const Job job = Submit(other);
    const std::uint64_t count = job.experiments_reused;
    if (!job.end_time) {
      EXPECT_TRUE(core_->CancelJob(NameOf(job)));
    }
    return count;
  };
  EXPECT_EQ(reused([](JobRequest&) {}), 0u) << "the first did not allow it";
  JobRequest donor = request;
  donor.request_id = "donor";
  Submit(donor);
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_EQ(reused([](JobRequest&) {}), 4u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.reuse = false; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.seed = 8; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.device.neuron = 3; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.device.run = 1; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.trials = 2; }), 0u) << "another replicate";
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.sets.codes[0] ^= 1; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.protocol.duration_us = 21; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.profile_toml += "\n# another text\n"; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.project = "elsewhere"; }), 0u);
  EXPECT_EQ(reused([](JobRequest& r) { r.spec.shard_size = 2; }), 0u) << "another cut";
}

}  // namespace
}  // namespace inferon::scheduler
