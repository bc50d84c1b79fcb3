#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/report/command_line_fixture.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using StudyCommandTest = CommandLineFixture;

TEST_F(StudyCommandTest, JsonEndsWithOneObjectOfTheDemandedKeys) {
  Start();
  const Outcome run = Run({"--json", "study", "run", "demo", "--report", Path("report")});
  ASSERT_EQ(run.code, 0) << run.err;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["report"], Path("report") + "/index.html");
  EXPECT_TRUE(std::filesystem::exists(json["report"].get<std::string>()));
  EXPECT_EQ(json["seconds"], 684.2);
  EXPECT_EQ(json["uniform_share"], 0.0204);
  EXPECT_EQ(json["constrained_share"], 0.413);
  EXPECT_EQ(json["false_negative_rate"], 0.0312);
  EXPECT_EQ(json["theta_inside_99_features"], true);
  EXPECT_EQ(json["theta_inside_99_summary"], true);
  EXPECT_EQ(json["log_density_prior"], 3.31);
  EXPECT_EQ(json["log_density_features"], 8.74);
  EXPECT_EQ(json["log_density_summary"], 11.02);
  EXPECT_EQ(json["share_ratio"], 20.2);
  EXPECT_NEAR(json["log_density_difference_standard_error"], 0.1378, 1e-3);
  EXPECT_TRUE(json["uniform_share_40"].is_null()) << "a number that the trainer did not send";
}

TEST_F(StudyCommandTest, PeopleGetATableAndThePage) {
  Start();
  // Without a converter on the path there are no PNGs, and that is said.
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nonexistent", 1);
  const Outcome run = Run({"study", "run", "demo", "--report", Path("report")});
  setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("at least 38 %"));
  EXPECT_THAT(run.out, HasSubstr("41.3 % (40.8 % to 41.9 %)"));
  EXPECT_THAT(run.out, HasSubstr("Report: " + Path("report") + "/index.html"));
  EXPECT_THAT(run.err, HasSubstr("Uniform round"));
  EXPECT_THAT(run.err, HasSubstr("warning: No PNG figures"));
}

