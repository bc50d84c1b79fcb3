// Contracts of the density estimator on small trainings; what it can learn is tested apart.
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "common/base/files.h"
#include "server/trainer/estimators/estimators.h"
#include "tests/estimators/small_trainings.h"
#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// One small trained estimator of each kind for the tests that only read it.
class DensityEstimatorTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    gaussian_ = new Toy(MakeGaussianToy(1500, 3, 1));
    sine_ = new Toy(MakeSineToy(500, 210, 2));
    features_ = MustTrain(FeatureOptions(3), *gaussian_, ShortTraining(8)).release();
    summary_ = MustTrain(SummaryOptions(210), *sine_, ShortTraining()).release();
  }
  static void TearDownTestSuite() {
    delete features_;
    delete summary_;
    delete gaussian_;
    delete sine_;
  }
  static Toy* gaussian_;
  static Toy* sine_;
  static DensityEstimator* features_;
  static DensityEstimator* summary_;
};
Toy* DensityEstimatorTest::gaussian_ = nullptr;
Toy* DensityEstimatorTest::sine_ = nullptr;
DensityEstimator* DensityEstimatorTest::features_ = nullptr;
DensityEstimator* DensityEstimatorTest::summary_ = nullptr;

TEST_F(DensityEstimatorTest, DrawDoesNotDependOnHowDrawsAreGrouped) {
  for (const auto& [estimator, toy] : {std::pair{features_, gaussian_}, {summary_, sine_}}) {
    const std::size_t d = estimator->dimension();
    std::vector<double> density;
    const auto whole = estimator->Sample(toy->X(0), 700, 5, 0, &density);
    using Range = std::pair<std::size_t, std::size_t>;
    for (const auto& [first, count] :
         {Range{0, 1}, Range{255, 2}, Range{256, 256}, Range{13, 600}, Range{699, 1}}) {
      std::vector<double> part_density;
      const auto part = estimator->Sample(toy->X(0), count, 5, first, &part_density);
      ASSERT_EQ(part.size(), count * d);
      EXPECT_EQ(std::memcmp(part.data(), whole.data() + first * d, part.size() * sizeof(float)), 0);
      EXPECT_TRUE(std::equal(part_density.begin(), part_density.end(),
                             density.begin() + static_cast<std::ptrdiff_t>(first)));
    }
    EXPECT_NE(estimator->Sample(toy->X(0), 10, 6, 0, nullptr),
              estimator->Sample(toy->X(0), 10, 5, 0, nullptr));
    EXPECT_TRUE(estimator->Sample(toy->X(0), 0, 5, 0, nullptr).empty());
  }
}

TEST_F(DensityEstimatorTest, DrawsStayInTheBoxAndTheirDensityIsTheDensity) {
  std::vector<double> density;
  const auto draws = features_->Sample(gaussian_->X(3), 2000, 9, 1'000'000'000'000, &density);
  for (const float v : draws) EXPECT_TRUE(v >= 0 && v < 1);
  const auto again = features_->LogDensity(gaussian_->X(3), {draws.data(), 2000, 3});
  for (std::size_t i = 0; i < 2000; ++i) EXPECT_NEAR(again[i], density[i], 1e-3);
}

TEST_F(DensityEstimatorTest, DensityOfPairsIsTheDensityOfEach) {
  for (const auto& [estimator, toy] : {std::pair{features_, gaussian_}, {summary_, sine_}}) {
    const auto pairs = estimator->LogDensityPairs(toy->Pairs().x, toy->Theta());
    for (std::size_t i = 0; i < 300; i += 37) {
      const auto one = estimator->LogDensity(
          toy->X(i), {toy->theta.data() + i * toy->dimension, 1, toy->dimension});
      EXPECT_NEAR(pairs[i], one[0], 1e-3);
    }
  }
}

