// FlowGradient against LibTorch's autograd.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "server/trainer/estimators/draws.h"
#include "tests/estimators/plain_torch_flow.h"
#include "tests/estimators/random_flow.h"

namespace inferon::estimators {
namespace {

// Largest difference, relative to the largest value.
double Distance(const float* found, const at::Tensor& expected) {
  const at::Tensor flat = expected.contiguous().view(-1);
  const at::Tensor values = torch::from_blob(const_cast<float*>(found), {flat.size(0)});
  return ((values - flat).abs().max() / (flat.abs().max() + 1e-6)).item<double>();
}

TEST(FlowOracleTest, GradientsAreThoseOfAutograd) {
  constexpr std::int64_t kRows = 200;
  RandomFlow flow({.dimension = 5,
                   .context = 6,
                   .hidden = 24,
                   .bins = 8,
                   .layers = 4,
                   .line = {0, 1, 0, 0, 1}});
  const FlowView view = flow.View();
  std::vector<float> theta = flow.Theta(kRows), context = flow.Contexts(kRows);
  std::vector<float> by_context(context.size());
  const double sum = FlowGradient(view).Add({context.data(), kRows, 6}, {theta.data(), kRows, 5},
                                            0.5f, by_context.data());

  const PlainTorchFlow plain(view);
  const at::Tensor x = torch::from_blob(context.data(), {kRows, 6}).clone().set_requires_grad(true);
  const at::Tensor total = plain.LogDensity(torch::from_blob(theta.data(), {kRows, 5}), x).sum();
  EXPECT_NEAR(sum, total.item<double>(), 1e-4 * kRows);
  (0.5 * total).backward();
  EXPECT_LT(Distance(by_context.data(), x.grad()), 2e-3);
  for (std::size_t i = 0; i < view.layers.size(); ++i) {
    const FlowLayerView& layer = view.layers[i];
    std::size_t k = 10 * i;
    for (const DenseView* dense :
         {&layer.context, &layer.theta, &layer.first, &layer.second, &layer.last}) {
      if (dense->inputs > 0) {
        EXPECT_LT(Distance(dense->grad_weights, plain.weights()[k].grad()), 2e-3) << k;
      }
      if (dense->bias != nullptr) {
        EXPECT_LT(Distance(dense->grad_bias, plain.weights()[k + 1].grad()), 2e-3) << k + 1;
      }
      k += 2;
    }
  }
}

TEST(FlowOracleTest, DensitiesAreThoseOfTheTensorOperators) {
  constexpr std::int64_t kRows = 500;
  for (const std::size_t bins : {std::size_t{2}, std::size_t{10}}) {
    RandomFlow flow(
        {.dimension = 7, .context = 12, .hidden = 50, .bins = bins, .layers = 5, .line = {}});
    const std::vector<float> theta = flow.Theta(kRows), context = flow.Contexts(kRows);
    std::vector<float> density(kRows);
    FlowLanes(flow.View())
        .LogDensityPairs({context.data(), kRows, 12}, {theta.data(), kRows, 7}, density.data());
    const at::Tensor plain =
        PlainTorchFlow(flow.View())
            .LogDensity(torch::from_blob(const_cast<float*>(theta.data()), {kRows, 7}),
                        torch::from_blob(const_cast<float*>(context.data()), {kRows, 12}));
    for (std::int64_t i = 0; i < kRows; ++i) {
      EXPECT_NEAR(density[static_cast<std::size_t>(i)], plain[i].item<double>(), 1e-3) << i;
    }
  }
}

}  // namespace
}  // namespace inferon::estimators
