// The whole pipeline on a toy neuron, whole and cut off.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>

#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/report.h"
#include "tests/trainer/study_fixture.h"

namespace inferon::trainer {
namespace {

double Value(const Report& report, const std::string& key) {
  for (const ReportNumber& number : report.numbers) {
    if (number.key == key) return number.value;
  }
  ADD_FAILURE() << "no number " << key;
  return NAN;
}

const ReportArray* FindArray(const Report& report, const std::string& name) {
  for (const ReportArray& array : report.arrays) {
    if (array.name == name) return &array;
  }
  return nullptr;
}

// One finished study for the tests that only look at it.
class FinishedStudyTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    parts_ = new TrainerParts(folder_->path(), QuickOptions());
    record_ = new StudyRecord(parts_->Run());
  }
  static void TearDownTestSuite() {
    delete record_;
    delete parts_;
    delete folder_;
  }
  void SetUp() override { ASSERT_EQ(record_->state, StudyState::kSucceeded) << record_->error; }
  Report ReportOfStudy() { return *parts_->Manager().ReadStudyReport("toy"); }
  std::filesystem::path StudyFolder() { return folder_->path() / "studies" / "toy"; }

  static TemporaryFolder* folder_;
  static TrainerParts* parts_;
  static StudyRecord* record_;
};
TemporaryFolder* FinishedStudyTest::folder_ = nullptr;
TrainerParts* FinishedStudyTest::parts_ = nullptr;
StudyRecord* FinishedStudyTest::record_ = nullptr;

TEST_F(FinishedStudyTest, EveryStepHasEndedWithItsUnitsDone) {
  EXPECT_EQ(record_->steps.size(), 13u);
  for (const StepRecord& step : record_->steps) {
    EXPECT_TRUE(step.start_time && step.end_time) << step.id;
    EXPECT_EQ(step.done, step.total) << step.id;
    EXPECT_GT(step.done, 0u) << step.id;
  }
  EXPECT_EQ(std::set<std::string>(record_->models.begin(), record_->models.end()),
            (std::set<std::string>{"toy-features", "toy-summary"}));
}

TEST_F(FinishedStudyTest, ReportHasEveryNumberOnce) {
  const Report report = ReportOfStudy();
  std::set<std::string> keys;
  for (const ReportNumber& number : report.numbers) {
    EXPECT_TRUE(keys.insert(number.key).second) << number.key;
    EXPECT_FALSE(number.label.empty()) << number.key;
    EXPECT_FALSE(number.provenance.empty()) << number.key;
    if (!std::isnan(number.low) && !std::isnan(number.value)) {
      EXPECT_LE(number.low, number.value + 1e-12) << number.key;
      EXPECT_GE(number.high, number.value - 1e-12) << number.key;
    }
  }
  for (const char* key : {"seconds",
                          "uniform_share",
                          "uniform_share_40",
                          "constrained_share",
                          "constrained_share_40",
                          "share_ratio",
                          "false_negative_rate",
                          "false_negative_bound",
                          "acceptance",
                          "theta_inside_99_features",
                          "theta_inside_99_summary",
                          "log_density_prior",
                          "log_density_features",
                          "log_density_summary",
                          "log_density_difference",
                          "heldout_count",
                          "width_features_g_l",
                          "width_summary_b",
                          "ppc_median_features_spike_count",
                          "ppc_median_summary_latency_us",
                          "target_spike_count",
                          "sbc_p_features_v_t",
                          "coverage_90_summary",
                          "calibration_p_features",
                          "band_p_summary_b",
                          "atc_features",
                          "tarp_p_summary",
                          "classifier_p_features",
                          "local_p_summary",
                          "outlier_score_features",
                          "outlier_share_summary",
                          "contraction_features_a",
                          "recovery_summary_a",
                          "ppc_p_features_spike_count",
                          "width_ratio",
                          "sbc_draws",
                          "calibration_p_other_run_summary",
                          "coverage_90_other_run_features",
                          "log_density_other_run_summary"}) {
    EXPECT_TRUE(keys.contains(key)) << key;
  }
}