TEST_F(DensityEstimatorTest, PairsAskedAgainAndAgainAreReadOnce) {
  FlowOptions three = FeatureOptions(3);
  three.members = 2;
  const auto ensemble = MustTrain(three, *gaussian_, ShortTraining(1));
  for (const auto& [estimator, toy, members] : {std::tuple{features_, gaussian_, 1},
                                                {summary_, sine_, 1},
                                                {ensemble.get(), gaussian_, 2}}) {
    RowSource counted = toy->Pairs().x;
    std::size_t reads = 0;
    counted.fill = [&, fill = counted.fill](std::span<const std::uint32_t> rows, float* out) {
      reads += rows.size();
      fill(rows, out);
    };
    const PairDensity density = estimator->ForPairs(counted);
    const std::size_t once = reads;
    EXPECT_LT(once, members * (toy->rows() + 256));
    const auto alone = estimator->LogDensityPairs(toy->Pairs().x, toy->Theta());
    EXPECT_EQ(density(toy->Theta()), alone);
    EXPECT_EQ(density(toy->Theta()), alone);
    EXPECT_EQ(reads, once);
  }
}

TEST_F(DensityEstimatorTest, QuestionsTogetherGetTheBitsOfEachAlone) {
  for (const auto& [estimator, toy] : {std::pair{features_, gaussian_}, {summary_, sine_}}) {
    const std::size_t d = estimator->dimension();
    std::vector<std::vector<double>> together;
    std::vector<DensityQuestion> questions;
    for (std::size_t i = 0; i < 21; ++i) together.emplace_back(1 + i * 7 % 90);
    for (std::size_t i = 0; i < together.size(); ++i) {
      const MatrixView theta{toy->theta.data() + i * d, together[i].size(), d};
      questions.push_back({toy->X(i), theta, together[i].data()});
    }
    estimator->LogDensityOfMany(questions);
    for (std::size_t i = 0; i < together.size(); ++i) {
      EXPECT_EQ(together[i], estimator->LogDensity(toy->X(i), questions[i].theta)) << i;
    }
  }
}

TEST_F(DensityEstimatorTest, LoadedGivesTheSameBits) {
  const TemporaryFolder folder;
  for (const auto& [estimator, toy] : {std::pair{features_, gaussian_}, {summary_, sine_}}) {
    const auto path = folder.path() / "weights.safetensors";
    const auto loaded = LoadDensityEstimator(estimator->Save(path), path);
    ASSERT_TRUE(loaded) << loaded.error().Text();
    EXPECT_EQ((*loaded)->weight_count(), estimator->weight_count());
    EXPECT_EQ((*loaded)->LogDensityPairs(toy->Pairs().x, toy->Theta()),
              estimator->LogDensityPairs(toy->Pairs().x, toy->Theta()));
    EXPECT_EQ((*loaded)->Sample(toy->X(1), 300, 2, 0, nullptr),
              estimator->Sample(toy->X(1), 300, 2, 0, nullptr));
    EXPECT_EQ((*loaded)->OutlierScore(toy->X(1)), estimator->OutlierScore(toy->X(1)));
  }
}

// What version 0.1 wrote: schema 1, without axes and feature_revision.
TEST_F(DensityEstimatorTest, ModelOfTheFirstSchemaStillLoads) {
  const TemporaryFolder folder;
  FlowOptions options = FeatureOptions(3);
  options.feature_revision = 1;
  const auto trained = MustTrain(options, *gaussian_, ShortTraining());
  std::string json = trained->Save(folder.path() / "weights.safetensors");
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"\"axes\":[],", ""},
                                 {"\"feature_revision\":1,", ""},
                                 {"\"schema\":2", "\"schema\":1"}}) {
    ASSERT_NE(json.find(from), std::string::npos) << from;
    json.replace(json.find(from), from.size(), to);
  }
  const auto loaded = LoadDensityEstimator(json, folder.path() / "weights.safetensors");
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ((*loaded)->Sample(gaussian_->X(0), 100, 1, 0, nullptr),
            trained->Sample(gaussian_->X(0), 100, 1, 0, nullptr));
}

