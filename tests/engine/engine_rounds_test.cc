// What the engine is worth over several trainings: sequential rounds, fine-tuning, data larger than
// memory, damage on disk. Links LibTorch.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <numbers>

#include "common/base/files.h"
#include "server/trainer/engine/data_set_store.h"
#include "server/trainer/engine/local_engine.h"
#include "server/trainer/engine/model_training.h"
#include "server/trainer/torch_estimator_factory.h"

namespace inferon::trainer {
namespace {

using testing::HasSubstr;

constexpr double kNoise = 0.3;
constexpr const char* kQuick = R"({"transforms": 4, "hidden": 24, "max_epochs": 60, "members": 1})";

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

// theta ~ U[-10, 10]^2, x = theta + offset + noise.
DataSetSpec Spec(const std::string& id) {
  DataSetSpec spec;
  spec.id = id;
  spec.prior = *ParsePrior(R"({"parameters": [
    {"name": "a", "prior": "uniform", "low": -10, "high": 10},
    {"name": "b", "prior": "uniform", "low": -10, "high": 10}]})");
  spec.columns = 2;
  return spec;
}

DataSetRows Simulate(std::vector<double> theta, std::uint64_t seed, double offset = 0) {
  PhiloxSequence random(StreamKey(seed, "rounds"));
  DataSetRows rows{std::move(theta), {}};
  for (const double t : rows.theta) {
    rows.x.push_back(static_cast<float>(t + offset + kNoise * Normal(random)));
  }
  return rows;
}

std::vector<double> FromPrior(std::size_t rows, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "prior"));
  std::vector<double> theta(2 * rows);
  for (double& t : theta) t = -10 + 20 * random.Uniform();
  return theta;
}

InferenceEngine::NextRows Once(DataSetRows rows) {
  return
      [rows = std::move(rows)]() mutable -> Result<DataSetRows> { return std::exchange(rows, {}); };
}

class RoundsTest : public testing::Test {
 protected:
  RoundsTest()
      : factory_(MakeTorchEstimatorFactory()),
        registry_(folder_.path() / "models", *factory_),
        engine_(MakeLocalEngine({folder_.path(), 1, 1, 4}, registry_, *factory_, SystemClock())) {}

