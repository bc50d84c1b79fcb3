// One coupling layer over a block of rows. Included like spline_lanes-inl.h.
#include <hwy/highway.h>

#include "server/trainer/estimators/dense_lanes-inl.h"
#include "server/trainer/estimators/flow_block.h"

#if defined(INFERON_FLOW_LAYER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_FLOW_LAYER_INL_H
#undef INFERON_FLOW_LAYER_INL_H
#else
#define INFERON_FLOW_LAYER_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {

HWY_INLINE void KeptColumns(const FlowLayerView& layer, const float* state, float* kept) {
  const Floats f;
  for (std::size_t k = 0; k < layer.kept.size(); ++k, kept += kBlock) {
    const float* from = state + layer.kept[k] * kBlock;
    const Vector scale = Constant(layer.scale[k]), shift = Constant(layer.shift[k]);
    for (std::size_t row = 0; row < kBlock; row += hn::Lanes(f)) {
      hn::Store(hn::MulAdd(hn::Load(f, from + row), scale, shift), f, kept + row);
    }
  }
}

// From the state before the layer to the raw parameters of its splines.
HWY_INLINE void ConditionLayer(const FlowLayerView& layer, const float* condition,
                               const float* context, const float* state, LayerArrays& t) {
  const std::size_t hidden = layer.first.outputs;
  KeptColumns(layer, state, t.kept);
  if (condition != nullptr) {
    Dense<false>(layer.theta, condition, t.kept, t.a0);
  } else {
    Dense<false>(layer.context, layer.context.bias, context, t.a0);
    Dense<true>(layer.theta, nullptr, t.kept, t.a0);
  }
  Silu(t.a0, hidden, t.s0);
  Dense<false>(layer.first, layer.first.bias, t.s0, t.a1);
  Silu(t.a1, hidden, t.s1);
  if (t.a2 != t.s0) std::copy_n(t.s0, hidden * kBlock, t.a2);
  Dense<true>(layer.second, layer.second.bias, t.s1, t.a2);
  Silu(t.a2, hidden, t.s2);
  Dense<false>(layer.last, layer.last.bias, t.s2, t.raw);
}

template <bool inverse, bool line>
HWY_INLINE void MoveColumn(std::size_t bins, const float* raw, float* column, float* log_density) {
  const Floats f;
  for (std::size_t row = 0; row < kBlock; row += hn::Lanes(f)) {
    const Vector value = hn::Load(f, column + row);
    const Point point = inverse ? InverseAt<line>(bins, kBlock, raw + row, value)
                                : ForwardAt<line>(bins, kBlock, raw + row, value);
    hn::Store(point.value, f, column + row);
    hn::Store(hn::Add(hn::Load(f, log_density + row), point.log_slope), f, log_density + row);
  }
}

// Moves the layer's columns of the state and adds their log derivatives.
template <bool inverse>
HWY_INLINE void MoveColumns(const FlowLayerView& layer, const float* raw, float* state,
                            float* log_density) {
  for (const std::uint32_t column : layer.shape.moved) {
    float* values = state + column * kBlock;
    if (layer.shape.IsLine(column)) {
      MoveColumn<inverse, true>(layer.shape.bins, raw, values, log_density);
    } else {
      MoveColumn<inverse, false>(layer.shape.bins, raw, values, log_density);
    }
    raw += layer.shape.SplineParameters() * kBlock;
  }
}

}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
