#include "server/trainer/estimators/field_lanes.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/estimators/field_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/trainer/estimators/field_lanes.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include "server/trainer/estimators/field_layer-inl.h"

#ifndef INFERON_FIELD_LANES_ARRAYS
#define INFERON_FIELD_LANES_ARRAYS
namespace inferon::estimators {

// Of a derivative along one column of z.
struct FieldTangent {
  float *h = nullptr, *u = nullptr, *slope = nullptr;
};

}  // namespace inferon::estimators
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace {

void FieldValues(const FieldView& field, const float* shared, const float* conditions,
                 const float* z, FieldArrays& t, float* out) {
  FieldForward(field, shared, conditions, z, t, out);
}

// values = silu'(values), for all layers once: every column's derivative needs them.
void ToSlopes(std::size_t columns, float* values) {
  const Floats f;
  const Vector one = Constant(1);
  for (std::size_t i = 0; i < columns * kBlock; i += hn::Lanes(f)) {
    const Vector x = hn::Load(f, values + i);
    const Vector s = Logistic(x);
    hn::Store(hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one)), f, values + i);
  }
}

HWY_INLINE void Times(const float* a, const float* b, std::size_t columns, float* out) {
  const Floats f;
  for (std::size_t i = 0; i < columns * kBlock; i += hn::Lanes(f)) {
    hn::Store(hn::Mul(hn::Load(f, a + i), hn::Load(f, b + i)), f, out + i);
  }
}

// dF_column / dz_column from the slopes of the silus, which stand in t.h and t.u.
void FieldSlope(const FieldView& field, const FieldArrays& t, std::size_t column, FieldTangent& d,
                float* out) {
  const std::size_t hidden = field.hidden();
  for (std::size_t o = 0; o < hidden; ++o) {
    std::fill_n(d.h + o * kBlock, kBlock, field.input.weights[o * field.input.inputs + column]);
  }
  for (std::size_t i = 0; i < field.blocks.size(); ++i) {
    Times(t.h[i], d.h, hidden, d.slope);
    Dense<false>(field.blocks[i].first, nullptr, d.slope, d.u);
    Times(t.u[i], d.u, hidden, d.u);
    Dense<true>(field.blocks[i].second, nullptr, d.u, d.h);
  }
  Times(t.h[field.blocks.size()], d.h, hidden, d.slope);
  DenseGroup<1, false>(field.last.weights + column * hidden, {hidden, 1}, nullptr, hidden, d.slope,
                       out);
}

}  // namespace
}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::estimators {
namespace {

HWY_EXPORT(FieldValues);
HWY_EXPORT(ToSlopes);
HWY_EXPORT(FieldSlope);

}  // namespace

struct FieldLanes::Work {
  explicit Work(const FieldView& field)
      : arena((FieldColumns(field) + field.condition_columns() + 3 * field.hidden()) * kFlowBlock),
        arrays(TakeFieldArrays(field, arena)),
        conditions(arena.Columns(field.condition_columns())),
        tangent{arena.Columns(field.hidden()), arena.Columns(field.hidden()),
                arena.Columns(field.hidden())} {}
  Arena arena;
  FieldArrays arrays;
  float* conditions;
  FieldTangent tangent;
  std::vector<float> shared;  // Empty: rows have their own conditions.
};

FieldLanes::FieldLanes(FieldView field)
    : field_(std::move(field)), work_(std::make_unique<Work>(field_)) {
  INFERON_CHECK(field_.last.outputs == field_.dimension());
}
FieldLanes::~FieldLanes() = default;

void FieldLanes::SetCondition(std::span<const float> condition) {
  INFERON_CHECK(condition.size() == field_.condition_columns());
  work_->shared.clear();
  const auto add = [&](const DenseView& layer) {
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      float sum = layer.bias[o];
      const float* weights = layer.weights + o * condition.size();
      for (std::size_t i = 0; i < condition.size(); ++i) {
        sum = std::fma(weights[i], condition[i], sum);
      }
      work_->shared.push_back(sum);
    }
  };
  add(field_.condition);
  for (const FieldBlockView& block : field_.blocks) add(block.condition);
}

float* FieldLanes::RowConditions() {
  work_->shared.clear();
  return work_->conditions;
}

void FieldLanes::Evaluate(const float* z, float* out, float* slopes) {
  const float* shared = work_->shared.empty() ? nullptr : work_->shared.data();
  FieldArrays& t = work_->arrays;
  HWY_DYNAMIC_DISPATCH(FieldValues)(field_, shared, work_->conditions, z, t, out);
  if (slopes == nullptr) return;
  for (float* h : t.h) HWY_DYNAMIC_DISPATCH(ToSlopes)(field_.hidden(), h);
  for (float* u : t.u) HWY_DYNAMIC_DISPATCH(ToSlopes)(field_.hidden(), u);
  for (std::size_t c = 0; c < field_.dimension(); ++c) {
    HWY_DYNAMIC_DISPATCH(FieldSlope)(field_, t, c, work_->tangent, slopes + c * kFlowBlock);
  }
}

}  // namespace inferon::estimators
#endif
