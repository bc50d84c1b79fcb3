#include "server/trainer/studies/study_manager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <mutex>
#include <set>

#include "common/base/trace.h"
#include "common/inference/engine.h"
#include "tests/trainer/study_fixture.h"

namespace inferon::trainer {
namespace {

class StudyManagerTest : public ::testing::Test {
 protected:
  StudyManagerTest() : parts_(folder_.path(), QuickOptions()) {}
  ErrorCode CodeOf(const std::string& id, const StudySpec& spec) {
    const auto created = parts_.Manager().Create(id, spec);
    EXPECT_FALSE(created);
    if (created) return ErrorCode::kInternal;
    EXPECT_FALSE(created.error().advice.empty()) << created.error().message;
    return created.error().code;
  }

  const TemporaryFolder folder_;
  TrainerParts parts_;
};

TEST_F(StudyManagerTest, CreationIsIdempotentByIdAndSettings) {
  parts_.experiments.hang = true;
  const auto first = parts_.Manager().Create("toy", ToySpec());
  ASSERT_TRUE(first) << first.error().Text();
  EXPECT_EQ(first->spec.min_spikes, 1u);
  EXPECT_EQ(first->spec.seed, 1u);
  EXPECT_TRUE(parts_.Manager().Create("toy", ToySpec()));
  StudySpec other = ToySpec();
  other.seed = 2;
  EXPECT_EQ(CodeOf("toy", other), ErrorCode::kAlreadyExists);
  EXPECT_EQ(parts_.Manager().List().size(), 1u);
}

TEST_F(StudyManagerTest, BadSettingsAreRefusedAndLeaveNothing) {
  const auto refused = [&](auto change) {
    StudySpec spec = ToySpec();
    change(spec);
    return CodeOf("toy", spec) == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](StudySpec& s) { s.profile_toml.clear(); }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.profile_toml = "not a profile"; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.profile_toml += std::string(70'000, '\n'); }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.protocol.duration_us = 1; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.substrate = "abacus"; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.uniform_count = 199; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.calibration_count = 99; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.audit_count = 10'000'001; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.constrained_count = 199; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.validation_count = 15; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.min_spikes = 80; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.false_negative_rate = 0.6; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.false_negative_rate = std::nan(""); }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.target_codes = {1, 2, 3}; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.target_codes.assign(7, 1023); }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.posterior_draws = 9; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.map_draws = 9; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.target_trials = 1; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.features_estimator.transforms = 21; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.summary_estimator.learning_rate = 2; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.features_estimator.members = 33; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.features_estimator.estimator = "forest"; }));
  const auto config = [&](std::string text) {
    return refused([&](StudySpec& s) { s.features_estimator.config = std::move(text); });
  };
  EXPECT_TRUE(config("not JSON"));
  EXPECT_TRUE(config(R"({"epochs": 3})"));
  EXPECT_TRUE(config(R"({"members": 33})"));
  EXPECT_TRUE(config(R"({"trials": 2})"));
  EXPECT_TRUE(config(R"({"repair": 1})"));
  EXPECT_TRUE(config(R"({"summary": "dilated"})"));  // It reads traces only.
  EXPECT_TRUE(config("{" + std::string(kMaxConfigBytes - 1, ' ') + "}"));
  EXPECT_TRUE(refused([](StudySpec& s) { s.features_estimator.max_epochs = 2001; }));
  EXPECT_TRUE(refused([](StudySpec& s) { s.features_estimator.patience = 2001; }));
  StudySpec on_gpu = ToySpec();
  on_gpu.summary_estimator.config = R"({"device": "cuda"})";
  EXPECT_EQ(CodeOf("toy", on_gpu), ErrorCode::kFailedPrecondition);
  for (const char* id : {"", "Toy", "-toy", "a_b", "../x", "a/b"}) {
    EXPECT_EQ(CodeOf(id, ToySpec()), ErrorCode::kInvalidArgument) << id;
  }
  EXPECT_EQ(CodeOf(std::string(kMaxStudyId + 1, 'a'), ToySpec()), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(parts_.Manager().List().empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "studies"));
}

TEST_F(StudyManagerTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(parts_.Manager().Get("toy").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(parts_.Manager().Cancel("toy").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(parts_.Manager().ReadStudyReport("toy").error().code, ErrorCode::kNotFound);
}

TEST_F(StudyManagerTest, ReportOfARunningStudyIsRefused) {
  parts_.experiments.hang = true;
  ASSERT_TRUE(parts_.Manager().Create("toy", ToySpec()));
  EXPECT_EQ(parts_.Manager().ReadStudyReport("toy").error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(StudyManagerTest, TooManyStudiesAreRefused) {
  ManagerOptions options = QuickOptions();
  options.max_studies = 1;
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), options);
  parts.experiments.hang = true;
  ASSERT_TRUE(parts.Manager().Create("one", ToySpec()));
  EXPECT_EQ(parts.Manager().Create("two", ToySpec()).error().code, ErrorCode::kResourceExhausted);
}

// Waits until the toy has got the uniform rounds of a study.
void AwaitSubmissions(TrainerParts& parts) {
  StudyRecord record = *parts.Manager().Get("toy");
  for (int i = 0; i < 1000 && record.jobs.size() < 3; ++i) {
    record = *parts.Manager().Wait("toy", record.revision, std::chrono::milliseconds(100));
  }
  ASSERT_EQ(record.jobs.size(), 3u);
}

TEST_F(StudyManagerTest, CancellingEndsTheStudyAndItsJobs) {
  parts_.experiments.hang = true;
  ASSERT_TRUE(parts_.Manager().Create("toy", ToySpec()));
  AwaitSubmissions(parts_);
  const auto cancelled = parts_.Manager().Cancel("toy");
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, StudyState::kCancelled);
  StudyRecord record = *parts_.Manager().Get("toy");
  for (int i = 0; i < 1000 && !record.jobs_cancelled; ++i) {
    record = *parts_.Manager().Wait("toy", record.revision, std::chrono::milliseconds(100));
  }
  EXPECT_EQ(parts_.experiments.cancelled(), parts_.experiments.submitted());
  EXPECT_TRUE(parts_.Manager().Cancel("toy")) << "cancelling again changes nothing";
}

TEST_F(StudyManagerTest, CancelledStudyStaysCancelledAfterARestart) {
  const TemporaryFolder folder;
  {
    TrainerParts parts(folder.path(), QuickOptions());
    parts.experiments.hang = true;
    ASSERT_TRUE(parts.Manager().Create("toy", ToySpec()));
    ASSERT_TRUE(parts.Manager().Cancel("toy"));
  }
  TrainerParts parts(folder.path(), QuickOptions());
  EXPECT_EQ(parts.Await("toy").state, StudyState::kCancelled);
}

TEST_F(StudyManagerTest, FinishedStudyCannotBeCancelled) {
  ASSERT_EQ(parts_.Run().state, StudyState::kSucceeded);
  EXPECT_EQ(parts_.Manager().Cancel("toy").error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(StudyManagerTest, StoppedManagerLeavesTheStudyForTheNext) {
  const TemporaryFolder folder;
  std::uint64_t revision = 0;
  {
    TrainerParts parts(folder.path(), QuickOptions());
    parts.experiments.hang = true;
    ASSERT_TRUE(parts.Manager().Create("toy", ToySpec()));
    AwaitSubmissions(parts);
    revision = parts.Manager().Get("toy")->revision;
  }
  TrainerParts parts(folder.path(), QuickOptions());
  EXPECT_GT(parts.Manager().Get("toy")->revision, revision) << "revisions rise over a restart";
  EXPECT_EQ(parts.Await("toy").state, StudyState::kSucceeded);
}

TEST_F(StudyManagerTest, JobsWorkForTheRequestThatCreatedTheStudyOverARestart) {
  const TemporaryFolder folder;
  const Trace request = MakeTrace();
  std::mutex mu;
  std::set<std::string> traces;
  const auto remember = [&](const ExperimentJob&) -> Status {
    const std::lock_guard lock(mu);
    traces.insert(CurrentTrace().trace_id);
    return {};
  };
  {
    TrainerParts parts(folder.path(), QuickOptions());
    parts.experiments.hang = true;
    parts.experiments.refuse = remember;
    const TraceScope scope(request);
    ASSERT_TRUE(parts.Manager().Create("toy", ToySpec()));
    AwaitSubmissions(parts);
  }
  TrainerParts parts(folder.path(), QuickOptions());
  parts.experiments.refuse = remember;
  EXPECT_EQ(parts.Await("toy").state, StudyState::kSucceeded);
  EXPECT_EQ(traces, std::set<std::string>{request.trace_id});
}

TEST_F(StudyManagerTest, StudiesRunOneAfterAnother) {
  ASSERT_TRUE(parts_.Manager().Create("one", ToySpec()));
  parts_.clock.Advance(std::chrono::seconds(1));
  StudySpec other = ToySpec();
  other.seed = 2;
  ASSERT_TRUE(parts_.Manager().Create("two", other));
  EXPECT_EQ(parts_.Await("two").state, StudyState::kSucceeded);
  EXPECT_EQ(parts_.Manager().Get("one")->state, StudyState::kSucceeded);
  EXPECT_EQ(parts_.Manager().List().front().id, "two");
}

TEST_F(StudyManagerTest, SilentNeuronFailsWithAnExplanation) {
  StudySpec spec = ToySpec();
  spec.min_spikes = 60;  // The toy has 1..50 spikes, or 100.
  const StudyRecord record = parts_.Run("toy", spec);
  EXPECT_EQ(record.state, StudyState::kFailed);
  EXPECT_NE(record.error.find("60..70 spikes"), std::string::npos) << record.error;
  EXPECT_NE(record.error.find("Enlarge the uniform round"), std::string::npos) << record.error;
}

TEST_F(StudyManagerTest, TooSmallCalibrationRoundFailsWithAnExplanation) {
  StudySpec spec = ToySpec();
  spec.calibration_count = 100;
  spec.false_negative_rate = 0.01;
  const StudyRecord record = parts_.Run("toy", spec);
  EXPECT_EQ(record.state, StudyState::kFailed);
  EXPECT_NE(record.error.find("Enlarge the calibration round"), std::string::npos) << record.error;
}

TEST_F(StudyManagerTest, RefusedJobFailsTheStudyWithTheReason) {
  parts_.experiments.refuse = [](const ExperimentJob&) -> Status {
    return Fail(ErrorCode::kResourceExhausted, "the queue is full", "Wait");
  };
  const StudyRecord record = parts_.Run();
  EXPECT_EQ(record.state, StudyState::kFailed);
  EXPECT_NE(record.error.find("the queue is full"), std::string::npos);
}

TEST_F(StudyManagerTest, FewFailedExperimentsAreLeftOut) {
  parts_.experiments.fails = [](const ExperimentJob& job, std::uint64_t index) {
    return job.request_id.find(".uniform.") != std::string::npos && index == 7;
  };
  ASSERT_EQ(parts_.Run().state, StudyState::kSucceeded);
  const auto text = ReadFile(folder_.path() / "studies" / "toy" / "uniform.json");
  EXPECT_NE(text->find("\"poisoned\""), std::string::npos);
}

TEST_F(StudyManagerTest, ManyFailedExperimentsFailTheStudy) {
  parts_.experiments.fails = [](const ExperimentJob&, std::uint64_t index) { return index < 100; };
  const StudyRecord record = parts_.Run();
  EXPECT_EQ(record.state, StudyState::kFailed);
  EXPECT_NE(record.error.find("poisoned"), std::string::npos) << record.error;
}

TEST_F(StudyManagerTest, FailingEnvironmentIsTriedAgain) {
  ManagerOptions options = QuickOptions();
  int failures = 0;
  options.pipeline.at_point = [&](std::string_view point) {
    if (point == "target:choice" && ++failures == 1) throw std::runtime_error("disk full");
  };
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), options);
  EXPECT_EQ(parts.Run().state, StudyState::kSucceeded);
  EXPECT_EQ(failures, 1) << "what was on disk was not made again";
}

TEST_F(StudyManagerTest, EnvironmentThatKeepsFailingFailsTheStudy) {
  ManagerOptions options = QuickOptions();
  options.pipeline.at_point = [&](std::string_view point) {
    if (point == "uniform:submitted") throw std::runtime_error("disk full");
  };
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), options);
  const StudyRecord record = parts.Run();
  EXPECT_EQ(record.state, StudyState::kFailed);
  EXPECT_NE(record.error.find("disk full"), std::string::npos);
}

TEST_F(StudyManagerTest, LargeRoundsAreSplitIntoJobs) {
  ManagerOptions options = QuickOptions();
  options.pipeline.sets_per_job = 250;
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), options);
  const StudyRecord record = parts.Run();
  ASSERT_EQ(record.state, StudyState::kSucceeded) << record.error;
  int uniform_jobs = 0;
  for (const auto& [request, name] : record.jobs)
    uniform_jobs += request.starts_with("toy.uniform.");
  EXPECT_EQ(uniform_jobs, 3);
  ASSERT_EQ(parts_.Run().state, StudyState::kSucceeded);
  for (const char* file : {"uniform.theta.npy", "audit.theta.npy"}) {
    EXPECT_EQ(*ReadFile(folder.path() / "studies/toy" / file),
              *ReadFile(folder_.path() / "studies/toy" / file));
  }
}

