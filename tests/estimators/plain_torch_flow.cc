#include "tests/estimators/plain_torch_flow.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace inferon::estimators {
namespace {

namespace F = torch::nn::functional;

at::Tensor Copy(const float* from, std::vector<std::int64_t> shape, at::Device device) {
  if (from == nullptr) return {};
  const at::Tensor copy = torch::from_blob(const_cast<float*>(from), shape).clone().to(device);
  return copy.detach().set_requires_grad(true);
}

// Knots of the bins, [n, bins + 1], from their logits [n, bins].
at::Tensor Knots(const at::Tensor& logits) {
  const auto bins = static_cast<double>(logits.size(1));
  const at::Tensor sizes = kMinBin + (1 - kMinBin * bins) * torch::softmax(logits, 1);
  return F::pad(torch::cumsum(sizes, 1), F::PadFuncOptions({1, 0}));
}

at::Tensor Pick(const at::Tensor& values, const at::Tensor& index) {
  return values.gather(1, index).squeeze(1);
}

}  // namespace

PlainTorchFlow::PlainTorchFlow(const FlowView& flow, at::Device device) : flow_(flow) {
  for (const FlowLayerView& layer : flow.layers) {
    for (const DenseView* dense :
         {&layer.context, &layer.theta, &layer.first, &layer.second, &layer.last}) {
      const auto outputs = static_cast<std::int64_t>(dense->outputs);
      weights_.push_back(
          Copy(dense->weights, {outputs, static_cast<std::int64_t>(dense->inputs)}, device));
      weights_.push_back(Copy(dense->bias, {outputs}, device));
    }
  }
}

at::Tensor PlainTorchFlow::Linear(std::size_t index, const at::Tensor& x) const {
  return F::linear(x, weights_[2 * index], weights_[2 * index + 1]);
}

// Durkan et al. 2019, equations 4 and 5.
PlainTorchFlow::Moved PlainTorchFlow::Spline(const FlowLayerView& layer, bool line,
                                             const at::Tensor& in, const at::Tensor& raw) const {
  const auto bins = static_cast<std::int64_t>(layer.shape.bins);
  at::Tensor slopes = raw.narrow(1, 2 * bins, bins + 1);
  at::Tensor x = in, log_scale, tail;
  if (line) {
    log_scale = kMaxLogScale * torch::tanh(slopes.select(1, 0) / kMaxLogScale);
    const at::Tensor z = torch::exp(log_scale) * in + slopes.select(1, bins);
    tail = torch::abs(z) >= kTail;
    // The unused branch must stay finite, or its gradient spoils the other's.
    x = torch::where(tail, torch::full_like(z, 0.5), z / (2 * kTail) + 0.5);
    slopes = F::pad(slopes.narrow(1, 1, bins - 1), F::PadFuncOptions({1, 1}));
  }
  x = torch::clamp(x, 0, 1);
  const at::Tensor left = Knots(raw.narrow(1, 0, bins)), bottom = Knots(raw.narrow(1, bins, bins));
  const at::Tensor d = kMinSlope + (1 - kMinSlope) * F::softplus(slopes + kSlopeShift);
  const at::Tensor bin = (torch::searchsorted(left.detach().contiguous(),
                                              x.detach().unsqueeze(1).contiguous(), false, true) -
                          1)
                             .clamp(0, bins - 1);
  const at::Tensor w = Pick(left, bin + 1) - Pick(left, bin);
  const at::Tensor h = Pick(bottom, bin + 1) - Pick(bottom, bin);
  const at::Tensor s = h / w, d0 = Pick(d, bin), d1 = Pick(d, bin + 1);
  const at::Tensor t = (x - Pick(left, bin)) / w, q = t * (1 - t);
  const at::Tensor denominator = s + (d0 + d1 - 2 * s) * q;
  const at::Tensor y = Pick(bottom, bin) + h * (s * t * t + d0 * q) / denominator;
  const at::Tensor slope =
      s * s * (d1 * t * t + 2 * s * q + d0 * (1 - t) * (1 - t)) / (denominator * denominator);
  if (!line) return {y, torch::log(slope)};
  const at::Tensor z = torch::exp(log_scale) * in + raw.select(1, 3 * bins);
  return {torch::where(tail, z, y * (2 * kTail) - kTail),
          log_scale + torch::where(tail, torch::zeros_like(slope), torch::log(slope))};
}

at::Tensor PlainTorchFlow::LogDensity(const at::Tensor& theta, const at::Tensor& context) const {
  std::vector<at::Tensor> state = torch::unbind(theta, 1);
  at::Tensor total = torch::zeros({theta.size(0)}, theta.options());
  for (std::size_t i = 0; i < flow_.layers.size(); ++i) {
    const FlowLayerView& layer = flow_.layers[i];
    at::Tensor a = Linear(5 * i, context);
    if (!layer.kept.empty()) {
      std::vector<at::Tensor> seen;
      for (std::size_t k = 0; k < layer.kept.size(); ++k) {
        seen.push_back(state[layer.kept[k]] * layer.scale[k] + layer.shift[k]);
      }
      a = a + Linear(5 * i + 1, torch::stack(seen, 1));
    }
    a = F::silu(a);
    a = a + Linear(5 * i + 3, F::silu(Linear(5 * i + 2, a)));
    const at::Tensor raw = Linear(5 * i + 4, F::silu(a));
    const auto each = static_cast<std::int64_t>(layer.shape.SplineParameters());
    for (std::size_t m = 0; m < layer.shape.moved.size(); ++m) {
      const std::uint32_t column = layer.shape.moved[m];
      const Moved moved = Spline(layer, layer.shape.IsLine(column), state[column],
                                 raw.narrow(1, static_cast<std::int64_t>(m) * each, each));
      state[column] = moved.value;
      total = total + moved.log_slope;
    }
  }
  for (std::size_t c = 0; c < flow_.line.size(); ++c) {
    if (flow_.line[c] == 0) continue;
    total = total - 0.5 * state[c] * state[c] - 0.5 * std::log(2 * std::numbers::pi);
  }
  return total;
}

}  // namespace inferon::estimators
