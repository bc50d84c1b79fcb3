#include "server/trainer/estimators/training.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <fstream>

#include "common/base/files.h"
#include "server/trainer/estimators/checkpoint.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

using testing::HasSubstr;

// Fits one number per column to noisy rows: the simplest network there is. Its loss has noise that
// depends on the epoch, as dequantisation does.
class MeanTrainee : public Trainee {
 public:
  static constexpr std::size_t kColumns = 3;
  static constexpr std::size_t kRows = 100;

  MeanTrainee() : values_(kColumns, 0), gradient_(kColumns), rows_(kRows * kColumns) {
    FillUniform(StreamKey(1, "rows"), 0, 0, rows_);
    spans_ = {{"mean", {1, 3}, values_, gradient_, true}};
  }
  const std::vector<WeightSpan>& Weights() override { return spans_; }
  double Step(std::span<const std::uint32_t> rows, std::uint32_t epoch) override {
    ++steps;
    if (steps == poison_at) return std::nan("");
    std::fill(gradient_.begin(), gradient_.end(), 0.0f);
    if (steps == poison_gradient_at) gradient_[0] = INFINITY;
    double loss = 0;
    for (const std::uint32_t row : rows) {
      std::array<float, kColumns> noise;
      FillUniform(StreamKey(1, "noise"), epoch, row * kColumns, noise);
      for (std::size_t c = 0; c < kColumns; ++c) {
        const float error = values_[c] - rows_[row * kColumns + c] - 0.1f * (noise[c] - 0.5f);
        loss += error * error;
        gradient_[c] += 2 * error / static_cast<float>(rows.size());
      }
    }
    return loss / static_cast<double>(rows.size());
  }
  double HeldoutLoss(std::span<const std::uint32_t> rows) override {
    double loss = 0;
    for (const std::uint32_t row : rows) {
      for (std::size_t c = 0; c < kColumns; ++c) {
        loss += std::pow(values_[c] - rows_[row * kColumns + c], 2);
      }
    }
    return loss;
  }
  const std::vector<float>& values() const { return values_; }

  int steps = 0;
  int poison_at = -1;
  int poison_gradient_at = -1;

 private:
  std::vector<float> values_, gradient_, rows_;
  std::vector<WeightSpan> spans_;
};

TrainingOptions Options() {
  TrainingOptions options;
  options.max_epochs = 12;
  options.patience = 100;
  options.batch_size = 16;
  options.learning_rate = 0.05;
  options.seed = 4;
  return options;
}

struct Trained {
  Status status;
  std::vector<float> values;
  TrainingResult result;
  int steps = 0;
};

Trained TrainMean(const TrainingOptions& options, const std::string& description = "d",
                  int poison_at = -1, int poison_gradient_at = -1) {
  MeanTrainee trainee;
  trainee.poison_at = poison_at;
  trainee.poison_gradient_at = poison_gradient_at;
  Trained t;
  t.status = Train(trainee, SplitRows(MeanTrainee::kRows, options), options, description,
                   FakeClock(), &t.result);
  t.values = trainee.values();
  t.steps = trainee.steps;
  return t;
}

TEST(TrainingTest, FindsTheMinimum) {
  const Trained t = TrainMean(Options());
  ASSERT_TRUE(t.status);
  EXPECT_EQ(t.result.epochs, 12u);
  EXPECT_EQ(t.result.heldout_loss.size(), 12u);
  for (const float v : t.values) EXPECT_NEAR(v, 0.5, 0.1);
}

TEST(TrainingTest, EveryRowIsTrainedOnOrHeldOutOnce) {
  const RowSplit split = SplitRows(1000, Options());
  EXPECT_EQ(split.heldout.size(), 100u);
  std::vector<std::uint32_t> all = split.training;
  all.insert(all.end(), split.heldout.begin(), split.heldout.end());
  std::sort(all.begin(), all.end());
  for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(all[i], i);
}

TEST(TrainingTest, KeepsTheBestWeightsAndStopsEarly) {
  TrainingOptions options = Options();
  options.max_epochs = 300;
  options.patience = 5;
  options.learning_rate = 0.5;  // So large that it overshoots.
  const Trained t = TrainMean(options);
  ASSERT_TRUE(t.status);
  EXPECT_LT(t.result.epochs, 300u);
  const auto best = std::min_element(t.result.heldout_loss.begin(), t.result.heldout_loss.end());
  EXPECT_EQ(*best, t.result.best_heldout_loss);
  EXPECT_EQ(t.result.heldout_loss.end() - best, 6);
  MeanTrainee probe;
  ScatterValues(t.values, probe.Weights());
  const RowSplit split = SplitRows(MeanTrainee::kRows, options);
  EXPECT_DOUBLE_EQ(probe.HeldoutLoss(split.heldout) / static_cast<double>(split.heldout.size()),
                   t.result.best_heldout_loss);
}

