// A field's way through a block of rows. Included like spline_lanes-inl.h.
#include <hwy/highway.h>

#include "server/trainer/estimators/dense_lanes-inl.h"
#include "server/trainer/estimators/field_block.h"

#if defined(INFERON_FIELD_LAYER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_FIELD_LAYER_INL_H
#undef INFERON_FIELD_LAYER_INL_H
#else
#define INFERON_FIELD_LAYER_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {

// out = what the condition adds: its bias alone where all rows share it (`shared` has it), else
// computed from the rows' conditions.
HWY_INLINE void StartFromCondition(const DenseView& layer, const float* shared,
                                   const float* conditions, float* out) {
  if (shared == nullptr) return Dense<false>(layer, layer.bias, conditions, out);
  for (std::size_t o = 0; o < layer.outputs; ++o) std::fill_n(out + o * kBlock, kBlock, shared[o]);
}

// Fills t.h, t.u (before each silu), t.s (after it); out gets F. shared holds all layers' condition
// parts one after another, or is null.
HWY_INLINE void FieldForward(const FieldView& field, const float* shared, const float* conditions,
                             const float* z, FieldArrays& t, float* out) {
  const std::size_t hidden = field.hidden();
  const auto part = [&](std::size_t i) {
    return shared == nullptr ? nullptr : shared + i * hidden;
  };
  StartFromCondition(field.condition, part(0), conditions, t.h[0]);
  Dense<true>(field.input, nullptr, z, t.h[0]);
  for (std::size_t i = 0; i < field.blocks.size(); ++i) {
    const FieldBlockView& block = field.blocks[i];
    Silu(t.h[i], hidden, t.s[i]);
    StartFromCondition(block.condition, part(i + 1), conditions, t.u[i]);
    Dense<true>(block.first, nullptr, t.s[i], t.u[i]);
    Silu(t.u[i], hidden, t.v[i]);
    std::copy_n(t.h[i], hidden * kBlock, t.h[i + 1]);
    Dense<true>(block.second, block.second.bias, t.v[i], t.h[i + 1]);
  }
  const std::size_t end = field.blocks.size();
  Silu(t.h[end], hidden, t.s[end]);
  Dense<false>(field.last, field.last.bias, t.s[end], out);
}

}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
