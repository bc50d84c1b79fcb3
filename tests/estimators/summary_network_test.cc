// Every network on time series, and several trials of one theta: contracts and what they learn.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "common/base/files.h"
#include "server/trainer/estimators/estimators.h"
#include "tests/estimators/summary_options.h"
#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TrainingOptions Training(std::uint32_t epochs) {
  TrainingOptions training;
  training.max_epochs = epochs;
  training.batch_size = 32;
  training.seed = 5;
  return training;
}

std::unique_ptr<DensityEstimator> MustTrain(const FlowOptions& options, const Toy& toy,
                                            const TrainingOptions& training,
                                            TrainingResult* result = nullptr) {
  auto estimator = TrainDensityEstimator(options, toy.Pairs(), training, result);
  EXPECT_TRUE(estimator) << estimator.error().Text();
  return std::move(*estimator);
}

class SummaryNetworkTest : public testing::TestWithParam<SummaryNetwork> {};

TEST_P(SummaryNetworkTest, DrawsDoNotDependOnGroupingAndSurviveSaving) {
  const Toy toy = MakeSineToy(80, 90, 2);
  const auto estimator = MustTrain(Options(GetParam(), 90), toy, Training(1));
  std::vector<double> density;
  const auto whole = estimator->Sample(toy.X(0), 600, 5, 0, &density);
  const auto part = estimator->Sample(toy.X(0), 100, 5, 300, nullptr);
  EXPECT_EQ(std::memcmp(part.data(), whole.data() + 600, part.size() * sizeof(float)), 0);
  const auto again = estimator->LogDensity(toy.X(0), {whole.data(), 600, 2});
  for (std::size_t i = 0; i < 600; ++i) EXPECT_NEAR(again[i], density[i], 2e-3);

  const TemporaryFolder folder;
  const auto path = folder.path() / "weights.safetensors";
  const std::string json = estimator->Save(path);
  const auto loaded = LoadDensityEstimator(json, path);
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ((*loaded)->Sample(toy.X(0), 600, 5, 0, nullptr), whole);
  EXPECT_EQ((*loaded)->OutlierScore(toy.X(1)), estimator->OutlierScore(toy.X(1)));
}

TEST_P(SummaryNetworkTest, CutOffAndResumedEqualsUninterruptedToTheBit) {
  const Toy toy = MakeSineToy(80, 64, 6);
  TrainingResult whole_result, result;
  const auto whole = MustTrain(Options(GetParam(), 64), toy, Training(3), &whole_result);
  const TemporaryFolder folder;
  TrainingOptions training = Training(3);
  training.checkpoint = folder.path() / "checkpoint";
  std::stop_source stop;
  training.stop = stop.get_token();
  training.progress = [&](const TrainingProgress& p) {
    if (p.epoch == 1) stop.request_stop();
  };
  ASSERT_FALSE(TrainDensityEstimator(Options(GetParam(), 64), toy.Pairs(), training, nullptr));
  training.stop = {};
  training.progress = {};
  const auto resumed = MustTrain(Options(GetParam(), 64), toy, training, &result);
  EXPECT_EQ(result.heldout_loss, whole_result.heldout_loss);
  EXPECT_EQ(resumed->LogDensityPairs(toy.Pairs().x, toy.Theta()),
            whole->LogDensityPairs(toy.Pairs().x, toy.Theta()));
}

TEST_P(SummaryNetworkTest, TracesOfAnyLengthTrain) {
  for (const std::size_t points : {1u, 2u, 65u, 66u, 257u}) {
    const Toy toy = MakeSineToy(16, points, 12);
    const auto estimator = MustTrain(Options(GetParam(), points), toy, Training(1));
    EXPECT_TRUE(std::isfinite(estimator->LogDensity(toy.X(0), toy.Theta())[0])) << points;
  }
}

// Frequency and amplitude of a sine in 32 noisy points; a network that saw nothing has 0 nats.
TEST_P(SummaryNetworkTest, LearnsToReadATimeSeries) {
  const std::size_t rows = GetParam() == SummaryNetwork::kPaper ? 400 : 800;  // It is slow.
  const Toy toy = MakeSineToy(rows, 32, 46), test = MakeSineToy(200, 32, 47);
  TrainingOptions training = Training(8);
  training.batch_size = 16;
  training.learning_rate = 4e-3;
  const auto estimator = MustTrain(Options(GetParam(), 32), toy, training);
  EXPECT_GT(Mean(estimator->LogDensityPairs(test.Pairs().x, test.Theta())), 1);
}