TEST_F(FinishedStudyTest, ArraysHaveTheShapesOfTheContract) {
  const Report report = ReportOfStudy();
  using Shape = std::vector<std::uint64_t>;
  const auto expect = [&](const std::string& name, const std::string& dtype, const Shape& shape) {
    const ReportArray* array = FindArray(report, name);
    ASSERT_NE(array, nullptr) << name;
    EXPECT_EQ(array->dtype, dtype) << name;
    EXPECT_EQ(array->shape, shape) << name;
  };
  expect("uniform.spike_count", "u2", {600});
  expect("constrained.spike_count", "u2", {400});
  expect("figure1a.traces", "f4", {4, 40});
  expect("target.codes", "u2", {7});
  expect("target.trace", "f4", {40});
  expect("target.trials", "f4", {10, 40});
  expect("target.features", "f4", {12});
  expect("ppc.repeats.features", "f4", {12, 12});
  expect("validation.trace", "f4", {4, 40});
  expect("validation.codes", "u2", {4, 7});
  for (const std::string input : {"features", "summary"}) {
    expect("posterior." + input + ".codes", "u2", {50, 7});
    expect("posterior." + input + ".log_density", "f8", {50});
    expect("map." + input + ".codes", "u2", {7});
    expect("map." + input + ".trace", "f4", {40});
    expect("ppc." + input + ".features", "f4", {50, 12});
    expect("validation.map." + input + ".trace", "f4", {4, 40});
    expect("training." + input + ".loss", "f8", {3, 2});
    expect("sbc." + input + ".ranks", "u4", {40, 7});
    expect("coverage." + input, "f8", {19, 2});
    for (const std::string run : {"", ".other_run"}) {
      expect("sbc." + input + run + ".ranks", "u4", {40, 7});
      expect("levels." + input + run, "f8", {40});
      expect("tarp." + input + run, "f8", {40});
      expect("band." + input + run, "f8", {40, 3});
    }
  }
}

TEST_F(FinishedStudyTest, ClassifierRaisesTheShareAndKeepsItsPromise) {
  const Report report = ReportOfStudy();
  EXPECT_NEAR(Value(report, "uniform_share"), 0.12, 0.04);
  EXPECT_GT(Value(report, "constrained_share"), 0.8);
  EXPECT_LE(Value(report, "false_negative_rate"), 0.1);
  EXPECT_NEAR(Value(report, "share_ratio"),
              Value(report, "constrained_share") / Value(report, "uniform_share"), 1e-9);
  EXPECT_NEAR(Value(report, "log_density_prior"), -std::log(Value(report, "acceptance")), 1e-9);
  EXPECT_NEAR(Value(report, "log_density_difference"),
              Value(report, "log_density_summary") - Value(report, "log_density_features"), 1e-9);
}

TEST_F(FinishedStudyTest, ConstrainedDrawsAllLieWhereTheClassifierAccepts) {
  const auto model = parts_->registry.Load("toy-features");
  ASSERT_TRUE(model);
  for (const char* step : {"constrained", "validation"}) {
    const auto data = DataSet::Open(StudyFolder(), step);
    ASSERT_TRUE(data);
    const auto inside = (*model)->PriorSupport().Accepts(data->AllCodes());
    EXPECT_TRUE(std::ranges::all_of(inside, [](auto in) { return in == 1; })) << step;
  }
}

TEST_F(FinishedStudyTest, ManifestsNameTheHashesOfTheFiles) {
  const auto manifest = ReadFile(StudyFolder() / "uniform.json");
  ASSERT_TRUE(manifest);
  for (const char* array : {"theta", "trace", "spike_count", "spike_times", "features"}) {
    const std::string hash = HashFile(StudyFolder() / (std::string("uniform.") + array + ".npy"));
    EXPECT_NE(manifest->find(hash), std::string::npos) << array;
  }
}

TEST_F(FinishedStudyTest, TargetIsRelevantAndItsTrialsShareItsCodes) {
  const auto target = DataSet::Open(StudyFolder(), "target");
  ASSERT_TRUE(target);
  ASSERT_EQ(target->size(), 12u);
  for (std::uint64_t i = 0; i < 12; ++i) {
    EXPECT_TRUE(std::ranges::equal(target->Codes(i), target->Codes(0)));
  }
  EXPECT_GE(target->StimulusSpikes(0), 8u);
  EXPECT_LE(target->StimulusSpikes(0), 30u);
}

