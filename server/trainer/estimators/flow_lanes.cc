#include "server/trainer/estimators/flow_lanes.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/flow_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/trainer/estimators/flow_lanes.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include "server/trainer/estimators/flow_layer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace {

// One layer of a block. condition is the layer's part of FlowLanes::Condition, or null where each
// row has a context of its own.
void CoupleForward(const FlowLayerView& layer, const float* condition, QueryBlock& block) {
  ConditionLayer(layer, condition, block.context, block.state, block.layer);
  MoveColumns<false>(layer, block.layer.raw, block.state, block.log_density);
}

void CoupleInverse(const FlowLayerView& layer, const float* condition, QueryBlock& block) {
  ConditionLayer(layer, condition, block.context, block.state, block.layer);
  MoveColumns<true>(layer, block.layer.raw, block.state, block.log_density);
}

}  // namespace
}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::estimators {
namespace {

HWY_EXPORT(CoupleForward);
HWY_EXPORT(CoupleInverse);

constexpr float kBelowOne = 0x1.fffffep-1f;  // Largest float below 1.

// Uniform numbers to those of the base.
void UniformToBase(const FlowView& flow, QueryBlock& block) {
  constexpr double kHalfStep = 0x1.0p-25;  // Uniform numbers have 24 bits: 0 is half a step.
  for (std::size_t c = 0; c < flow.line.size(); ++c) {
    if (flow.line[c] == 0) continue;
    for (std::size_t row = 0; row < kFlowBlock; ++row) {
      float& value = block.state[c * kFlowBlock + row];
      value = static_cast<float>(NormalQuantile(value + kHalfStep));
    }
  }
}

// Rows of the block from at on to a matrix of draws; unit columns stay below 1, whatever was
// rounded.
void StoreDraws(const FlowView& flow, const QueryBlock& block, std::size_t n, float* out) {
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t c = 0; c < flow.dimension; ++c, ++out) {
      const float value = block.state[c * kFlowBlock + row];
      const bool line = !flow.line.empty() && flow.line[c] != 0;
      *out = line ? value : std::clamp(value, 0.0f, kBelowOne);
    }
  }
}

void CheckFlow(const FlowView& flow) {
  INFERON_CHECK(flow.line.empty() || flow.line.size() == flow.dimension);
  for (const FlowLayerView& layer : flow.layers) {
    INFERON_CHECK(layer.last.outputs == layer.shape.RowParameters());
    INFERON_CHECK(layer.kept.size() == layer.theta.inputs);
    INFERON_CHECK(layer.kept.size() == layer.scale.size());
    INFERON_CHECK(layer.kept.size() == layer.shift.size());
    INFERON_CHECK(layer.context.inputs == flow.context_columns());
  }
}

}  // namespace

FlowLanes::FlowLanes(FlowView flow) : flow_(std::move(flow)) { CheckFlow(flow_); }

std::vector<float> FlowLanes::Condition(std::span<const float> context) const {
  INFERON_CHECK(context.size() == flow_.context_columns());
  std::vector<float> condition;
  for (const FlowLayerView& layer : flow_.layers) {
    for (std::size_t o = 0; o < layer.context.outputs; ++o) {
      float sum = layer.context.bias[o];
      const float* weights = layer.context.weights + o * context.size();
      for (std::size_t i = 0; i < context.size(); ++i) sum = std::fma(weights[i], context[i], sum);
      condition.push_back(sum);
    }
  }
  return condition;
}

void FlowLanes::LogDensity(std::span<const float> condition, MatrixView theta, float* out) const {
  QueryBlock block(flow_);
  for (std::size_t at = 0; at < theta.rows; at += kFlowBlock) {
    const std::size_t n = std::min(kFlowBlock, theta.rows - at);
    LoadBlock(Part(theta, at, n), block.state);
    std::fill_n(block.log_density, kFlowBlock, 0.0f);
    const float* part = condition.data();
    for (const FlowLayerView& layer : flow_.layers) {
      HWY_DYNAMIC_DISPATCH(CoupleForward)(layer, part, block);
      part += layer.context.outputs;
    }
    AddBaseDensity(flow_, block.state, block.log_density);
    std::copy_n(block.log_density, n, out + at);
  }
}

void FlowLanes::LogDensityPairs(MatrixView context, MatrixView theta, float* out) const {
  INFERON_CHECK(context.rows == theta.rows && context.columns == flow_.context_columns());
  QueryBlock block(flow_);
  for (std::size_t at = 0; at < theta.rows; at += kFlowBlock) {
    const std::size_t n = std::min(kFlowBlock, theta.rows - at);
    LoadBlock(Part(theta, at, n), block.state);
    LoadBlock(Part(context, at, n), block.context);
    std::fill_n(block.log_density, kFlowBlock, 0.0f);
    for (const FlowLayerView& layer : flow_.layers) {
      HWY_DYNAMIC_DISPATCH(CoupleForward)(layer, nullptr, block);
    }
    AddBaseDensity(flow_, block.state, block.log_density);
    std::copy_n(block.log_density, n, out + at);
  }
}

void FlowLanes::Draw(std::span<const float> condition, std::size_t rows, float* values,
                     float* log_density) const {
  QueryBlock block(flow_);
  const MatrixView uniform{values, rows, flow_.dimension};
  for (std::size_t at = 0; at < rows; at += kFlowBlock) {
    const std::size_t n = std::min(kFlowBlock, rows - at);
    LoadBlock(Part(uniform, at, n), block.state);
    UniformToBase(flow_, block);
    std::fill_n(block.log_density, kFlowBlock, 0.0f);
    AddBaseDensity(flow_, block.state, block.log_density);
    const float* part = condition.data() + condition.size();
    for (std::size_t i = flow_.layers.size(); i-- > 0;) {
      part -= flow_.layers[i].context.outputs;
      HWY_DYNAMIC_DISPATCH(CoupleInverse)(flow_.layers[i], part, block);
    }
    StoreDraws(flow_, block, n, values + at * flow_.dimension);
    std::copy_n(block.log_density, n, log_density + at);
  }
}

}  // namespace inferon::estimators
#endif
