// A study's data come from devices that are equally real.
#include <gtest/gtest.h>

#include "tests/trainer/study_fixture.h"

namespace inferon::trainer {
namespace {

// Audits come from another mode than the rest.
std::string MixedMode(const ExperimentJob& job) {
  return job.title.find("audit") == std::string::npos ? "hardware" : "fake";
}

TEST(DeviceModeTest, AStudyRemembersTheModeOfItsDevices) {
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), QuickOptions());
  parts.experiments.mode = [](const ExperimentJob&) { return "fake"; };
  const StudyRecord record = parts.Run();
  ASSERT_EQ(record.state, StudyState::kSucceeded) << record.error;
  EXPECT_EQ(record.modes, std::vector<std::string>{"fake"});
  const auto again = StudyFromJson(StudyJson(record, record.revision));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->modes, record.modes);
}

TEST(DeviceModeTest, ResultsOfAnotherModeEndTheStudy) {
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), QuickOptions());
  parts.experiments.mode = MixedMode;
  const StudyRecord record = parts.Run();
  EXPECT_EQ(record.state, StudyState::kFailed);
  EXPECT_NE(record.error.find("mode"), std::string::npos) << record.error;
  EXPECT_EQ(record.modes.size(), 1u);
}

TEST(DeviceModeTest, ModesMixWhereTheStudySaysSo) {
  const TemporaryFolder folder;
  TrainerParts parts(folder.path(), QuickOptions());
  parts.experiments.mode = MixedMode;
  StudySpec spec = ToySpec();
  spec.allow_mixed_modes = true;
  const StudyRecord record = parts.Run("toy", spec);
  ASSERT_EQ(record.state, StudyState::kSucceeded) << record.error;
  EXPECT_EQ(record.modes.size(), 2u);
}

}  // namespace
}  // namespace inferon::trainer