TEST(TrainingTest, CutOffAtAnyEpochAndResumedEqualsUninterrupted) {
  const Trained whole = TrainMean(Options());
  for (std::uint32_t cut = 1; cut < 12; cut += 3) {
    const TemporaryFolder folder;
    TrainingOptions options = Options();
    options.checkpoint = folder.path() / "checkpoint";
    std::stop_source stop;
    options.stop = stop.get_token();
    options.progress = [&](const TrainingProgress& p) {
      if (p.epoch == cut) stop.request_stop();
    };
    const Trained first = TrainMean(options);
    ASSERT_FALSE(first.status);
    EXPECT_EQ(first.status.error().code, ErrorCode::kCancelled);
    options.stop = {};
    const Trained second = TrainMean(options);
    ASSERT_TRUE(second.status);
    EXPECT_EQ(first.steps + second.steps, whole.steps) << "trained an epoch twice";
    EXPECT_EQ(second.values, whole.values);
    EXPECT_EQ(second.result.heldout_loss, whole.result.heldout_loss);
    EXPECT_EQ(second.result.training_loss, whole.result.training_loss);
    EXPECT_EQ(second.result.best_heldout_loss, whole.result.best_heldout_loss);
  }
}

// So large a rate that the loss is soon at its best and stays worse until the rate falls.
TrainingOptions PlateauOptions() {
  TrainingOptions options = Options();
  options.max_epochs = 60;
  options.learning_rate = 0.5;
  options.plateau_epochs = 3;
  options.cooldown_epochs = 6;
  return options;
}

// Epochs until the first that has `plateau` epochs without a better loss behind its best.
std::size_t FirstPlateau(const std::vector<double>& loss, std::size_t plateau) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < loss.size(); ++i) {
    if (loss[i] < loss[best]) best = i;
    if (i - best == plateau) return i + 1;
  }
  return loss.size();
}

TEST(TrainingTest, PlateauCutsTheScheduleToItsCooldown) {
  const TrainingOptions options = PlateauOptions();
  const Trained t = TrainMean(options);
  ASSERT_TRUE(t.status);
  const std::size_t cut = FirstPlateau(t.result.heldout_loss, options.plateau_epochs);
  ASSERT_LT(cut + options.cooldown_epochs, options.max_epochs);
  EXPECT_EQ(t.result.epochs, cut + options.cooldown_epochs);
  const double before =
      *std::min_element(t.result.heldout_loss.begin(),
                        t.result.heldout_loss.begin() + static_cast<std::ptrdiff_t>(cut));
  EXPECT_LT(t.result.best_heldout_loss, before) << "a small rate from the best weights is better";
}

TEST(TrainingTest, ScheduleWithoutPlateauIsWhole) {
  TrainingOptions options = Options();
  const Trained plain = TrainMean(options);
  options.plateau_epochs = 12;
  options.cooldown_epochs = 2;
  const Trained t = TrainMean(options);
  EXPECT_EQ(t.result.heldout_loss, plain.result.heldout_loss);
  EXPECT_EQ(t.values, plain.values);
}

TEST(TrainingTest, ProgressTellsTheShorterSchedule) {
  TrainingOptions options = PlateauOptions();
  std::uint32_t last_epoch = 0, last_planned = 0, first_planned = 0;
  options.progress = [&](const TrainingProgress& p) {
    if (first_planned == 0) first_planned = p.max_epochs;
    last_epoch = p.epoch;
    last_planned = p.max_epochs;
  };
  ASSERT_TRUE(TrainMean(options).status);
  EXPECT_EQ(first_planned, options.max_epochs);
  EXPECT_EQ(last_planned, last_epoch);
}

