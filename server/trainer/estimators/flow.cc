#include "server/trainer/estimators/flow.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr float kBelowOne = 0x1.fffffep-1f;  // Largest float below 1.

// One coupling layer: (state, parameters) to (moved state, log slope).
struct CouplingOperation : torch::autograd::Function<CouplingOperation> {
  static variable_list forward(AutogradContext* context, const at::Tensor& state,
                               const at::Tensor& parameters, const CouplingShape* shape) {
    const auto rows = static_cast<std::size_t>(state.size(0));
    at::Tensor moved = at::empty_like(state);
    at::Tensor log_slope = EmptyTensor({state.size(0)});
    CouplingForward(*shape, rows, Data(state), Data(parameters), MutableData(moved),
                    MutableData(log_slope));
    context->save_for_backward({state, parameters});
    context->saved_data["shape"] = reinterpret_cast<std::int64_t>(shape);
    return {moved, log_slope};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto* shape =
        reinterpret_cast<const CouplingShape*>(context->saved_data["shape"].toInt());
    const auto rows = static_cast<std::size_t>(saved[0].size(0));
    at::Tensor grad_state = at::empty_like(saved[0]);
    at::Tensor grad_parameters = at::empty_like(saved[1]);
    const at::Tensor grad_moved =
        gradients[0].defined() ? gradients[0].contiguous() : at::zeros(saved[0].sizes(), Floats());
    const at::Tensor grad_slope = gradients[1].contiguous();
    CouplingBackward(*shape, rows, Data(saved[0]), Data(saved[1]), Data(grad_moved),
                     Data(grad_slope), MutableData(grad_state), MutableData(grad_parameters));
    return {grad_state, grad_parameters, at::Tensor()};
  }
};

// Uniform numbers in the line columns become standard normal ones.
void UniformToBase(const std::vector<std::uint8_t>& line, std::size_t d, std::size_t rows,
                   float* values) {
  if (line.empty()) return;
  constexpr double kHalfStep = 0x1.0p-25;  // Uniform numbers have 24 bits: 0 is half a step.
  for (std::size_t i = 0; i < rows * d; ++i) {
    if (line[i % d] == 0) continue;
    values[i] = static_cast<float>(NormalQuantile(values[i] + kHalfStep));
  }
}

// Unit columns stay below 1, whatever was rounded.
void ClampUnit(const std::vector<std::uint8_t>& line, std::size_t d, std::size_t rows,
               float* values) {
  for (std::size_t i = 0; i < rows * d; ++i) {
    if (line.empty() || line[i % d] == 0) values[i] = std::clamp(values[i], 0.0f, kBelowOne);
  }
}

std::vector<std::uint32_t> Complement(const std::vector<std::uint32_t>& columns, std::size_t d) {
  std::vector<std::uint32_t> rest;
  for (std::uint32_t c = 0; c < d; ++c) {
    if (!std::binary_search(columns.begin(), columns.end(), c)) rest.push_back(c);
  }
  return rest;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> CouplingMasks(std::size_t dimension, std::size_t transforms,
                                                      std::uint64_t seed) {
  if (dimension == 1) return std::vector<std::vector<std::uint32_t>>(transforms, {0});
  std::size_t bits = 0;
  while ((std::size_t{1} << bits) < dimension) ++bits;
  const PhiloxKey key = StreamKey(seed, "masks");
  std::vector<std::vector<std::uint32_t>> masks;
  for (std::size_t pair = 0; masks.size() < transforms; ++pair) {
    const auto code = Permutation(key, pair / bits, static_cast<std::uint32_t>(dimension));
    std::vector<std::uint32_t> moved;
    for (std::uint32_t c = 0; c < dimension; ++c) {
      if ((code[c] >> (pair % bits) & 1) == 0) moved.push_back(c);
    }
    masks.push_back(moved);
    if (masks.size() < transforms) masks.push_back(Complement(moved, dimension));
  }
  return masks;
}

CouplingFlow::CouplingFlow(std::size_t dimension, std::size_t context, std::size_t hidden,
                           std::size_t bins, const std::vector<std::vector<std::uint32_t>>& masks,
                           const std::vector<std::uint8_t>& line, WeightStore* store)
    : dimension_(dimension), line_(line) {
  if (std::count(line.begin(), line.end(), 0) != static_cast<std::ptrdiff_t>(line.size())) {
    line_mask_ = EmptyTensor({static_cast<std::int64_t>(dimension)});
    std::copy(line.begin(), line.end(), MutableData(line_mask_));
    base_constant_ = -0.5 * std::log(2 * std::numbers::pi) *
                     static_cast<double>(std::count(line.begin(), line.end(), 1));
  }
  const auto h = static_cast<std::int64_t>(hidden);
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const std::string name = "flow.layer" + std::to_string(i);
    Layer layer;
    layer.shape = {dimension, bins, masks[i], line};
    const auto kept = Complement(masks[i], dimension);
    layer.kept = at::empty({static_cast<std::int64_t>(kept.size())}, at::kLong);
    std::copy(kept.begin(), kept.end(), layer.kept.data_ptr<std::int64_t>());
    layer.scale = EmptyTensor({layer.kept.size(0)});
    layer.shift = EmptyTensor({layer.kept.size(0)});
    for (std::size_t k = 0; k < kept.size(); ++k) {
      MutableData(layer.scale)[k] = layer.shape.IsLine(kept[k]) ? 1.0f : 2.0f;
      MutableData(layer.shift)[k] = layer.shape.IsLine(kept[k]) ? 0.0f : -1.0f;
    }
    layer.context = MakeLinear(store, name + ".context", static_cast<std::int64_t>(context), h);
    if (!kept.empty()) {
      const double bound = std::sqrt(3.0 / static_cast<double>(kept.size()));
      layer.theta = store->Add(name + ".theta", {h, layer.kept.size(0)}, bound);
    }
    layer.first = MakeLinear(store, name + ".first", h, h);
    layer.second = MakeLinear(store, name + ".second", h, h);
    layer.last = MakeLinear(store, name + ".last", h,
                            static_cast<std::int64_t>(layer.shape.RowParameters()), /*gain=*/0);
    layers_.push_back(std::move(layer));
  }
}

