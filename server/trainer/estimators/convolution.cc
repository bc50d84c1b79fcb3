#include "server/trainer/estimators/convolution.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/estimators/fast_math.h"

namespace inferon::estimators {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Sizes {
  std::size_t rows, patches, channels;
};

// out [rows, patches - 1, c] = relu(left half of each patch + right half of the next + bias).
INFERON_VECTOR_CLONES
void JoinHalves(Sizes n, const float* halves, const float* bias, float* out) {
  const std::size_t c = n.channels;
  for (std::size_t row = 0; row < n.rows; ++row) {
    for (std::size_t p = 0; p + 1 < n.patches; ++p) {
      const float* left = halves + (row * n.patches + p) * 2 * c;
      const float* right = left + 3 * c;
      for (std::size_t i = 0; i < c; ++i) {
        const float sum = left[i] + right[i] + bias[i];
        out[i] = sum > 0 ? sum : 0;
      }
      out += c;
    }
  }
}

// The reverse: gradients by the halves [rows, patches, 2 c] and, added, by the bias [c].
INFERON_VECTOR_CLONES
void SplitHalves(Sizes n, const float* out, const float* grad_out, float* grad_halves,
                 float* grad_bias) {
  const std::size_t c = n.channels;
  for (std::size_t row = 0; row < n.rows; ++row) {
    float* first = grad_halves + row * n.patches * 2 * c;
    std::fill(first + c, first + 2 * c, 0.0f);
    for (std::size_t p = 0; p + 1 < n.patches; ++p) {
      float* left = first + p * 2 * c;
      float* right = left + 3 * c;
      for (std::size_t i = 0; i < c; ++i) {
        const float g = out[i] > 0 ? grad_out[i] : 0;
        left[i] = g;
        right[i] = g;
        grad_bias[i] += g;
      }
      out += c;
      grad_out += c;
    }
    float* last = first + (n.patches - 1) * 2 * c;
    std::fill(last, last + c, 0.0f);
  }
}

struct ConvolutionOperation : torch::autograd::Function<ConvolutionOperation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, std::int64_t stride) {
    const Sizes n{static_cast<std::size_t>(x.size(0)), static_cast<std::size_t>(x.size(1) / stride),
                  static_cast<std::size_t>(bias.size(0))};
    const at::Tensor patches = x.reshape({x.size(0) * (x.size(1) / stride), stride * x.size(2)});
    const at::Tensor halves = at::mm(patches, weight.t());
    at::Tensor out = EmptyTensor({x.size(0), x.size(1) / stride - 1, bias.size(0)});
    JoinHalves(n, Data(halves), Data(bias), MutableData(out));
    context->save_for_backward({patches, weight, out});
    context->saved_data["input"] = x.requires_grad();
    context->saved_data["points"] = x.size(1);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& patches = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor& out = saved[2];
    const std::int64_t rows = out.size(0), channels = out.size(2);
    const Sizes n{static_cast<std::size_t>(rows), static_cast<std::size_t>(out.size(1) + 1),
                  static_cast<std::size_t>(channels)};
    const at::Tensor grad_out = gradients[0].contiguous();
    at::Tensor grad_halves = EmptyTensor({patches.size(0), 2 * channels});
    at::Tensor grad_bias = EmptyTensor({channels});
    grad_bias.zero_();
    SplitHalves(n, Data(out), Data(grad_out), MutableData(grad_halves), MutableData(grad_bias));
    at::Tensor grad_x;
    if (context->saved_data["input"].toBool()) {
      const std::int64_t points = context->saved_data["points"].toInt();
      grad_x = at::mm(grad_halves, weight).view({rows, points, -1});
    }
    return {grad_x, at::mm(grad_halves.t(), patches), grad_bias, at::Tensor()};
  }
};

}  // namespace

at::Tensor Convolution::operator()(const at::Tensor& x) const {
  INFERON_CHECK(x.size(1) % stride == 0 && x.size(1) >= 2 * stride);
  if (!x.is_cpu()) return Portable(x);
  return ConvolutionOperation::apply(x, weight, bias, stride);
}

at::Tensor Convolution::Portable(const at::Tensor& x) const {
  const std::int64_t patches = x.size(1) / stride, out = bias.size(0);
  const at::Tensor halves =
      at::matmul(x.reshape({x.size(0), patches, stride * x.size(2)}), Beside(weight, x).t());
  const at::Tensor left = halves.narrow(1, 0, patches - 1).narrow(2, 0, out);
  const at::Tensor right = halves.narrow(1, 1, patches - 1).narrow(2, out, out);
  return at::relu(left + right + Beside(bias, x));
}

Convolution MakeConvolution(WeightStore* store, const std::string& name, std::int64_t stride,
                            std::int64_t in, std::int64_t out) {
  const double bound = std::sqrt(6.0 / static_cast<double>(2 * stride * in));
  return {stride, store->Add(name + ".weight", {2 * out, stride * in}, bound),
          store->Add(name + ".bias", {out}, 0)};
}

}  // namespace inferon::estimators