TEST_F(DensityEstimatorTest, DamagedModelIsDataLoss) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "weights.safetensors";
  const std::string json = features_->Save(path);
  const auto message = [&](const std::string& from, const std::string& to) {
    std::string text = json;
    text.replace(text.find(from), from.size(), to);
    const auto loaded = LoadDensityEstimator(text, path);
    if (loaded) return std::string("loaded");
    EXPECT_EQ(loaded.error().code, ErrorCode::kDataLoss);
    return loaded.error().message;
  };
  EXPECT_THAT(message("{", "["), HasSubstr("damaged"));
  EXPECT_THAT(message("spline-coupling-flow", "other"), HasSubstr("kind"));
  EXPECT_THAT(message("\"hidden\":16", "\"hidden\":17"), HasSubstr("expected F32"));
  EXPECT_THAT(message("\"transforms\":4", "\"transforms\":5"), HasSubstr("masks"));
  EXPECT_THAT(message("\"dimension\":3", "\"dimension\":0"), HasSubstr("dimension"));
  EXPECT_THAT(message("\"dimension\":3", "\"dimension\":\"3\""), HasSubstr("damaged"));
  EXPECT_THAT(message("\"bins\":6", "\"bins\":7"), HasSubstr("expected F32"));
  EXPECT_THAT(message("\"input\":\"features\"", "\"input\":\"eyes\""), HasSubstr("input"));
  EXPECT_THAT(message("\"axes\":[]", "\"axes\":[\"ring\"]"), HasSubstr("axis"));
  std::string later = json;
  later.replace(later.find("\"schema\":2"), 10, "\"schema\":9");
  const auto refused = LoadDensityEstimator(later, path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("later version"));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  const auto loaded = LoadDensityEstimator(json, path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kDataLoss);
}

TEST_F(DensityEstimatorTest, FarInputScoresOneAndTrainingInputsSpread) {
  for (const auto& [estimator, toy] : {std::pair{features_, gaussian_}, {summary_, sine_}}) {
    std::vector<float> far(toy->columns, 1e4f);
    EXPECT_EQ(estimator->OutlierScore(far), 1);
    double sum = 0;
    for (std::size_t i = 0; i < 400; ++i) sum += estimator->OutlierScore(toy->X(i));
    EXPECT_NEAR(sum / 400, 0.5, 0.1);
  }
  std::vector<float> missing(210, kNan);
  EXPECT_EQ(summary_->OutlierScore(missing), 1);
  EXPECT_EQ(features_->OutlierScore(std::vector<float>(3, kNan)), 1);
}

TEST_F(DensityEstimatorTest, InputWithNanStillGivesDrawsInTheBox) {
  const auto draws = summary_->Sample(std::vector<float>(210, kNan), 10, 1, 0, nullptr);
  for (const float v : draws) EXPECT_TRUE(v >= 0 && v < 1);
}

TEST_F(DensityEstimatorTest, TwoDimensionalDensityIntegratesToOne) {
  constexpr std::size_t kGrid = 300;
  std::vector<float> grid;
  for (std::size_t i = 0; i < kGrid * kGrid; ++i) {
    grid.push_back((static_cast<float>(i / kGrid) + 0.5f) / kGrid);
    grid.push_back((static_cast<float>(i % kGrid) + 0.5f) / kGrid);
  }
  double sum = 0;
  for (const double l : summary_->LogDensity(sine_->X(4), {grid.data(), kGrid * kGrid, 2})) {
    sum += std::exp(l);
  }
  EXPECT_NEAR(sum / (kGrid * kGrid), 1, 5e-3);
}