TEST(TrainingTest, CutOffBeforeAtAndAfterThePlateauAndResumedEqualsUninterrupted) {
  for (const double ema_decay : {0.0, 0.9}) {
    TrainingOptions plain = PlateauOptions();
    plain.ema_decay = ema_decay;
    const Trained whole = TrainMean(plain);
    ASSERT_LT(whole.result.epochs, plain.max_epochs) << "no plateau";
    for (std::uint32_t cut = 1; cut < whole.result.epochs; ++cut) {
      const TemporaryFolder folder;
      TrainingOptions options = plain;
      options.checkpoint = folder.path() / "checkpoint";
      std::stop_source stop;
      options.stop = stop.get_token();
      options.progress = [&](const TrainingProgress& p) {
        if (p.epoch == cut) stop.request_stop();
      };
      ASSERT_FALSE(TrainMean(options).status);
      options.stop = {};
      const Trained second = TrainMean(options);
      ASSERT_TRUE(second.status);
      EXPECT_EQ(second.values, whole.values) << cut;
      EXPECT_EQ(second.result.heldout_loss, whole.result.heldout_loss) << cut;
    }
  }
}

TEST(TrainingTest, FinishedCheckpointIsTheResult) {
  const TemporaryFolder folder;
  TrainingOptions options = Options();
  options.checkpoint = folder.path() / "checkpoint";
  const Trained first = TrainMean(options);
  const Trained again = TrainMean(options);
  EXPECT_EQ(again.steps, 0);
  EXPECT_EQ(again.values, first.values);
}

TEST(TrainingTest, CheckpointOfOtherSettingsOrDataIsNotUsed) {
  const TemporaryFolder folder;
  TrainingOptions options = Options();
  options.checkpoint = folder.path() / "checkpoint";
  const Trained first = TrainMean(options, "one data set");
  EXPECT_EQ(TrainMean(options, "another data set").steps, first.steps);
}

