#include "client/cli/study_options.h"

#include <gmock/gmock.h>

#include <CLI/CLI.hpp>

#include "common/base/files.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;

// The study that a command line asks for.
Result<v1::StudySpec> Parse(std::vector<std::string> arguments) {
  CLI::App app;
  StudyOptions options;
  AddStudyOptions(app, options);
  std::reverse(arguments.begin(), arguments.end());  // As CLI11 wants them.
  app.parse(arguments);
  return MakeStudySpec(options);
}

TEST(StudyOptionsTest, WhatIsNotGivenIsLeftToTheTrainer) {
  const auto spec = Parse({"mine"});
  ASSERT_TRUE(spec) << spec.error().Text();
  EXPECT_EQ(spec->features_estimator().estimator(), "");
  EXPECT_EQ(spec->summary_estimator().config(), "");
  EXPECT_EQ(spec->summary_estimator().max_epochs(), 0u);
}

TEST(StudyOptionsTest, EstimatorsAndTheirConfigsReachTheStudy) {
  const TemporaryFolder folder;
  const std::string config = R"({"summary": "transformer", "repair": true})";
  WriteFileAtomically(folder.path() / "traces.json", config);
  const auto spec = Parse({"mine", "--features-estimator", "diffusion", "--summary-config",
                           (folder.path() / "traces.json").string()});
  ASSERT_TRUE(spec) << spec.error().Text();
  EXPECT_EQ(spec->features_estimator().estimator(), "diffusion");
  EXPECT_EQ(spec->features_estimator().config(), "");
  EXPECT_EQ(spec->summary_estimator().estimator(), "");
  EXPECT_EQ(spec->summary_estimator().config(), config);
}

TEST(StudyOptionsTest, TrainerThatDropsTheEstimatorIsFoundOut) {
  v1::StudySpec wanted, created;
  created.mutable_features_estimator()->set_estimator("flow");
  EXPECT_TRUE(CheckUnderstood(wanted, created));
  wanted.mutable_features_estimator()->set_estimator("flow");
  EXPECT_TRUE(CheckUnderstood(wanted, created));
  EXPECT_TRUE(CheckUnderstood(wanted, {}));
  wanted.mutable_features_estimator()->set_estimator("diffusion");
  EXPECT_FALSE(CheckUnderstood(wanted, {}));
  wanted.clear_features_estimator();
  wanted.mutable_summary_estimator()->set_config("{}");
  EXPECT_THAT(CheckUnderstood(wanted, created).error().Text(), HasSubstr("update the trainer"));
}

TEST(StudyOptionsTest, ConfigThatCannotBeReadIsRefusedByName) {
  const auto missing = Parse({"mine", "--features-config", "no-such.json"});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("no-such.json"));
  const TemporaryFolder folder;
  const std::string large = (folder.path() / "large.json").string();
  WriteFileAtomically(large, std::string(64 * 1024, ' '));
  EXPECT_TRUE(Parse({"mine", "--summary-config", large}));
  WriteFileAtomically(large, std::string(64 * 1024 + 1, ' '));
  const auto refused = Parse({"mine", "--summary-config", large});
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(refused.error().advice.empty());
}

}  // namespace
}  // namespace inferon::cli