TEST(DensityTrainingTest, OneDimensionalDensityIntegratesToOne) {
  const Toy toy = MakeGaussianToy(1000, 1, 3);
  const auto estimator = MustTrain(FeatureOptions(1), toy, ShortTraining(10));
  std::vector<float> grid(10'000);
  for (std::size_t i = 0; i < grid.size(); ++i) grid[i] = (static_cast<float>(i) + 0.5f) / 1e4f;
  for (std::size_t row = 0; row < 5; ++row) {
    double sum = 0;
    for (const double l : estimator->LogDensity(toy.X(row), {grid.data(), grid.size(), 1})) {
      sum += std::exp(l);
    }
    EXPECT_NEAR(sum / 1e4, 1, 1e-3);
  }
}

TEST(DensityTrainingTest, CutOffAndResumedEqualsUninterruptedToTheBit) {
  const Toy toy = MakeSineToy(400, 210, 6);
  TrainingResult whole_result;
  const auto whole = MustTrain(SummaryOptions(210), toy, ShortTraining(4), &whole_result);
  const TemporaryFolder folder;
  TrainingOptions training = ShortTraining(4);
  training.checkpoint = folder.path() / "checkpoint";
  std::stop_source stop;
  training.stop = stop.get_token();
  training.progress = [&](const TrainingProgress& p) {
    if (p.epoch == 2) stop.request_stop();
  };
  const auto cut = TrainDensityEstimator(SummaryOptions(210), toy.Pairs(), training, nullptr);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kCancelled);
  training.stop = {};
  std::uint32_t first_epoch = 0;
  training.progress = [&](const TrainingProgress& p) {
    if (first_epoch == 0) first_epoch = p.epoch;
  };
  TrainingResult resumed_result;
  const auto resumed = MustTrain(SummaryOptions(210), toy, training, &resumed_result);
  EXPECT_EQ(first_epoch, 3u);
  EXPECT_EQ(resumed_result.heldout_loss, whole_result.heldout_loss);
  EXPECT_EQ(resumed->LogDensityPairs(toy.Pairs().x, toy.Theta()),
            whole->LogDensityPairs(toy.Pairs().x, toy.Theta()));
}

TEST(DensityTrainingTest, TrainingsAtTheSameTimeGiveTheSameBitsAsAlone) {
  const Toy gaussian = MakeGaussianToy(1500, 3, 7);
  const Toy sine = MakeSineToy(400, 210, 8);
  const auto features = [&] {
    const auto estimator = MustTrain(FeatureOptions(3), gaussian, ShortTraining());
    return estimator->LogDensityPairs(gaussian.Pairs().x, gaussian.Theta());
  };
  const auto summary = [&] {
    const auto estimator = MustTrain(SummaryOptions(210), sine, ShortTraining());
    return estimator->LogDensityPairs(sine.Pairs().x, sine.Theta());
  };
  const auto features_alone = features();
  const auto summary_alone = summary();
  std::vector<double> features_together, summary_together;
  {
    std::jthread other([&] { features_together = features(); });
    summary_together = summary();
  }
  EXPECT_EQ(features_together, features_alone);
  EXPECT_EQ(summary_together, summary_alone);
}

TEST(DensityTrainingTest, SeedDecidesTheResult) {
  const Toy toy = MakeGaussianToy(500, 3, 9);
  TrainingOptions other = ShortTraining();
  other.seed = 12;
  TrainingResult a, b, c;
  MustTrain(FeatureOptions(3), toy, ShortTraining(), &a);
  MustTrain(FeatureOptions(3), toy, ShortTraining(), &b);
  MustTrain(FeatureOptions(3), toy, other, &c);
  EXPECT_EQ(a.heldout_loss, b.heldout_loss);
  EXPECT_NE(a.heldout_loss, c.heldout_loss);
}

// theta given as points: one bounded column, one on the line, one made of ten cells.
struct MixedPairs {
  std::vector<float> theta, x;
  PairData Pairs() const {
    return {{},
            SourceOf({x.data(), x.size() / 2, 2}),
            {theta.data(), theta.size() / 3, 3},
            {0, 0, 0.1f}};
  }
};

MixedPairs MakeMixedPairs(std::size_t rows) {
  PhiloxSequence random(StreamKey(4, "mixed"));
  MixedPairs pairs;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto u = static_cast<float>(random.Uniform());
    const auto z = static_cast<float>(2 + Normal(random));
    const auto cell = static_cast<float>(random.Below(10)) / 10;
    pairs.theta.insert(pairs.theta.end(), {u, z, cell});
    pairs.x.push_back(u + cell + 0.1f * static_cast<float>(Normal(random)));
    pairs.x.push_back(z + 0.2f * static_cast<float>(Normal(random)));
  }
  return pairs;
}

