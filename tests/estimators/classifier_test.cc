#include <gmock/gmock.h>

#include <cmath>

#include "common/base/files.h"
#include "server/trainer/estimators/estimators.h"
#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

using testing::HasSubstr;

// Relevant: a curved shell that holds about 4 % of the box.
struct Labelled {
  std::vector<float> theta;
  std::vector<std::uint8_t> relevant;
  std::size_t rows() const { return relevant.size(); }
  MatrixView Theta() const { return {theta.data(), rows(), 3}; }
};

Labelled MakeShell(std::size_t rows, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "shell"));
  Labelled data;
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.Uniform(), b = random.Uniform(), c = random.Uniform();
    for (const double v : {a, b, c}) data.theta.push_back(static_cast<float>(v));
    data.relevant.push_back(std::abs(a * b - 0.1 - 0.2 * c * c) < 0.015 ? 1 : 0);
  }
  return data;
}

ClassifierOptions Options() {
  ClassifierOptions options;
  options.dimension = 3;
  options.hidden = 48;
  return options;
}

TrainingOptions Training(std::uint32_t epochs) {
  TrainingOptions training;
  training.max_epochs = epochs;
  training.seed = 21;
  return training;
}

// Share of positives among the rows above the score that keeps 95 % of the positives.
double PrecisionAt95(const std::vector<float>& scores, const std::vector<std::uint8_t>& relevant) {
  std::vector<float> positive;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (relevant[i] != 0) positive.push_back(scores[i]);
  }
  std::sort(positive.begin(), positive.end());
  const float threshold = positive[positive.size() / 20];
  double kept = 0, hits = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] < threshold) continue;
    kept += 1;
    hits += relevant[i];
  }
  return hits / kept;
}

TEST(ClassifierTest, LearnsAThinShell) {
  const Labelled data = MakeShell(12'000, 1), test = MakeShell(12'000, 2);
  TrainingResult result;
  const auto classifier =
      TrainClassifier(Options(), data.Theta(), data.relevant, Training(15), &result);
  ASSERT_TRUE(classifier) << classifier.error().Text();
  EXPECT_EQ(result.heldout_loss.size(), result.epochs);
  const auto scores = (*classifier)->Score(test.Theta());
  EXPECT_GT(PrecisionAt95(scores, test.relevant), 0.4);  // From 0.04.
  double predicted = 0, seen = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_TRUE(scores[i] >= 0 && scores[i] <= 1);
    predicted += scores[i];
    seen += test.relevant[i];
  }
  EXPECT_NEAR(predicted / seen, 1, 0.2);  // Calibrated in the mean.
}

TEST(ClassifierTest, TrainedScoreDoesNotDependOnTheBatchAndSurvivesSaving) {
  const Labelled data = MakeShell(2000, 3);
  ClassifierOptions options = Options();
  options.members = 2;
  const auto classifier =
      TrainClassifier(options, data.Theta(), data.relevant, Training(2), nullptr);
  ASSERT_TRUE(classifier) << classifier.error().Text();
  const auto together = (*classifier)->Score(data.Theta());
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ((*classifier)->Score({data.theta.data() + 3 * i, 1, 3})[0], together[i]);
  }
  const TemporaryFolder folder;
  const std::string json = (*classifier)->Save(folder.path() / "w");
  const auto loaded = LoadClassifier(json, folder.path() / "w");
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ((*loaded)->Score(data.Theta()), together);
}

TEST(ClassifierTest, CutOffAndResumedEqualsUninterruptedAcrossMembers) {
  const Labelled data = MakeShell(2000, 4);
  ClassifierOptions options = Options();
  options.members = 2;
  const auto whole = TrainClassifier(options, data.Theta(), data.relevant, Training(3), nullptr);
  for (const std::uint32_t cut : {2u, 5u}) {  // In the first and in the second member.
    const TemporaryFolder folder;
    TrainingOptions training = Training(3);
    training.checkpoint = folder.path() / "checkpoint";
    std::stop_source stop;
    training.stop = stop.get_token();
    training.progress = [&](const TrainingProgress& p) {
      EXPECT_EQ(p.max_epochs, 6u);
      if (p.epoch == cut) stop.request_stop();
    };
    const auto first = TrainClassifier(options, data.Theta(), data.relevant, training, nullptr);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code, ErrorCode::kCancelled);
    training.stop = {};
    const auto second = TrainClassifier(options, data.Theta(), data.relevant, training, nullptr);
    ASSERT_TRUE(second) << second.error().Text();
    EXPECT_EQ((*second)->Score(data.Theta()), (*whole)->Score(data.Theta()));
  }
}

TEST(ClassifierTest, BadInputIsRefusedWithAdvice) {
  Labelled data = MakeShell(200, 5);
  const auto message = [&](auto change) {
    ClassifierOptions options = Options();
    Labelled changed = data;
    change(options, changed);
    const auto classifier =
        TrainClassifier(options, {changed.theta.data(), changed.theta.size() / 3, 3},
                        changed.relevant, Training(1), nullptr);
    if (classifier) return std::string("trained");
    EXPECT_EQ(classifier.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(classifier.error().advice, "");
    return classifier.error().message;
  };
  EXPECT_THAT(message([](auto& o, auto&) { o.dimension = 4; }), HasSubstr("3 columns"));
  EXPECT_THAT(message([](auto& o, auto&) { o.members = 0; }), HasSubstr("members"));
  EXPECT_THAT(message([](auto& o, auto&) { o.hidden = 2000; }), HasSubstr("hidden"));
  EXPECT_THAT(message([](auto& o, auto&) { o.dropout = 1; }), HasSubstr("dropout"));
  EXPECT_THAT(message([](auto&, auto& d) { d.relevant.pop_back(); }), HasSubstr("199 labels"));
  EXPECT_THAT(message([](auto&, auto& d) { d.relevant.assign(200, 0); }),
              HasSubstr("no row is relevant"));
  EXPECT_THAT(message([](auto&, auto& d) { d.relevant.assign(200, 1); }),
              HasSubstr("every row is relevant"));
  EXPECT_THAT(message([](auto&, auto& d) { d.theta[31] = 1.5f; }), HasSubstr("row 10"));
  EXPECT_THAT(message([](auto&, auto& d) { d.theta[31] = std::nanf(""); }), HasSubstr("row 10"));
}

}  // namespace
}  // namespace inferon::estimators