  void Import(const std::string& id, DataSetRows rows) {
    const auto info = engine_->ImportDataSet(Spec(id), Once(std::move(rows)), {});
    ASSERT_TRUE(info) << info.error().Text();
  }
  void Train(const TrainSpec& spec) {
    const auto model = engine_->TrainModel(spec, {}, {});
    ASSERT_TRUE(model) << model.error().Text();
  }
  // Mean of log q over draws of the true posterior: the larger, the nearer.
  double Score(const std::string& model, const std::vector<float>& x) {
    PhiloxSequence random(StreamKey(9, "truth"));
    std::vector<double> truth;
    for (int i = 0; i < 2000; ++i) {
      for (const float v : x) truth.push_back(v + kNoise * Normal(random));
    }
    const auto density = engine_->LogDensity({model, x}, truth, {});
    EXPECT_TRUE(density) << density.error().Text();
    double sum = 0;
    for (const double d : density->log_density) sum += d / 2000;
    return sum;
  }
  double MeanLogDensity(const std::string& model, const std::string& data_set) {
    const auto report = engine_->Check({model, data_set, 300, 50, 1}, {});
    EXPECT_TRUE(report) << report.error().Text();
    return report->mean_log_density;
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<EstimatorFactory> factory_;
  Registry registry_;
  const std::unique_ptr<InferenceEngine> engine_;
};

TEST_F(RoundsTest, SecondRoundSharpensThePosteriorOfItsObservation) {
  const std::vector<float> x{3, -2};
  const double exact = -(1 + std::log(2 * std::numbers::pi * kNoise * kNoise));
  DataSetRows rows = Simulate(FromPrior(400, 1), 1);
  Import("first", rows);
  Train({"first", "first", "", kQuick, 1});
  ProposalSpec proposal;
  proposal.model = "first";
  proposal.x = x;
  proposal.count = 400;
  std::vector<double> theta;
  const auto report = engine_->Propose(proposal,
                                       [&](std::span<const double> block) -> Status {
                                         theta.insert(theta.end(), block.begin(), block.end());
                                         return {};
                                       },
                                       {});
  ASSERT_TRUE(report) << report.error().Text();
  const DataSetRows more = Simulate(theta, 2);
  rows.theta.insert(rows.theta.end(), more.theta.begin(), more.theta.end());
  rows.x.insert(rows.x.end(), more.x.begin(), more.x.end());
  Import("second", rows);
  Train({"second", "second", "", kQuick, 1});
  const double first = exact - Score("first", x), second = exact - Score("second", x);
  EXPECT_LT(second, 0.5 * first);
  EXPECT_LT(second, 0.15);
}

TEST_F(RoundsTest, FineTuningCarriesAModelToAnotherNeuronWithFewPairs) {
  Import("here", Simulate(FromPrior(3000, 1), 1));
  Train({"here", "here", "", kQuick, 1});
  Import("there", Simulate(FromPrior(60, 2), 2, 0.6));
  Train({"tuned", "there", "", "", 1, "here"});
  Import("many-there", Simulate(FromPrior(100, 2), 2, 0.6));
  Train({"alone", "many-there", "", kQuick, 1});
  Import("test", Simulate(FromPrior(300, 3), 3, 0.6));
  const double base = MeanLogDensity("here", "test"), tuned = MeanLogDensity("tuned", "test");
  EXPECT_GT(tuned, base + 0.3);
  EXPECT_GT(tuned, MeanLogDensity("alone", "test") + 0.3);
}

TEST_F(RoundsTest, FineTuningRefusesTooFewPairsAndAnotherPrior) {
  Import("here", Simulate(FromPrior(200, 1), 1));
  Train({"here", "here", "", R"({"max_epochs": 1, "members": 1})", 1});
  Import("few", Simulate(FromPrior(kLeastTuningRows - 1, 2), 2));
  EXPECT_THAT(engine_->TrainModel({"t", "few", "", "", 1, "here"}, {}, {}).error().Text(),
              HasSubstr("has 19 rows"));
  DataSetSpec other = Spec("other");
  other.prior.parameters[0].second = 11;
  ASSERT_TRUE(engine_->ImportDataSet(other, Once(Simulate(FromPrior(200, 1), 1)), {}));
  EXPECT_THAT(engine_->TrainModel({"t", "other", "", "", 1, "here"}, {}, {}).error().Text(),
              HasSubstr("another prior"));
}

// Of a model's files that are another's, damaged or of a later version, each is said.
TEST_F(RoundsTest, ForeignAndDamagedModelsAreRefused) {
  const char* one = R"({"max_epochs": 1, "members": 1})";
  Import("here", Simulate(FromPrior(200, 1), 1));
  Train({"a", "here", "", one, 1});
  Train({"b", "here", "", one, 2});
  const auto models = folder_.path() / "models";
  const auto question = [&](const std::string& id) {
    Registry fresh(models, *factory_);
    const auto model = fresh.LoadSimulator(id);
    return model ? std::string("loaded") : model.error().Text();
  };
  EXPECT_EQ(question("a"), "loaded");
  std::filesystem::copy_file(models / "b" / "weights.safetensors",
                             models / "a" / "weights.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(question("a"), HasSubstr("weights.safetensors"));
  const std::string record = *ReadFile(models / "b" / "model.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = record;
    text.replace(text.find(from), from.size(), to);
    std::ofstream(models / "b" / "model.json") << text;
    return question("b");
  };
  EXPECT_THAT(with("\"schema\": 2,\n \"simulator\"", "\"schema\": 9,\n \"simulator\""),
              HasSubstr("later version"));
  EXPECT_THAT(with("\"kind\": \"spline-coupling-flow\"", "\"kind\": \"other\""), HasSubstr("kind"));
  EXPECT_THAT(with("{", "["), HasSubstr("damaged"));
  EXPECT_EQ(with("{", "{"), "loaded");
}

// A model that cannot be written loses no epoch: its training ends at once when there is room.
TEST_F(RoundsTest, FullDiskAtTheEndOfATrainingLosesNothing) {
  Import("here", Simulate(FromPrior(200, 1), 1));
  const TrainSpec spec{"m", "here", "", R"({"max_epochs": 2, "members": 1})", 1};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const auto limited = [&](rlim_t bytes) {
    const rlimit limit{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  std::uint32_t epochs = 0;
  const auto full = engine_->TrainModel(
      spec, [&](const TrainingState&) { limited(++epochs == 2 ? 16 : before.rlim_cur); }, {});
  limited(before.rlim_cur);
  signal(SIGXFSZ, handler);
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().Text(), HasSubstr("make room"));
  std::uint32_t first = 0;
  const auto again = engine_->TrainModel(
      spec, [&](const TrainingState& state) { first = first == 0 ? state.epoch : first; }, {});
  ASSERT_TRUE(again) << again.error().Text();
  EXPECT_EQ(first, 2u);
}

// Memory of this process that is not a mapped file, in bytes.
std::uint64_t AnonymousBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

// x is a file of 480 MB with holes, which take no room on the disk; training on it takes a
// fraction.
TEST(LargeDataTest, TrainingStreamsRowsFromTheMappedFile) {
  constexpr std::uint64_t kRows = 300, kPoints = 400'000;
  const TemporaryFolder folder;
  {
    ArrayWriter x(folder.path() / "x.npy", NpyType<float>());
    const std::array<std::uint64_t, 2> shape{kRows, kPoints};
    x.Finish(shape);
    std::filesystem::resize_file(folder.path() / "x.npy", kNpyHeaderBytes + 4 * kRows * kPoints);
    WriteArray<double>(folder.path() / "theta.npy", FromPrior(kRows, 1), {kRows, 2});
  }
  DataSetInfo info;
  info.spec = Spec("large");
  info.spec.columns = kPoints;
  info.spec.traces = true;
  info.rows = kRows;
  auto theta = MappedArray<double>::Open(folder.path() / "theta.npy");
  auto x = MappedArray<float>::Open(folder.path() / "x.npy");
  ASSERT_TRUE(theta && x);
  const StoredDataSet data{info, *theta, *x};
  const auto plan =
      PlanTraining({"m", "large", "",
                    R"({"max_epochs": 1, "transforms": 2, "hidden": 8, "summary": "dilated"})", 1},
                   data);
  ASSERT_TRUE(plan) << plan.error().Text();
  const std::uint64_t before = AnonymousBytes();
  std::uint64_t most = 0;
  const auto factory = MakeTorchEstimatorFactory();
  estimators::RowSource source = data.XSource();
  source.fill = [&, inner = source.fill](std::span<const std::uint32_t> rows, float* out) {
    inner(rows, out);
    most = std::max(most, AnonymousBytes());
  };
  const std::vector<float> u = plan->space.ToSpace(data.theta.values());
  const estimators::PairData pairs{{}, source, {u.data(), kRows, 2}, {}};
  const auto trained =
      factory->TrainDensityEstimator(plan->recipe.flow, pairs, plan->recipe.training, nullptr);
  ASSERT_TRUE(trained) << trained.error().Text();
  ASSERT_GT(before, 0u);
  EXPECT_LT(most - before, 4 * kRows * kPoints * 7 / 10);
}

}  // namespace
}  // namespace inferon::trainer