FlowOptions MixedOptions() {
  FlowOptions options = FeatureOptions(3);
  options.input_columns = 2;
  options.axes = {Axis::kUnit, Axis::kLine, Axis::kUnit};
  return options;
}

TEST(MixedAxesTest, DrawsKeepTheirAxesAndTheirDensityIsTheDensity) {
  const MixedPairs pairs = MakeMixedPairs(2000);
  const auto estimator =
      TrainDensityEstimator(MixedOptions(), pairs.Pairs(), ShortTraining(10), nullptr);
  ASSERT_TRUE(estimator) << estimator.error().Text();
  const std::array<float, 2> x{0.9f, 3.0f};
  std::vector<double> density;
  const auto draws = (*estimator)->Sample(x, 4000, 1, 0, &density);
  double mean = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    EXPECT_TRUE(draws[3 * i] >= 0 && draws[3 * i] < 1);
    EXPECT_TRUE(draws[3 * i + 2] >= 0 && draws[3 * i + 2] < 1);
    mean += draws[3 * i + 1] / 4000;
  }
  EXPECT_NEAR(mean, 2 + 1.0 / 1.04, 0.15);  // Prior N(2, 1), noise 0.2, x = 3.
  const auto again = (*estimator)->LogDensity(x, {draws.data(), 4000, 3});
  for (std::size_t i = 0; i < 4000; ++i) EXPECT_NEAR(again[i], density[i], 3e-3);
}

// A missing base density or slope would show in the mass.
TEST(MixedAxesTest, DensityOnTheLineIntegratesToOne) {
  PhiloxSequence random(StreamKey(5, "line"));
  std::vector<float> theta, x;
  for (std::size_t i = 0; i < 1500; ++i) {
    theta.push_back(static_cast<float>(Normal(random)));
    x.push_back(theta.back() + 0.5f * static_cast<float>(Normal(random)));
  }
  FlowOptions options = FeatureOptions(1);
  options.axes = {Axis::kLine};
  const PairData pairs{{}, SourceOf({x.data(), 1500, 1}), {theta.data(), 1500, 1}, {}};
  const auto estimator = TrainDensityEstimator(options, pairs, ShortTraining(10), nullptr);
  ASSERT_TRUE(estimator) << estimator.error().Text();
  constexpr std::size_t kGrid = 20'000;
  std::vector<float> grid;
  for (std::size_t i = 0; i < kGrid; ++i) grid.push_back(-20 + 40 * (i + 0.5f) / kGrid);
  for (const float at : {-1.5f, 0.0f, 2.5f}) {
    double mass = 0;
    for (const double d : (*estimator)->LogDensity({&at, 1}, {grid.data(), kGrid, 1})) {
      mass += std::exp(d) * 40 / kGrid;
    }
    EXPECT_NEAR(mass, 1, 2e-3);
  }
}

TEST(MixedAxesTest, PointsOutOfRangeAreRefused) {
  const auto message = [](std::size_t index, float value) {
    MixedPairs pairs = MakeMixedPairs(100);
    pairs.theta[index] = value;
    const auto trained =
        TrainDensityEstimator(MixedOptions(), pairs.Pairs(), ShortTraining(1), nullptr);
    return trained ? "trained" : trained.error().message;
  };
  EXPECT_THAT(message(3, 1.5f), HasSubstr("row 1, column 0"));
  EXPECT_THAT(message(4, kNan), HasSubstr("row 1, column 1"));
  EXPECT_EQ(message(4, 1e3f), "trained");
}

