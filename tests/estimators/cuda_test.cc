// Networks on time series on a GPU against the CPU. Built everywhere, a test where LibTorch has
// CUDA: it fails, and says so, on a machine without a device.
#include <ATen/Context.h>
#include <ATen/ops/linspace.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/base/files.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/pairs.h"
#include "tests/estimators/summary_options.h"
#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kPoints = 300;
constexpr std::size_t kRows = 40;

struct Computed {
  std::vector<float> contexts;
  std::vector<float> gradients;
};

// Contexts of a network with weights from a seed, and the gradient of a weighted sum of them.
Computed Compute(SummaryNetwork network, const char* device) {
  const ComputeScope scope(1);
  const FlowOptions options = Options(network, kPoints);
  DensityNetwork density({options, CouplingMasks(2, 4, 1)}, 7);
  const Toy toy = MakeSineToy(kRows, kPoints, 3);
  density.FitScaling({toy.x.data(), kRows, kPoints});
  const Status used = density.UseDevice(device);
  EXPECT_TRUE(used) << used.error().Text();
  density.store().Spans();
  density.store().ZeroGradients();
  const at::Tensor context = density.Context(density.Scale(toy.x.data(), kRows)).contiguous();
  context.backward(at::linspace(-1, 1, context.numel(), Floats()).view(context.sizes()));
  Computed computed;
  computed.contexts.assign(Data(context), Data(context) + context.numel());
  for (const WeightSpan& span : density.store().Spans()) {
    computed.gradients.insert(computed.gradients.end(), span.gradient.begin(), span.gradient.end());
  }
  return computed;
}

// Of the difference and of the expected values.
double RelativeError(const std::vector<float>& got, const std::vector<float>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error += std::pow(double{got[i]} - expected[i], 2);
    size += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(error / size);
}

class CudaTest : public testing::TestWithParam<SummaryNetwork> {
 protected:
  void SetUp() override {
    const Status found = CheckDevice(kCudaDevice);
    ASSERT_TRUE(found) << found.error().Text();
  }
};

TEST_P(CudaTest, ContextsAndGradientsAreThoseOfTheCpu) {
  const Computed cpu = Compute(GetParam(), kCpuDevice);
  const Computed gpu = Compute(GetParam(), kCudaDevice);
  const double contexts = RelativeError(gpu.contexts, cpu.contexts);
  const double gradients = RelativeError(gpu.gradients, cpu.gradients);
  EXPECT_LT(contexts, 1e-3);
  EXPECT_LT(gradients, 3e-3);
}

TrainingOptions Training(std::uint32_t epochs) {
  TrainingOptions training;
  training.max_epochs = epochs;
  training.batch_size = 16;
  training.learning_rate = 4e-3;
  training.seed = 5;
  training.device = kCudaDevice;
  return training;
}

TEST_P(CudaTest, LearnsToReadATimeSeriesAndTheModelAnswersOnTheCpu) {
  const Toy toy = MakeSineToy(800, 32, 46), test = MakeSineToy(200, 32, 47);
  const auto trained =
      TrainDensityEstimator(Options(GetParam(), 32), toy.Pairs(), Training(8), nullptr);
  ASSERT_TRUE(trained) << trained.error().Text();
  const TemporaryFolder folder;
  const auto path = folder.path() / "weights.safetensors";
  const auto loaded = LoadDensityEstimator((*trained)->Save(path), path);
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_GT(Mean((*loaded)->LogDensityPairs(test.Pairs().x, test.Theta())), 1);
}

TEST_P(CudaTest, CutOffAndResumedEqualsUninterrupted) {
  const Toy toy = MakeSineToy(200, 64, 6);
  TrainingOptions training = Training(3);
  TrainingResult whole, resumed;
  const FlowOptions options = Options(GetParam(), 64);
  ASSERT_TRUE(TrainDensityEstimator(options, toy.Pairs(), training, &whole));
  const TemporaryFolder folder;
  training.checkpoint = folder.path() / "checkpoint";
  std::stop_source stop;
  training.stop = stop.get_token();
  training.progress = [&](const TrainingProgress& p) {
    if (p.epoch == 1) stop.request_stop();
  };
  ASSERT_FALSE(TrainDensityEstimator(options, toy.Pairs(), training, nullptr));
  training.stop = {};
  training.progress = {};
  ASSERT_TRUE(TrainDensityEstimator(options, toy.Pairs(), training, &resumed));
  EXPECT_EQ(resumed.heldout_loss, whole.heldout_loss);
}

INSTANTIATE_TEST_SUITE_P(Networks, CudaTest,
                         testing::Values(SummaryNetwork::kConvGru, SummaryNetwork::kDilated,
                                         SummaryNetwork::kTransformer, SummaryNetwork::kPaper),
                         [](const auto& param) {
                           std::string name(NameOf(param.param));
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace inferon::estimators