TEST_F(StudyManagerTest, GivenTargetIsUsed) {
  StudySpec spec = ToySpec();
  spec.target_codes = {910, 1, 2, 3, 4, 5, 6};
  ASSERT_EQ(parts_.Run("toy", spec).state, StudyState::kSucceeded);
  const auto report = parts_.Manager().ReadStudyReport("toy");
  for (const ReportArray& array : report->arrays) {
    if (array.name != "target.codes") continue;
    const std::uint16_t* codes = reinterpret_cast<const std::uint16_t*>(array.bytes.data());
    EXPECT_EQ(std::vector<std::uint16_t>(codes, codes + 7),
              (std::vector<std::uint16_t>{910, 1, 2, 3, 4, 5, 6}));
  }
}

TEST_F(StudyManagerTest, DamagedStudyIsLeftAlone) {
  std::filesystem::create_directories(folder_.path() / "studies" / "broken");
  std::ofstream(folder_.path() / "studies" / "broken" / "study.json") << "{";
  EXPECT_TRUE(parts_.Manager().List().empty());
  EXPECT_EQ(parts_.Run().state, StudyState::kSucceeded);
}

TEST(StudyRecordTest, JsonKeepsEverything) {
  StudySpec spec = ToySpec();
  FillDefaults(spec);
  spec.target_codes = {1, 2, 3, 4, 5, 6, 7};
  StudyRecord record = MakeStudyRecord("toy", spec, WallTime(std::chrono::microseconds(17)));
  record.jobs["a"] = "b";
  record.tasks_done = {"uniform"};
  record.models = {"toy-features"};
  record.error = "some \"reason\"";
  const auto read = StudyFromJson(StudyJson(record, 99));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->revision, 99u);
  record.revision = 99;
  EXPECT_EQ(StudyJson(*read, 99), StudyJson(record, 99));
  EXPECT_TRUE(read->spec == spec);
}

TEST(StudyRecordTest, OtherSchemaVersionsAreRefused) {
  StudySpec spec = ToySpec();
  std::string text = StudyJson(MakeStudyRecord("toy", spec, {}), 1);
  text.replace(text.find("\"schema\": 2"), 11, "\"schema\": 3");
  EXPECT_EQ(StudyFromJson(text).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(StudyFromJson("[]").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(StudyFromJson("{\"schema\":1}").error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::trainer
