// Log densities of a trained flow with their gradients by theta.
#include <algorithm>

#include "common/base/check.h"
#include "server/trainer/estimators/flow_backward.h"
#include "server/trainer/estimators/flow_lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/trainer/estimators/flow_slopes.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include "server/trainer/estimators/flow_backward-inl.h"

#ifndef INFERON_FLOW_SLOPES_ARRAYS
#define INFERON_FLOW_SLOPES_ARRAYS
namespace inferon::estimators {

struct SlopesBlock {
  explicit SlopesBlock(const FlowView& flow) : SlopesBlock(flow, FlowSizes(flow)) {}
  SlopesBlock(const FlowView& flow, const FlowSizes& n)
      : arena((n.dimension + 1 + LayerGradients::Columns(n) + flow.layers.size() * KeptColumns(n)) *
              kFlowBlock),
        state(arena.Columns(n.dimension)),
        log_density(arena.Columns(1)),
        grads(n, arena) {
    for (std::size_t i = 0; i < flow.layers.size(); ++i) layers.push_back(KeptArrays(n, arena));
    std::fill_n(grads.row_weight, kFlowBlock, 1.0f);
  }
  Arena arena;
  float *state, *log_density;
  LayerGradients grads;
  std::vector<LayerArrays> layers;
};

}  // namespace inferon::estimators
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace {

// Nobody asks for the gradients by the weights.
struct NoVisit {
  HWY_INLINE void Last(const float*) const {}
  HWY_INLINE void Second(const float*) const {}
  HWY_INLINE void First(const float*) const {}
  HWY_INLINE void Inputs(const float*) const {}
};

void SlopesForward(const FlowLayerView& layer, const float* condition, std::size_t dimension,
                   LayerArrays& t, SlopesBlock& block) {
  std::copy_n(block.state, dimension * kBlock, t.state);
  ConditionLayer(layer, condition, nullptr, block.state, t);
  MoveColumns<false>(layer, t.raw, block.state, block.log_density);
}

void SlopesBackward(const FlowLayerView& layer, const LayerArrays& t, SlopesBlock& block) {
  LayerBackward(layer, t, block.grads, NoVisit());
}

}  // namespace
}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::estimators {
namespace {
HWY_EXPORT(SlopesForward);
HWY_EXPORT(SlopesBackward);
}  // namespace

void FlowLanes::LogDensitySlopes(std::span<const float> condition, MatrixView theta, float* out,
                                 float* gradient) const {
  INFERON_CHECK(theta.columns == flow_.dimension);
  SlopesBlock block(flow_);
  for (std::size_t at = 0; at < theta.rows; at += kFlowBlock) {
    const std::size_t n = std::min(kFlowBlock, theta.rows - at);
    LoadBlock(Part(theta, at, n), block.state);
    std::fill_n(block.log_density, kFlowBlock, 0.0f);
    const float* part = condition.data();
    for (std::size_t i = 0; i < flow_.layers.size(); ++i) {
      HWY_DYNAMIC_DISPATCH(SlopesForward)
      (flow_.layers[i], part, flow_.dimension, block.layers[i], block);
      part += flow_.layers[i].context.outputs;
    }
    AddBaseDensity(flow_, block.state, block.log_density);
    StartBackward(flow_, block.state, block.grads);
    for (std::size_t i = flow_.layers.size(); i-- > 0;) {
      HWY_DYNAMIC_DISPATCH(SlopesBackward)(flow_.layers[i], block.layers[i], block);
    }
    for (std::size_t row = 0; row < n; ++row) {
      out[at + row] = block.log_density[row];
      for (std::size_t c = 0; c < flow_.dimension; ++c) {
        gradient[(at + row) * flow_.dimension + c] = block.grads.state[c * kFlowBlock + row];
      }
    }
  }
}

}  // namespace inferon::estimators
#endif
