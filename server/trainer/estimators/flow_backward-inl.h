// One coupling layer backward over a block of rows. Included like spline_lanes-inl.h.
#include <hwy/highway.h>

#include "server/trainer/estimators/flow_backward.h"
#include "server/trainer/estimators/flow_layer-inl.h"

#if defined(INFERON_FLOW_BACKWARD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_FLOW_BACKWARD_INL_H
#undef INFERON_FLOW_BACKWARD_INL_H
#else
#define INFERON_FLOW_BACKWARD_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {

template <bool line>
HWY_INLINE void MoveBackward(std::size_t bins, const float* in, const float* raw,
                             const float* row_weight, float* grad, float* grad_raw) {
  const Floats f;
  for (std::size_t row = 0; row < kBlock; row += hn::Lanes(f)) {
    const Vector by_in =
        BackwardAt<line>(bins, kBlock, raw + row, hn::Load(f, in + row), hn::Load(f, grad + row),
                         hn::Load(f, row_weight + row), grad_raw + row);
    hn::Store(by_in, f, grad + row);
  }
}

HWY_INLINE void SplinesBackward(const FlowLayerView& layer, const LayerArrays& t,
                                LayerGradients& g) {
  const std::size_t step = layer.shape.SplineParameters() * kBlock;
  const float* raw = t.raw;
  float* grad_raw = g.raw;
  for (const std::uint32_t column : layer.shape.moved) {
    const float* in = t.state + column * kBlock;
    float* grad = g.state + column * kBlock;
    if (layer.shape.IsLine(column)) {
      MoveBackward<true>(layer.shape.bins, in, raw, g.row_weight, grad, grad_raw);
    } else {
      MoveBackward<false>(layer.shape.bins, in, raw, g.row_weight, grad, grad_raw);
    }
    raw += step;
    grad_raw += step;
  }
}

HWY_INLINE void KeptBackward(const FlowLayerView& layer, LayerGradients& g) {
  const Floats f;
  for (std::size_t k = 0; k < layer.kept.size(); ++k) {
    float* to = g.state + layer.kept[k] * kBlock;
    const float* from = g.kept + k * kBlock;
    const Vector scale = Constant(layer.scale[k]);
    for (std::size_t row = 0; row < kBlock; row += hn::Lanes(f)) {
      hn::Store(hn::MulAdd(scale, hn::Load(f, from + row), hn::Load(f, to + row)), f, to + row);
    }
  }
}

// The gradient by the state after the layer becomes the one by the state before it, in place.
// `visit` sees the gradients by the outputs of each dense layer before they are overwritten.
template <typename Visit>
HWY_INLINE void LayerBackward(const FlowLayerView& layer, const LayerArrays& t, LayerGradients& g,
                              const Visit& visit) {
  const std::size_t hidden = layer.first.outputs;
  SplinesBackward(layer, t, g);
  visit.Last(g.raw);
  DenseTransposed<false>(layer.last, g.raw, g.hidden);
  SiluBackward(t.a2, hidden, g.hidden);
  visit.Second(g.hidden);
  DenseTransposed<false>(layer.second, g.hidden, g.inner);
  SiluBackward(t.a1, hidden, g.inner);
  visit.First(g.inner);
  DenseTransposed<true>(layer.first, g.inner, g.hidden);  // s0 goes two ways.
  SiluBackward(t.a0, hidden, g.hidden);
  visit.Inputs(g.hidden);
  if (layer.kept.empty()) return;
  DenseTransposed<false>(layer.theta, g.hidden, g.kept);
  KeptBackward(layer, g);
}

}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
