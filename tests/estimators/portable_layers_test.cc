// Layers of our own against the same in LibTorch's operators, which other devices compute.
#include <ATen/ops/linspace.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/convolution.h"
#include "server/trainer/estimators/gru.h"

namespace inferon::estimators {
namespace {

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// Values of layer and of its portable form, and the gradients by the input and by all weights.
template <typename Layer>
void ExpectTheSame(const Layer& layer, WeightStore* store, const at::Tensor& values) {
  const auto run = [&](auto apply) {
    store->Spans();
    store->ZeroGradients();
    const at::Tensor x = values.clone().set_requires_grad(true);
    const at::Tensor out = apply(x);
    (out * at::linspace(-1, 2, out.numel(), Floats()).view(out.sizes())).sum().backward();
    std::vector<float> gradients = {};
    for (const WeightSpan& span : store->Spans()) {
      gradients.insert(gradients.end(), span.gradient.begin(), span.gradient.end());
    }
    return std::tuple(out.detach(), x.grad().clone(), gradients);
  };
  const auto [out, by_x, by_weights] = run(layer);
  const auto [plain, plain_by_x, plain_by_weights] =
      run([&](const at::Tensor& x) { return layer.Portable(x); });
  EXPECT_LT(LargestDifference(out, plain), 1e-5);
  EXPECT_LT(LargestDifference(by_x, plain_by_x), 1e-4);
  ASSERT_EQ(by_weights.size(), plain_by_weights.size());
  for (std::size_t i = 0; i < by_weights.size(); ++i) {
    EXPECT_NEAR(by_weights[i], plain_by_weights[i], 1e-3) << i;
  }
}

TEST(PortableLayersTest, GruHasTheSameStatesAndGradients) {
  const ComputeScope scope(1);
  WeightStore store(3);
  Gru gru = MakeGru(&store, "gru", 5, 8);
  gru.bias.copy_(at::linspace(-0.5, 0.5, 8, Floats()));
  ExpectTheSame(gru, &store, at::rand({11, 6, 5}, Floats()));
}

TEST(PortableLayersTest, ConvolutionHasTheSameValuesAndGradients) {
  const ComputeScope scope(1);
  WeightStore store(4);
  Convolution convolution = MakeConvolution(&store, "convolution", 3, 2, 7);
  convolution.bias.copy_(at::linspace(-0.5, 0.5, 7, Floats()));
  ExpectTheSame(convolution, &store, at::rand({4, 12, 2}, Floats()));
}

}  // namespace
}  // namespace inferon::estimators