INSTANTIATE_TEST_SUITE_P(Networks, SummaryNetworkTest,
                         testing::Values(SummaryNetwork::kConvGru, SummaryNetwork::kDilated,
                                         SummaryNetwork::kTransformer, SummaryNetwork::kPaper),
                         [](const auto& param) {
                           std::string name(NameOf(param.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST(SummaryNetworkStorageTest, ModelsOfTheDefaultNetworkStayReadableByOlderVersions) {
  const Toy toy = MakeSineToy(40, 64, 2);
  const TemporaryFolder folder;
  const auto json = [&](SummaryNetwork network) {
    return MustTrain(Options(network, 64), toy, Training(1))->Save(folder.path() / "w");
  };
  EXPECT_THAT(json(SummaryNetwork::kConvGru), HasSubstr("\"schema\":2"));
  std::string dilated = json(SummaryNetwork::kDilated);
  EXPECT_THAT(dilated, HasSubstr("\"schema\":3"));
  const auto message = [&](const char* from, const char* to) {
    std::string text = dilated;
    text.replace(text.find(from), std::strlen(from), to);
    const auto loaded = LoadDensityEstimator(text, folder.path() / "w");
    return loaded ? "loaded" : loaded.error().message;
  };
  EXPECT_THAT(message("dilated", "delayed"), HasSubstr("summary network is delayed"));
  EXPECT_THAT(message("dilated", "paper"), HasSubstr("is missing"));
  EXPECT_THAT(message("\"trials\":1", "\"trials\":0"), HasSubstr("trials is 0"));
}

TEST(DeviceTest, CudaIsRefusedWithTheReasonWhereItCannotBe) {
  const Toy toy = MakeSineToy(40, 64, 2);
  const auto refusal = [&](SummaryNetwork network, const char* device) {
    TrainingOptions training = Training(1);
    training.device = device;
    const auto trained =
        TrainDensityEstimator(Options(network, 64), toy.Pairs(), training, nullptr);
    return trained ? std::string("trained") : trained.error().message;
  };
  EXPECT_THAT(refusal(SummaryNetwork::kDilated, "gpu"), HasSubstr("no device 'gpu'"));
  // On a machine with CUDA the training goes through.
  EXPECT_THAT(refusal(SummaryNetwork::kDilated, "cuda"),
              testing::AnyOf("trained", HasSubstr("finds no CUDA device")));
  EXPECT_THAT(refusal(SummaryNetwork::kConvGru, "cuda"),
              testing::AnyOf("trained", HasSubstr("finds no CUDA device")));
}

// Up to five measurements of theta with noise 0.3; the others are missing.
constexpr std::size_t kTrials = 5;
Toy MakeTrialsToy(std::size_t rows, std::uint64_t seed) {
  return MakeToy(
      rows, 1, kTrials, seed, [](const float* theta, PhiloxSequence& random, float* out) {
        const std::size_t present = 1 + random.Below(kTrials);
        for (std::size_t i = 0; i < kTrials; ++i) {
          out[i] = i < present ? theta[0] + 0.3f * static_cast<float>(Normal(random)) : kNan;
        }
      });
}

FlowOptions TrialsOptions() {
  FlowOptions options;
  options.dimension = 1;
  options.input_columns = kTrials;
  options.trials = kTrials;
  options.transforms = 4;
  options.hidden = 32;
  return options;
}

double Deviation(const DensityEstimator& estimator, const std::vector<float>& x) {
  double sum = 0, squares = 0;
  for (const float v : estimator.Sample(x, 4000, 1, 0, nullptr)) sum += v, squares += v * v;
  return std::sqrt(squares / 4000 - sum / 4000 * sum / 4000);
}

TEST(TrialsTest, OrderDoesNotMatterAndMoreTrialsSharpenThePosterior) {
  const Toy toy = MakeTrialsToy(3000, 3);
  const auto estimator = MustTrain(TrialsOptions(), toy, Training(10));
  const std::vector<float> five = {0.2f, 0.5f, 0.9f, 0.4f, 0.5f};
  const std::vector<float> turned = {0.5f, 0.9f, 0.4f, 0.5f, 0.2f};
  const std::vector<float> one = {0.5f, kNan, kNan, kNan, kNan};
  const std::vector<float> last = {kNan, kNan, kNan, kNan, 0.5f};
  const float at = 0.6f;
  const auto density = [&](const std::vector<float>& x) {
    return estimator->LogDensity(x, {&at, 1, 1})[0];
  };
  EXPECT_NEAR(density(five), density(turned), 1e-4);
  EXPECT_NEAR(density(one), density(last), 1e-4);
  // Normal(0.5, 0.3 / sqrt(n)) cut to the unit interval.
  EXPECT_NEAR(Deviation(*estimator, five), 0.133, 0.02);
  EXPECT_NEAR(Deviation(*estimator, one), 0.236, 0.03);
  EXPECT_LT(estimator->OutlierScore(five), 1);
}

TEST(TrialsTest, TracesPoolTooAndSurviveSaving) {
  const Toy toy = MakeSineToy(60, 3 * 40, 4);
  FlowOptions options = Options(SummaryNetwork::kTransformer, 3 * 40);
  options.trials = 3;
  const auto estimator = MustTrain(options, toy, Training(1));
  std::vector<float> turned(toy.X(0).begin() + 40, toy.X(0).end());
  turned.insert(turned.end(), toy.X(0).begin(), toy.X(0).begin() + 40);
  EXPECT_NEAR(estimator->LogDensity(toy.X(0), toy.Theta())[0],
              estimator->LogDensity(turned, toy.Theta())[0], 1e-4);
  const TemporaryFolder folder;
  const std::string json = estimator->Save(folder.path() / "w");
  const auto loaded = LoadDensityEstimator(json, folder.path() / "w");
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ((*loaded)->Sample(turned, 100, 1, 0, nullptr),
            estimator->Sample(turned, 100, 1, 0, nullptr));
}

TEST(TrialsTest, RowsThatAreNotWholeTrialsAreRefused) {
  const Toy toy = MakeTrialsToy(50, 3);
  FlowOptions options = TrialsOptions();
  options.trials = 2;
  const auto trained = TrainDensityEstimator(options, toy.Pairs(), Training(1), nullptr);
  ASSERT_FALSE(trained);
  EXPECT_THAT(trained.error().message, HasSubstr("5 values are not 2 trials"));
}

}  // namespace
}  // namespace inferon::estimators
