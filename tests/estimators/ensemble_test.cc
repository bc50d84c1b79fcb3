// Several estimators as one: density, draws, storage and training.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "common/base/files.h"
#include "tests/estimators/small_trainings.h"

namespace inferon::estimators {
namespace {

TEST(EnsembleTest, IsTheMeanOfItsMembersAndLoadsTheSame) {
  const Toy toy = MakeGaussianToy(600, 2, 6);
  FlowOptions options = FeatureOptions(2);
  options.members = 3;
  TrainingResult result;
  const auto ensemble = MustTrain(options, toy, ShortTraining(2), &result);
  EXPECT_EQ(result.members, 3u);
  EXPECT_EQ(result.epochs, 6u);
  std::vector<double> density;
  const auto draws = ensemble->Sample(toy.X(0), 2000, 3, 0, &density);
  std::vector<double> part_density;
  const auto part = ensemble->Sample(toy.X(0), 900, 3, 700, &part_density);
  EXPECT_EQ(std::memcmp(part.data(), draws.data() + 1400, part.size() * sizeof(float)), 0);
  for (std::size_t i = 0; i < 900; ++i) EXPECT_NEAR(part_density[i], density[700 + i], 1e-5);
  // The first member alone is what one flow of the same seed gives.
  FlowOptions alone = options;
  alone.members = 1;
  const auto first = MustTrain(alone, toy, ShortTraining(2));
  const auto own = first->LogDensity(toy.X(0), {draws.data(), 2000, 2});
  double above = 0;
  for (std::size_t i = 0; i < 2000; ++i) above += density[i] > own[i] - std::log(3.0);
  EXPECT_EQ(above, 2000);

  const TemporaryFolder folder;
  const auto path = folder.path() / "weights.safetensors";
  const std::string json = ensemble->Save(path);
  const auto loaded = LoadDensityEstimator(json, path);
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ((*loaded)->Sample(toy.X(0), 2000, 3, 0, nullptr), draws);
  std::string damaged = json;
  damaged.replace(damaged.find("spline"), 6, "spring");
  EXPECT_FALSE(LoadDensityEstimator(damaged, path));
}

// Mean distance of a draw to the nearest other one.
double MeanNearest(const std::vector<float>& draws, std::size_t d) {
  const std::size_t n = draws.size() / d;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < n; ++k) {
      double square = 0;
      for (std::size_t j = 0; j < d; ++j) {
        square += std::pow(double{draws[i * d + j]} - draws[k * d + j], 2);
      }
      if (k != i) nearest = std::min(nearest, square);
    }
    sum += std::sqrt(nearest);
  }
  return sum / static_cast<double>(n);
}

// Members that draw from the same base numbers would give each draw in nearly equal copies.
TEST(EnsembleTest, MembersDrawIndependently) {
  constexpr std::size_t d = 8;
  const Toy toy = MakeGaussianToy(600, d, 6);
  FlowOptions options = FeatureOptions(d);
  const auto alone = MustTrain(options, toy, ShortTraining(2));
  options.members = 3;
  const auto ensemble = MustTrain(options, toy, ShortTraining(2));
  const auto nearest = [&](const DensityEstimator& estimator) {
    return MeanNearest(estimator.Sample(toy.X(0), 600, 3, 0, nullptr), d);
  };
  EXPECT_GT(nearest(*ensemble), 0.8 * nearest(*alone));
}

TEST(EnsembleTest, MembersTrainedAtTheSameTimeAreTheSameToTheBit) {
  const Toy toy = MakeGaussianToy(600, 2, 6);
  FlowOptions options = FeatureOptions(2);
  options.members = 3;
  TrainingOptions training = ShortTraining(2);
  TrainingResult one_by_one, together;
  const auto alone = MustTrain(options, toy, training, &one_by_one);
  training.members_at_once = 3;
  const auto ensemble = MustTrain(options, toy, training, &together);
  EXPECT_EQ(ensemble->Sample(toy.X(0), 2000, 3, 0, nullptr),
            alone->Sample(toy.X(0), 2000, 3, 0, nullptr));
  EXPECT_EQ(together.heldout_loss, one_by_one.heldout_loss);
  EXPECT_EQ(together.best_heldout_loss, one_by_one.best_heldout_loss);
}

// Cut off in the second member, or with two of three on their way.
TEST(EnsembleTest, CutOffAndResumedEqualsUninterrupted) {
  const Toy toy = MakeGaussianToy(600, 2, 6);
  FlowOptions options = FeatureOptions(2);
  options.members = 3;
  TrainingOptions training = ShortTraining(3);
  training.ema_decay = 0.95;
  const auto whole = MustTrain(options, toy, training);
  for (const int at_once : {1, 2}) {
    const TemporaryFolder folder;
    training.members_at_once = at_once;
    training.checkpoint = folder.path() / "checkpoint";
    std::stop_source stop;
    training.stop = stop.get_token();
    training.progress = [&](const TrainingProgress& p) {
      EXPECT_LE(p.epoch, p.max_epochs);
      if (p.epoch == 4) stop.request_stop();
    };
    ASSERT_FALSE(TrainDensityEstimator(options, toy.Pairs(), training, nullptr));
    training.stop = {};
    training.progress = {};
    training.members_at_once = 3 - at_once;  // It may be another one.
    const auto resumed = MustTrain(options, toy, training);
    EXPECT_EQ(resumed->Sample(toy.X(0), 500, 3, 0, nullptr),
              whole->Sample(toy.X(0), 500, 3, 0, nullptr));
  }
}

}  // namespace
}  // namespace inferon::estimators
