#include "server/trainer/estimators/flow.h"

#include <algorithm>
#include <cmath>

#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

std::vector<std::uint32_t> Complement(const std::vector<std::uint32_t>& columns, std::size_t d) {
  std::vector<std::uint32_t> rest;
  for (std::uint32_t c = 0; c < d; ++c) {
    if (!std::binary_search(columns.begin(), columns.end(), c)) rest.push_back(c);
  }
  return rest;
}

float* GradientOf(const at::Tensor& tensor) {
  return tensor.defined() && tensor.grad().defined() ? MutableData(tensor.grad()) : nullptr;
}

}  // namespace

DenseView ViewOf(const at::Tensor& weight, const at::Tensor& bias) {
  DenseView view;
  view.inputs = static_cast<std::size_t>(weight.size(1));
  view.outputs = static_cast<std::size_t>(weight.size(0));
  view.weights = Data(weight);
  view.grad_weights = GradientOf(weight);
  if (bias.defined()) view.bias = Data(bias);
  view.grad_bias = GradientOf(bias);
  return view;
}

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
  const auto h = static_cast<std::int64_t>(hidden);
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const std::string name = "flow.layer" + std::to_string(i);
    Layer layer;
    layer.shape = {dimension, bins, masks[i], line};
    const std::size_t kept = dimension - masks[i].size();
    layer.context = MakeLinear(store, name + ".context", static_cast<std::int64_t>(context), h);
    if (kept > 0) {
      const double bound = std::sqrt(3.0 / static_cast<double>(kept));
      layer.theta = store->Add(name + ".theta", {h, static_cast<std::int64_t>(kept)}, bound);
    }
    layer.first = MakeLinear(store, name + ".first", h, h);
    layer.second = MakeLinear(store, name + ".second", h, h);
    layer.last = MakeLinear(store, name + ".last", h,
                            static_cast<std::int64_t>(layer.shape.RowParameters()), /*gain=*/0);
    layers_.push_back(std::move(layer));
  }
}

FlowView CouplingFlow::View() const {
  FlowView flow{dimension_, line_, {}};
  for (const Layer& layer : layers_) {
    FlowLayerView view;
    view.shape = layer.shape;
    view.kept = Complement(layer.shape.moved, dimension_);
    for (const std::uint32_t column : view.kept) {
      const bool is_line = layer.shape.IsLine(column);
      view.scale.push_back(is_line ? 1.0f : 2.0f);  // Unit columns to [-1, 1].
      view.shift.push_back(is_line ? 0.0f : -1.0f);
    }
    view.context = ViewOf(layer.context.weight, layer.context.bias);
    view.first = ViewOf(layer.first.weight, layer.first.bias);
    view.second = ViewOf(layer.second.weight, layer.second.bias);
    view.last = ViewOf(layer.last.weight, layer.last.bias);
    view.theta.outputs = view.first.inputs;
    if (layer.theta.defined()) view.theta = ViewOf(layer.theta, {});
    flow.layers.push_back(std::move(view));
  }
  return flow;
}

}  // namespace inferon::estimators
