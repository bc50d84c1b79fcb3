// Gradient of a coupling flow, layer by layer back through a block of rows whose activations are
// kept.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/check.h"
#include "server/trainer/estimators/dense_sums.h"
#include "server/trainer/estimators/flow_backward.h"
#include "server/trainer/estimators/flow_block.h"
#include "server/trainer/estimators/flow_lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/trainer/estimators/flow_gradient.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include "server/trainer/estimators/flow_backward-inl.h"

#ifndef INFERON_FLOW_GRADIENT_ARRAYS
#define INFERON_FLOW_GRADIENT_ARRAYS
namespace inferon::estimators {

// Sums of each dense layer (dense_sums.h).
struct LayerSums {
  float *context = nullptr, *theta = nullptr, *first = nullptr, *second = nullptr, *last = nullptr;
};

// Arrays of a block in training.
struct TrainingBlock {
  float *state = nullptr, *context = nullptr, *log_density = nullptr;
  std::vector<LayerArrays> layers;
  LayerGradients grads;
  float* grad_context = nullptr;
  float* transposed_context = nullptr;
  float* transposed = nullptr;  // [kFlowBlock][SumWidth(widest)]
};

}  // namespace inferon::estimators
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace {

void GradientForward(const FlowLayerView& layer, LayerArrays& t, TrainingBlock& block,
                     std::size_t dimension) {
  std::copy_n(block.state, dimension * kBlock, t.state);
  ConditionLayer(layer, nullptr, block.context, block.state, t);
  MoveColumns<false>(layer, t.raw, block.state, block.log_density);
}

// Adds the gradient by a dense layer's weights: its inputs and the gradient by its outputs.
HWY_INLINE void AddOuter(const DenseView& layer, const float* inputs, const float* grad,
                         float* transposed, float* sums) {
  Transpose(inputs, layer.inputs, transposed);
  Outer(grad, layer.outputs, transposed, TransposedWidth(layer.inputs), sums);
}

// Adds a layer's gradients by the weights (to the sums) and by the context on the way back.
struct SumBackward {
  const FlowLayerView& layer;
  const LayerArrays& t;
  const LayerSums& sums;
  TrainingBlock& block;

  HWY_INLINE void Last(const float* grad) const {
    AddOuter(layer.last, t.s2, grad, block.transposed, sums.last);
  }
  HWY_INLINE void Second(const float* grad) const {
    AddOuter(layer.second, t.s1, grad, block.transposed, sums.second);
  }
  HWY_INLINE void First(const float* grad) const {
    AddOuter(layer.first, t.s0, grad, block.transposed, sums.first);
  }
  HWY_INLINE void Inputs(const float* grad) const {
    Outer(grad, layer.first.outputs, block.transposed_context,
          TransposedWidth(layer.context.inputs), sums.context);
    DenseTransposed<true>(layer.context, grad, block.grad_context);
    if (!layer.kept.empty()) AddOuter(layer.theta, t.kept, grad, block.transposed, sums.theta);
  }
};

// Gradients by the state before the layer (in place), by the context (added), by the weights
// (added to the sums).
void GradientBackward(const FlowLayerView& layer, const LayerArrays& t, const LayerSums& sums,
                      TrainingBlock& block) {
  SumBackward visit{layer, t, sums, block};
  LayerBackward(layer, t, block.grads, visit);
}

void TransposeContext(std::size_t columns, TrainingBlock& block) {
  Transpose(block.context, columns, block.transposed_context);
}

}  // namespace
}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::estimators {
namespace {

HWY_EXPORT(GradientForward);
HWY_EXPORT(GradientBackward);
HWY_EXPORT(TransposeContext);

std::size_t AllSums(const FlowView& flow) {
  std::size_t n = 0;
  for (const FlowLayerView& layer : flow.layers) {
    for (const DenseView* dense :
         {&layer.context, &layer.theta, &layer.first, &layer.second, &layer.last}) {
      n += SumsOf(*dense);
    }
  }
  return n;
}

// Columns of kFlowBlock rows that a training block needs.
std::size_t BlockColumns(const FlowView& flow) {
  const FlowSizes n(flow);
  std::size_t columns = n.dimension + 2 * n.context + LayerGradients::Columns(n) + 1;
  columns += SumWidth(n.context) + SumWidth(std::max(n.hidden, n.dimension));
  return columns + flow.layers.size() * KeptColumns(n);
}

}  // namespace

struct FlowGradient::Work {
  explicit Work(const FlowView& flow)
      : arena(BlockColumns(flow) * kFlowBlock), sums_size(AllSums(flow)), sums_arena(sums_size) {
    const FlowSizes n(flow);
    block.state = arena.Columns(n.dimension);
    block.context = arena.Columns(n.context);
    block.log_density = arena.Columns(1);
    block.grads = LayerGradients(n, arena);
    block.grad_context = arena.Columns(n.context);
    block.transposed_context = arena.Columns(SumWidth(n.context));
    block.transposed = arena.Columns(SumWidth(std::max(n.hidden, n.dimension)));
    for (const FlowLayerView& layer : flow.layers) AddLayer(layer, n);
    all_sums = sums.empty() ? nullptr : sums.front().context;
  }

  void AddLayer(const FlowLayerView& layer, const FlowSizes& n) {
    block.layers.push_back(KeptArrays(n, arena));
    LayerSums s;
    s.context = sums_arena.Take(SumsOf(layer.context));
    s.theta = sums_arena.Take(SumsOf(layer.theta));
    s.first = sums_arena.Take(SumsOf(layer.first));
    s.second = sums_arena.Take(SumsOf(layer.second));
    s.last = sums_arena.Take(SumsOf(layer.last));
    sums.push_back(s);
  }

  Arena arena;
  std::size_t sums_size;
  Arena sums_arena;
  TrainingBlock block;
  std::vector<LayerSums> sums;
  float* all_sums = nullptr;  // [sums_size]
};

FlowGradient::FlowGradient(FlowView flow)
    : flow_(std::move(flow)), work_(std::make_unique<Work>(flow_)) {
  for (const FlowLayerView& layer : flow_.layers) {
    INFERON_CHECK(layer.last.outputs == layer.shape.RowParameters());
    INFERON_CHECK(layer.first.grad_weights != nullptr);
  }
}

FlowGradient::~FlowGradient() = default;

double FlowGradient::Add(MatrixView context, MatrixView theta, float weight, float* grad_context) {
  INFERON_CHECK(context.rows == theta.rows && theta.columns == flow_.dimension);
  INFERON_CHECK(context.columns == flow_.context_columns());
  std::fill_n(work_->all_sums, work_->sums_size, 0.0f);
  double total = 0;
  for (std::size_t at = 0; at < theta.rows; at += kFlowBlock) {
    const std::size_t n = std::min(kFlowBlock, theta.rows - at);
    total += AddBlock({context.data + at * context.columns, n, context.columns},
                      {theta.data + at * theta.columns, n, theta.columns}, weight,
                      grad_context + at * context.columns);
  }
  for (std::size_t i = 0; i < flow_.layers.size(); ++i) {
    const FlowLayerView& layer = flow_.layers[i];
    const LayerSums& sums = work_->sums[i];
    AddSums(layer.context, sums.context);
    if (!layer.kept.empty()) AddSums(layer.theta, sums.theta);
    AddSums(layer.first, sums.first);
    AddSums(layer.second, sums.second);
    AddSums(layer.last, sums.last);
  }
  return total;
}

double FlowGradient::AddBlock(MatrixView context, MatrixView theta, float weight,
                              float* grad_context) {
  TrainingBlock& block = work_->block;
  const std::size_t n = theta.rows;
  LoadBlock(theta, block.state);
  LoadBlock(context, block.context);
  std::fill_n(block.log_density, kFlowBlock, 0.0f);
  // Rows that only fill the block up have no weight, so that they add nothing anywhere.
  std::fill_n(block.grads.row_weight, kFlowBlock, 0.0f);
  std::fill_n(block.grads.row_weight, n, weight);
  for (std::size_t i = 0; i < flow_.layers.size(); ++i) {
    HWY_DYNAMIC_DISPATCH(GradientForward)
    (flow_.layers[i], block.layers[i], block, flow_.dimension);
  }
  AddBaseDensity(flow_, block.state, block.log_density);
  StartBackward(flow_, block.state, block.grads);
  std::fill_n(block.grad_context, context.columns * kFlowBlock, 0.0f);
  HWY_DYNAMIC_DISPATCH(TransposeContext)(context.columns, block);
  for (std::size_t i = flow_.layers.size(); i-- > 0;) {
    HWY_DYNAMIC_DISPATCH(GradientBackward)
    (flow_.layers[i], block.layers[i], work_->sums[i], block);
  }
  double total = 0;
  for (std::size_t row = 0; row < n; ++row) {
    total += block.log_density[row];
    for (std::size_t c = 0; c < context.columns; ++c) {
      grad_context[row * context.columns + c] = block.grad_context[c * kFlowBlock + row];
    }
  }
  return total;
}

}  // namespace inferon::estimators
#endif