// Files of this process may not grow beyond a few bytes: what a full disk does to a checkpoint.
class FullDisk {
 public:
  FullDisk() {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = signal(SIGXFSZ, SIG_IGN);
    const rlimit full{16, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(TrainingTest, FullDiskAtACheckpointLosesNothing) {
  const Trained whole = TrainMean(Options());
  const TemporaryFolder folder;
  TrainingOptions options = Options();
  options.checkpoint = folder.path() / "checkpoint";
  std::unique_ptr<FullDisk> full;
  options.progress = [&](const TrainingProgress& p) {
    if (p.epoch == 4) full = std::make_unique<FullDisk>();
  };
  const Trained first = TrainMean(options);
  full.reset();
  ASSERT_FALSE(first.status);
  EXPECT_EQ(first.status.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(first.status.error().message, HasSubstr("checkpoint after epoch 4"));
  EXPECT_THAT(first.status.error().advice, HasSubstr("make room"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path(), options.checkpoint) << "a piece of a file is left";
  }
  std::uint32_t first_epoch = 0;
  options.progress = [&](const TrainingProgress& p) {
    if (first_epoch == 0) first_epoch = p.epoch;
  };
  const Trained second = TrainMean(options);
  ASSERT_TRUE(second.status);
  EXPECT_EQ(first_epoch, 4u) << "goes on from the checkpoint before";
  EXPECT_EQ(second.values, whole.values);
  EXPECT_EQ(second.result.heldout_loss, whole.result.heldout_loss);
}

TEST(TrainingTest, DamagedCheckpointStartsAnew) {
  const TemporaryFolder folder;
  TrainingOptions options = Options();
  options.checkpoint = folder.path() / "checkpoint";
  const Trained first = TrainMean(options);
  for (const std::string content : {"", "nonsense", "\x08"}) {
    std::ofstream(options.checkpoint, std::ios::binary) << content;
    const Trained again = TrainMean(options);
    EXPECT_EQ(again.steps, first.steps);
    EXPECT_EQ(again.values, first.values);
  }
}

TEST(TrainingTest, LossThatIsNotFiniteNamesEpochAndBatch) {
  const Trained t = TrainMean(Options(), "d", /*poison_at=*/8);  // 5 batches of 16 in 90 rows.
  ASSERT_FALSE(t.status);
  EXPECT_EQ(t.status.error().code, ErrorCode::kInternal);
  EXPECT_THAT(t.status.error().message, HasSubstr("training loss"));
  EXPECT_THAT(t.status.error().message, HasSubstr("epoch 2, batch 3"));
  EXPECT_THAT(t.status.error().advice, HasSubstr("learning rate"));
}

TEST(TrainingTest, GradientThatIsNotFiniteIsRefused) {
  const Trained t = TrainMean(Options(), "d", -1, /*poison_gradient_at=*/1);
  ASSERT_FALSE(t.status);
  EXPECT_THAT(t.status.error().message, HasSubstr("gradient"));
}

TEST(TrainingTest, StopBeforeTheFirstBatchIsCancelled) {
  TrainingOptions options = Options();
  std::stop_source stop;
  stop.request_stop();
  options.stop = stop.get_token();
  const Trained t = TrainMean(options);
  ASSERT_FALSE(t.status);
  EXPECT_EQ(t.status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(t.steps, 0);
}

TEST(TrainingTest, DescriptionTellsEverySettingApart) {
  const std::string base = DescribeTraining(Options(), "a", "d");
  const auto changed = [&](auto change) {
    TrainingOptions options = Options();
    change(options);
    return DescribeTraining(options, "a", "d");
  };
  EXPECT_NE(base, changed([](auto& o) { o.max_epochs = 13; }));
  EXPECT_NE(base, changed([](auto& o) { o.patience = 99; }));
  EXPECT_NE(base, changed([](auto& o) { o.plateau_epochs = 3; }));
  EXPECT_NE(base, changed([](auto& o) { o.batch_size = 17; }));
  EXPECT_NE(base, changed([](auto& o) { o.learning_rate = 0.051; }));
  EXPECT_NE(base, changed([](auto& o) { o.weight_decay = 1e-3; }));
  EXPECT_NE(base, changed([](auto& o) { o.gradient_clip = 4; }));
  EXPECT_NE(base, changed([](auto& o) { o.heldout_share = 0.2; }));
  EXPECT_NE(base, changed([](auto& o) { o.seed = 5; }));
  EXPECT_NE(base, changed([](auto& o) { o.threads = 2; }));
  EXPECT_NE(base, DescribeTraining(Options(), "b", "d"));
  EXPECT_NE(base, DescribeTraining(Options(), "a", "e"));
}

TEST(TrainingTest, OptionsOutOfRangeAreRefused) {
  const auto refused = [](auto change) {
    TrainingOptions options = Options();
    change(options);
    const Status status = CheckTrainingOptions(options, 100);
    return !status && status.error().code == ErrorCode::kInvalidArgument &&
           !status.error().advice.empty();
  };
  EXPECT_TRUE(refused([](auto& o) { o.max_epochs = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.patience = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.batch_size = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.batch_size = 65537; }));
  EXPECT_TRUE(refused([](auto& o) { o.learning_rate = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.learning_rate = std::nan(""); }));
  EXPECT_TRUE(refused([](auto& o) { o.weight_decay = -1; }));
  EXPECT_TRUE(refused([](auto& o) { o.gradient_clip = -1; }));
  EXPECT_TRUE(refused([](auto& o) { o.heldout_share = 1; }));
  EXPECT_TRUE(refused([](auto& o) { o.threads = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.members_at_once = 0; }));
  EXPECT_FALSE(CheckTrainingOptions(Options(), 1));
  EXPECT_TRUE(CheckTrainingOptions(Options(), 2));
}

TEST(OptimizerTest, RateWarmsUpAndFallsToZero) {
  EXPECT_NEAR(LearningRate(1, 0, 1000), 0.02, 1e-12);
  EXPECT_NEAR(LearningRate(1, 49, 1000), 1, 1e-12);
  EXPECT_NEAR(LearningRate(1, 524, 1000), 0.5, 1e-2);
  EXPECT_NEAR(LearningRate(1, 999, 1000), 0, 1e-12);
  EXPECT_GT(LearningRate(1, 0, 1), 0);
}

TEST(OptimizerTest, FirstStepMovesByTheRateAgainstTheGradient) {
  std::vector<float> values{1, 1}, gradient{0.3f, -7};
  const std::vector<WeightSpan> weights{{"w", {2}, values, gradient, false}};
  AdamState state{{0, 0}, {0, 0}, 0};
  AdamStep(weights, 0.01, 0.5, 1, &state);
  EXPECT_NEAR(values[0], 0.99, 1e-6);
  EXPECT_NEAR(values[1], 1.01, 1e-6);
}

TEST(OptimizerTest, DecayShrinksMatricesOnly) {
  std::vector<float> values{1}, gradient{0};
  AdamState state{{0}, {0}, 0};
  AdamStep({{"w", {1, 1}, values, gradient, true}}, 0.1, 0.5, 1, &state);
  EXPECT_NEAR(values[0], 0.95, 1e-6);
  AdamStep({{"b", {1}, values, gradient, false}}, 0.1, 0.5, 1, &state);
  EXPECT_NEAR(values[0], 0.95, 1e-6);
}

}  // namespace
}  // namespace inferon::estimators