TEST(DensityTrainingTest, SettingsAreCheckedWithoutData) {
  FlowOptions options = FeatureOptions(2);
  TrainingOptions training = ShortTraining();
  EXPECT_TRUE(CheckSettings(options, training, 100));
  EXPECT_EQ(CheckSettings(options, training, 1).error().code, ErrorCode::kInvalidArgument);
  training.device = "tpu";
  EXPECT_EQ(CheckSettings(options, training, 100).error().code, ErrorCode::kInvalidArgument);
  training.device = "cuda";  // There may be one, but values stay on the CPU.
  EXPECT_FALSE(CheckSettings(options, training, 100));
  training.device = "cpu";
  options.hidden = 1025;
  EXPECT_THAT(CheckSettings(options, training, 100).error().message, HasSubstr("hidden"));
}

TEST(DensityTrainingTest, BadInputIsRefusedWithAdvice) {
  Toy toy = MakeGaussianToy(20, 3, 10);
  const auto message = [&](const FlowOptions& options, const PairData& pairs,
                           const TrainingOptions& training = ShortTraining()) {
    const auto estimator = TrainDensityEstimator(options, pairs, training, nullptr);
    if (estimator) return std::string("trained");
    EXPECT_EQ(estimator.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(estimator.error().advice, "");
    return estimator.error().message;
  };
  const auto option = [&](auto change) {
    FlowOptions options = FeatureOptions(3);
    change(options);
    return message(options, toy.Pairs());
  };
  EXPECT_THAT(option([](auto& o) { o.dimension = 0; }), HasSubstr("dimension is 0"));
  EXPECT_THAT(option([](auto& o) { o.dimension = 65; }), HasSubstr("dimension is 65"));
  EXPECT_THAT(option([](auto& o) { o.transforms = 0; }), HasSubstr("transforms"));
  EXPECT_THAT(option([](auto& o) { o.hidden = 0; }), HasSubstr("hidden"));
  EXPECT_THAT(option([](auto& o) { o.bins = 65; }), HasSubstr("bins"));
  EXPECT_THAT(option([](auto& o) { o.summaries = 0; }), HasSubstr("summaries"));
  EXPECT_THAT(option([](auto& o) { o.input_columns = 0; }), HasSubstr("input_columns"));
  EXPECT_THAT(option([](auto& o) { o.input_columns = 4; }), HasSubstr("columns"));
  EXPECT_THAT(option([](auto& o) { o.dimension = 2; }), HasSubstr("60 codes for 20 rows"));
  TrainingOptions training = ShortTraining();
  training.batch_size = 0;
  EXPECT_THAT(message(FeatureOptions(3), toy.Pairs(), training), HasSubstr("batch_size"));
  toy.codes[7] = 1023;
  EXPECT_THAT(message(FeatureOptions(3), toy.Pairs()), HasSubstr("code 1023 in row 2"));
}

TEST(DensityTrainingTest, TraceWithNanIsRefusedWithItsPlace) {
  Toy toy = MakeSineToy(300, 210, 11);
  toy.x[270 * 210 + 17] = kNan;
  const auto estimator =
      TrainDensityEstimator(SummaryOptions(210), toy.Pairs(), ShortTraining(), nullptr);
  ASSERT_FALSE(estimator);
  EXPECT_EQ(estimator.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(estimator.error().message, HasSubstr("row 270"));
  EXPECT_THAT(estimator.error().message, HasSubstr("point 17"));
}

TEST(DensityTrainingTest, TracesOfAnyLengthTrain) {
  for (const std::size_t points : {1u, 2u, 63u, 64u, 65u, 1400u}) {
    const Toy toy = MakeSineToy(20, points, 12);
    const auto estimator = MustTrain(SummaryOptions(points), toy, ShortTraining(1));
    EXPECT_EQ(estimator->input_columns(), points);
    EXPECT_TRUE(std::isfinite(estimator->LogDensity(toy.X(0), toy.Theta())[0]));
  }
}

TEST(BackendTest, DescriptionNamesLibraryAndSpeed) {
  EXPECT_THAT(DescribeBackend(), testing::MatchesRegex("LibTorch .*GF/s on one thread.*"));
}

}  // namespace
}  // namespace inferon::estimators