at::Tensor CouplingFlow::Parameters(const Layer& layer, const at::Tensor& state,
                                    const at::Tensor& condition) const {
  at::Tensor h = condition;
  if (layer.theta.defined()) {
    const at::Tensor kept = at::index_select(state, 1, layer.kept) * layer.scale + layer.shift;
    h = at::addmm(condition, kept, layer.theta.t());
  } else if (condition.size(0) != state.size(0)) {
    h = condition.expand({state.size(0), condition.size(1)});
  }
  h = at::silu(h);
  h = h + layer.second(at::silu(layer.first(h)));
  return layer.last(at::silu(h)).contiguous();
}

at::Tensor CouplingFlow::BaseLogDensity(const at::Tensor& base) const {
  return (base * base * line_mask_).sum(1) * -0.5 + base_constant_;
}

at::Tensor CouplingFlow::LogDensity(const at::Tensor& theta, const at::Tensor& context) const {
  at::Tensor state = theta;
  at::Tensor total;
  for (const Layer& layer : layers_) {
    const at::Tensor parameters = Parameters(layer, state, layer.context(context));
    const variable_list moved = CouplingOperation::apply(state, parameters, &layer.shape);
    state = moved[0];
    total = total.defined() ? total + moved[1] : moved[1];
  }
  if (line_mask_.defined()) total = total + BaseLogDensity(state);
  return total;
}

std::vector<at::Tensor> CouplingFlow::Condition(const at::Tensor& context) const {
  std::vector<at::Tensor> conditions;
  for (const Layer& layer : layers_) conditions.push_back(layer.context(context));
  return conditions;
}

at::Tensor CouplingFlow::LogDensity(const at::Tensor& theta,
                                    const std::vector<at::Tensor>& conditions) const {
  at::Tensor state = theta;
  at::Tensor total = at::zeros({theta.size(0)}, Floats());
  at::Tensor log_slope = EmptyTensor({theta.size(0)});
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const at::Tensor parameters = Parameters(layers_[i], state, conditions[i]);
    at::Tensor moved = at::empty_like(state);
    CouplingForward(layers_[i].shape, static_cast<std::size_t>(theta.size(0)), Data(state),
                    Data(parameters), MutableData(moved), MutableData(log_slope));
    total.add_(log_slope);
    state = moved;
  }
  if (line_mask_.defined()) total.add_(BaseLogDensity(state));
  return total;
}

at::Tensor CouplingFlow::Draw(at::Tensor* base, const std::vector<at::Tensor>& conditions) const {
  UniformToBase(line_, dimension_, static_cast<std::size_t>(base->size(0)), MutableData(*base));
  at::Tensor total =
      line_mask_.defined() ? BaseLogDensity(*base) : at::zeros({base->size(0)}, Floats());
  at::Tensor log_slope = EmptyTensor({base->size(0)});
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const at::Tensor parameters = Parameters(layers_[i], *base, conditions[i]);
    at::Tensor moved = at::empty_like(*base);
    CouplingInverse(layers_[i].shape, static_cast<std::size_t>(base->size(0)), Data(*base),
                    Data(parameters), MutableData(moved), MutableData(log_slope));
    total.add_(log_slope);
    *base = moved;
  }
  ClampUnit(line_, dimension_, static_cast<std::size_t>(base->size(0)), MutableData(*base));
  return total;
}

}  // namespace inferon::estimators
