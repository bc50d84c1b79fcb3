// Gradient of a field's squared error, back through a block of rows whose activations are kept.
#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/estimators/dense_sums.h"
#include "server/trainer/estimators/field_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/trainer/estimators/field_gradient.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include "server/trainer/estimators/field_layer-inl.h"

#ifndef INFERON_FIELD_GRADIENT_ARRAYS
#define INFERON_FIELD_GRADIENT_ARRAYS
namespace inferon::estimators {

// Sums of each dense layer (dense_sums.h).
struct FieldSums {
  float *input = nullptr, *condition = nullptr, *last = nullptr;
  struct OfBlock {
    float *condition = nullptr, *first = nullptr, *second = nullptr;
  };
  std::vector<OfBlock> blocks;
};

struct FieldTraining {
  float *z = nullptr, *condition = nullptr, *out = nullptr;
  FieldArrays arrays;
  float *grad_out = nullptr, *grad_condition = nullptr, *grad_hidden = nullptr;
  float *grad_inner = nullptr, *grad_before = nullptr;
  float *transposed_condition = nullptr, *transposed = nullptr;
};

}  // namespace inferon::estimators
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace {

void TrainingForward(const FieldView& field, FieldTraining& w) {
  FieldForward(field, nullptr, w.condition, w.z, w.arrays, w.out);
}

HWY_INLINE void OuterOf(const float* inputs, std::size_t columns, const float* grad,
                        std::size_t outputs, float* transposed, float* sums) {
  Transpose(inputs, columns, transposed);
  Outer(grad, outputs, transposed, TransposedWidth(columns), sums);
}

HWY_INLINE void ConditionBackward(const DenseView& layer, const float* grad, FieldTraining& w,
                                  float* sums) {
  Outer(grad, layer.outputs, w.transposed_condition, TransposedWidth(layer.inputs), sums);
  DenseTransposed<true>(layer, grad, w.grad_condition);
}

HWY_INLINE void AddTo(const float* from, std::size_t columns, float* to) {
  const Floats f;
  for (std::size_t i = 0; i < columns * kBlock; i += hn::Lanes(f)) {
    hn::Store(hn::Add(hn::Load(f, from + i), hn::Load(f, to + i)), f, to + i);
  }
}

// From w.grad_out to the sums and w.grad_condition.
void TrainingBackward(const FieldView& field, const FieldSums& sums, FieldTraining& w) {
  const std::size_t hidden = field.hidden(), end = field.blocks.size();
  const FieldArrays& t = w.arrays;
  Transpose(w.condition, field.condition_columns(), w.transposed_condition);
  OuterOf(t.s[end], hidden, w.grad_out, field.dimension(), w.transposed, sums.last);
  DenseTransposed<false>(field.last, w.grad_out, w.grad_hidden);
  SiluBackward(t.h[end], hidden, w.grad_hidden);
  for (std::size_t i = end; i-- > 0;) {
    const FieldBlockView& block = field.blocks[i];
    OuterOf(t.v[i], hidden, w.grad_hidden, hidden, w.transposed, sums.blocks[i].second);
    DenseTransposed<false>(block.second, w.grad_hidden, w.grad_inner);
    SiluBackward(t.u[i], hidden, w.grad_inner);
    ConditionBackward(block.condition, w.grad_inner, w, sums.blocks[i].condition);
    OuterOf(t.s[i], hidden, w.grad_inner, hidden, w.transposed, sums.blocks[i].first);
    DenseTransposed<false>(block.first, w.grad_inner, w.grad_before);
    SiluBackward(t.h[i], hidden, w.grad_before);
    AddTo(w.grad_before, hidden, w.grad_hidden);
  }
  ConditionBackward(field.condition, w.grad_hidden, w, sums.condition);
  OuterOf(w.z, field.dimension(), w.grad_hidden, hidden, w.transposed, sums.input);
}

}  // namespace
}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::estimators {
namespace {

HWY_EXPORT(TrainingForward);
HWY_EXPORT(TrainingBackward);

std::size_t AllSums(const FieldView& field) {
  std::size_t n = SumsOf(field.input) + SumsOf(field.condition) + SumsOf(field.last);
  for (const FieldBlockView& block : field.blocks) {
    n += SumsOf(block.condition) + SumsOf(block.first) + SumsOf(block.second);
  }
  return n;
}

std::size_t TrainingColumns(const FieldView& field) {
  const std::size_t d = field.dimension(), c = field.condition_columns(), h = field.hidden();
  return FieldColumns(field) + 3 * d + 2 * c + 3 * h + SumWidth(c) + SumWidth(std::max(h, d));
}

}  // namespace

struct FieldGradient::Work {
  explicit Work(const FieldView& field)
      : arena(TrainingColumns(field) * kFlowBlock),
        sums_size(AllSums(field)),
        sums_arena(sums_size) {
    const std::size_t d = field.dimension(), c = field.condition_columns(), h = field.hidden();
    w.arrays = TakeFieldArrays(field, arena);
    for (float** array : {&w.z, &w.out, &w.grad_out}) *array = arena.Columns(d);
    for (float** array : {&w.condition, &w.grad_condition}) *array = arena.Columns(c);
    for (float** array : {&w.grad_hidden, &w.grad_inner, &w.grad_before}) *array = arena.Columns(h);
    w.transposed_condition = arena.Columns(SumWidth(c));
    w.transposed = arena.Columns(SumWidth(std::max(h, d)));
    sums.input = all_sums = sums_arena.Take(SumsOf(field.input));
    sums.condition = sums_arena.Take(SumsOf(field.condition));
    sums.last = sums_arena.Take(SumsOf(field.last));
    for (const FieldBlockView& block : field.blocks) {
      FieldSums::OfBlock s;
      s.condition = sums_arena.Take(SumsOf(block.condition));
      s.first = sums_arena.Take(SumsOf(block.first));
      s.second = sums_arena.Take(SumsOf(block.second));
      sums.blocks.push_back(s);
    }
  }

  // Loads up to kFlowBlock rows and computes F.
  void Forward(const FieldView& field, const Rows& rows) {
    LoadBlock(rows.z, w.z);
    LoadBlock(rows.condition, w.condition);
    HWY_DYNAMIC_DISPATCH(TrainingForward)(field, w);
  }
  // Sum of the squares; grad_out gets the gradient by F, 0 for rows that only fill the block.
  double Error(const Rows& rows, float weight) {
    const std::size_t columns = rows.target.columns;
    double total = 0;
    std::fill_n(w.grad_out, columns * kFlowBlock, 0.0f);
    for (std::size_t row = 0; row < rows.target.rows; ++row) {
      for (std::size_t j = 0; j < columns; ++j) {
        const float gate = rows.gate.data[row * columns + j];
        const float error =
            gate * w.out[j * kFlowBlock + row] - rows.target.data[row * columns + j];
        total += double{error} * error;
        w.grad_out[j * kFlowBlock + row] = 2 * weight * gate * error;
      }
    }
    return total;
  }

  Arena arena;
  std::size_t sums_size;
  Arena sums_arena;
  FieldTraining w;
  FieldSums sums;
  float* all_sums = nullptr;  // [sums_size]
};

FieldGradient::FieldGradient(FieldView field)
    : field_(std::move(field)), work_(std::make_unique<Work>(field_)) {}
FieldGradient::~FieldGradient() = default;

FieldGradient::Rows FieldGradient::Rows::Part(std::size_t at, std::size_t n) const {
  using estimators::Part;
  return {Part(condition, at, n), Part(z, at, n), Part(gate, at, n), Part(target, at, n)};
}

double FieldGradient::Add(const Rows& rows, float weight, float* grad_condition) {
  const std::size_t count = rows.z.rows, columns = rows.condition.columns;
  INFERON_CHECK(rows.condition.rows == count && rows.target.rows == count);
  INFERON_CHECK(columns == field_.condition_columns());
  std::fill_n(work_->all_sums, work_->sums_size, 0.0f);
  double total = 0;
  for (std::size_t at = 0; at < count; at += kFlowBlock) {
    const std::size_t n = std::min(kFlowBlock, count - at);
    total += AddBlock(rows.Part(at, n), weight, grad_condition + at * columns);
  }
  const FieldSums& sums = work_->sums;
  AddSums(field_.input, sums.input);
  AddSums(field_.condition, sums.condition);
  AddSums(field_.last, sums.last);
  for (std::size_t i = 0; i < field_.blocks.size(); ++i) {
    AddSums(field_.blocks[i].condition, sums.blocks[i].condition);
    AddSums(field_.blocks[i].first, sums.blocks[i].first);
    AddSums(field_.blocks[i].second, sums.blocks[i].second);
  }
  return total;
}

double FieldGradient::AddBlock(const Rows& rows, float weight, float* grad_condition) {
  FieldTraining& w = work_->w;
  work_->Forward(field_, rows);
  const double total = work_->Error(rows, weight);
  const std::size_t columns = rows.condition.columns;
  std::fill_n(w.grad_condition, columns * kFlowBlock, 0.0f);
  HWY_DYNAMIC_DISPATCH(TrainingBackward)(field_, work_->sums, w);
  for (std::size_t row = 0; row < rows.z.rows; ++row) {
    for (std::size_t c = 0; c < columns; ++c) {
      grad_condition[row * columns + c] = w.grad_condition[c * kFlowBlock + row];
    }
  }
  return total;
}

double FieldGradient::Loss(const Rows& rows) {
  double total = 0;
  for (std::size_t at = 0; at < rows.z.rows; at += kFlowBlock) {
    const Rows part = rows.Part(at, std::min(kFlowBlock, rows.z.rows - at));
    work_->Forward(field_, part);
    total += work_->Error(part, 0);
  }
  return total;
}

}  // namespace inferon::estimators
#endif