TEST_F(StudyCommandTest, TheSpecCarriesScaleAndOptions) {
  Start();
  ASSERT_EQ(Run({"study", "run", "one", "--scale", "paper", "--seed", "7", "--audit", "123",
                 "--target", "1,2,3,4,5,6,1022", "--detach"})
                .code,
            0);
  const v1::StudySpec spec = trainer_->created().spec();
  EXPECT_EQ(trainer_->created().study_id(), "one");
  EXPECT_EQ(spec.uniform_count(), 50'000u);
  EXPECT_EQ(spec.constrained_count(), 600'000u);
  EXPECT_EQ(spec.audit_count(), 123u);
  EXPECT_EQ(spec.seed(), 7u);
  EXPECT_EQ(spec.target_codes(6), 1022u);
  EXPECT_EQ(spec.protocol().duration_us(), 1400);
  EXPECT_THAT(spec.profile_toml(), HasSubstr("adex-paper"));
}

TEST_F(StudyCommandTest, AWatchGoesOnAfterTheTrainerWasKilled) {
  Start({.broken_watches = 5});
  const Outcome run = Run({"--json", "study", "watch", "demo"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(trainer_->watched_after(), 3u) << "resumes at the revision last seen";
  EXPECT_TRUE(run.Json()["report"].is_null());
}

TEST_F(StudyCommandTest, AWatchGoesOnAfterTheTrainerWasStopped) {
  Start({.broken_watches = 3, .broken = grpc::Status::OK});
  EXPECT_EQ(Run({"study", "watch", "demo"}).code, 0);
  EXPECT_EQ(trainer_->watched_after(), 3u);
}

TEST_F(StudyCommandTest, ATrainerThatStaysAwayIsExitCodeThree) {
  Start({.broken_watches = 1'000'000});
  EXPECT_EQ(Run({"study", "watch", "demo"}).code, 3);
}

TEST_F(StudyCommandTest, AStudyThatFailsIsExitCodeFiveWithItsReason) {
  Start({.end = v1::STUDY_STATE_FAILED, .error = "too few relevant draws"});
  const Outcome run = Run({"study", "run", "demo"});
  EXPECT_EQ(run.code, 5);
  EXPECT_THAT(run.err, HasSubstr("studies/demo failed: too few relevant draws"));
}

TEST_F(StudyCommandTest, ARefusalIsShownWithItsAdvice) {
  Start({.refuse = {grpc::StatusCode::ALREADY_EXISTS,
                    "studies/demo has another spec. Choose another id."}});
  const Outcome run = Run({"study", "run", "demo"});
  EXPECT_EQ(run.code, 4);
  EXPECT_THAT(run.err, HasSubstr("has another spec. Choose another id."));
}

TEST_F(StudyCommandTest, ReportOfARunningStudyIsRefused) {
  Start({.end = v1::STUDY_STATE_RUNNING});
  EXPECT_EQ(Run({"study", "report", "demo", "--out", Path("report")}).code, 4);
  EXPECT_FALSE(std::filesystem::exists(Path("report")));
}

TEST_F(StudyCommandTest, AReportWithAMissingArrayNamesIt) {
  Start({.missing_array = "target.trace"});
  const Outcome run = Run({"study", "report", "demo", "--out", Path("report")});
  EXPECT_NE(run.code, 0);
  EXPECT_THAT(run.err, HasSubstr("target.trace"));
  EXPECT_FALSE(std::filesystem::exists(Path("report")));
}

TEST_F(StudyCommandTest, ListShowAndCancelTellTheState) {
  Start();
  EXPECT_THAT(Run({"study", "list"}).out, HasSubstr("studies/demo"));
  EXPECT_THAT(Run({"study", "show", "demo"}).out, HasSubstr("Estimator on features"));
  EXPECT_EQ(Run({"--json", "study", "cancel", "demo"}).Json()["state"], "cancelled");
  EXPECT_EQ(Run({"study", "show", "other"}).code, 4);
}

TEST_F(StudyCommandTest, MalformedArgumentsAreUsageErrorsBeforeAnyCall) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"study", "run"},
                                             {"study", "run", "No_Id"},
                                             {"study", "run", "a", "--scale", "huge"},
                                             {"study", "run", "a", "--target", "1,2"},
                                             {"study", "run", "a", "--target", "1,2,3,4,5,6,1023"},
                                             {"study", "run", "a", "--step", "5:1"},
                                             {"study", "run", "a", "--profile", "no-such-profile"},
                                             {"study", "run", "a", "--uniform", "0"},
                                             {"study", "run", "a", "--colour"},
                                             {"study", "report", "a"}}) {
    const Outcome run = Run(arguments);
    EXPECT_EQ(run.code, 2) << arguments.back() << run.err;
    EXPECT_THAT(run.err, HasSubstr("inferon: "));
  }
}

TEST_F(StudyCommandTest, WithoutServerIsExitCodeThree) {
  EXPECT_EQ(Run({"study", "run", "a"}).code, 3);
  const Outcome run = Run({"--json", "study", "list", "--trainer", "127.0.0.1:1"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("inferon up"));
  EXPECT_EQ(run.Json()["error"]["exit_code"], 3);
}

TEST_F(StudyCommandTest, InterruptedTheStudyGoesOn) {
  Start();
  stop_.request_stop();
  const Outcome run = Run({"study", "watch", "demo"});
  EXPECT_EQ(run.code, 130);
  EXPECT_THAT(run.err, HasSubstr("the study goes on"));
}

TEST_F(StudyCommandTest, ModelsAreListedAndShown) {
  Start();
  EXPECT_THAT(Run({"model", "list"}).out, HasSubstr("models/demo-summary"));
  EXPECT_EQ(Run({"--json", "model", "show", "demo-summary"}).Json()["training_count"], 30'000);
  const Outcome missing = Run({"model", "show", "other"});
  EXPECT_EQ(missing.code, 4);
  EXPECT_THAT(missing.err, HasSubstr("inferon model list"));
}

}  // namespace
}  // namespace inferon::cli