TEST_F(FinishedStudyTest, OtherRunHasTheValidationsParameterSetsAndAnotherJob) {
  const auto validation = DataSet::Open(StudyFolder(), "validation");
  const auto other = DataSet::Open(StudyFolder(), "validation-other-run");
  ASSERT_TRUE(validation && other);
  EXPECT_TRUE(std::ranges::equal(validation->AllCodes(), other->AllCodes()));
  std::set<std::uint32_t> runs;
  for (const auto& [name, job] : parts_->experiments.jobs()) {
    const bool moved = name.find("validation-other-run") != std::string::npos;
    EXPECT_EQ(job.device.run, record_->spec.device.run + (moved ? 1 : 0)) << name;
    runs.insert(job.device.run);
  }
  EXPECT_EQ(runs.size(), 2u);
}

// Runs the toy study to its end in a child process, but for the process being killed when the
// n-th call of a point comes (never where the point is empty). True where it was killed.
bool RunInChild(const std::filesystem::path& data, const std::string& point, int nth) {
  const pid_t child = fork();
  if (child == 0) {
    ManagerOptions options = QuickOptions();
    std::mutex mu;
    int seen = 0;
    options.pipeline.at_point = [&](std::string_view at) {
      const std::lock_guard lock(mu);
      if (at == point && ++seen == nth) kill(getpid(), SIGKILL);
    };
    TrainerParts parts(data, options);
    const StudyRecord record = parts.Run();
    _exit(record.state == StudyState::kSucceeded ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) return true;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return false;
}

// Names of the points of a whole run, each with how often it came.
std::map<std::string, int> PointsOf(const std::filesystem::path& data) {
  ManagerOptions options = QuickOptions();
  std::mutex mu;
  std::map<std::string, int> points;
  options.pipeline.at_point = [&](std::string_view at) {
    const std::lock_guard lock(mu);
    ++points[std::string(at)];
  };
  TrainerParts parts(data, options);
  EXPECT_EQ(parts.Run().state, StudyState::kSucceeded);
  return points;
}

void ExpectSameFiles(const std::map<std::string, std::string>& expected,
                     const std::map<std::string, std::string>& found, const std::string& what) {
  for (const auto& [name, content] : expected) {
    const auto file = found.find(name);
    ASSERT_NE(file, found.end()) << what << ": " << name << " is missing";
    EXPECT_TRUE(file->second == content) << what << ": " << name << " differs";
  }
  EXPECT_EQ(found.size(), expected.size()) << what;
}

// Killed at each point of one step (the part of its name before the first dot or colon).
class KilledStudyTest : public ::testing::TestWithParam<const char*> {};

TEST_P(KilledStudyTest, EndsWithTheSameBytes) {
  const TemporaryFolder whole;
  const std::map<std::string, int> points = PointsOf(whole.path());
  const auto expected = StableFiles(whole.path());
  int killed = 0;
  for (const auto& [point, times] : points) {
    if (point.substr(0, point.find_first_of(".:-")) != GetParam()) continue;
    const TemporaryFolder cut;
    const int nth = times > 1 ? 2 : 1;
    ASSERT_TRUE(RunInChild(cut.path(), point, nth)) << point;
    TrainerParts parts(cut.path(), QuickOptions());
    const StudyRecord record = parts.Await("toy");
    ASSERT_EQ(record.state, StudyState::kSucceeded) << point << ": " << record.error;
    ExpectSameFiles(expected, StableFiles(cut.path()), point);
    ++killed;
  }
  EXPECT_GT(killed, 2) << "no points of this step";
}

INSTANTIATE_TEST_SUITE_P(AtEachPointOf, KilledStudyTest,
                         ::testing::Values("uniform", "calibration", "audit", "classifier",
                                           "constrained", "validation", "features", "summary",
                                           "target", "posterior", "check", "diagnostics", "report"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(KilledTwiceStudyTest, EndsWithTheSameBytes) {
  const TemporaryFolder whole;
  ASSERT_FALSE(RunInChild(whole.path(), "", 0));
  const TemporaryFolder cut;
  ASSERT_TRUE(RunInChild(cut.path(), "uniform:results", 3));
  ASSERT_TRUE(RunInChild(cut.path(), "constrained:results", 2));
  ASSERT_TRUE(RunInChild(cut.path(), "summary:epoch", 2));
  ASSERT_FALSE(RunInChild(cut.path(), "", 0));
  ExpectSameFiles(StableFiles(whole.path()), StableFiles(cut.path()), "killed three times");
}

}  // namespace
}  // namespace inferon::trainer
