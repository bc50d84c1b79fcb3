// A vector field F(z | c) without LibTorch: a residual network with the condition c in every block,
// for queries and for training. Like a flow (flow_lanes.h): one row a vector lane, a row's result
// depends on this row only, to the last bit.
//
// With s = silu:
//   h = input(z) + condition(c)
//   for each block: h = h + second(s(first(s(h)) + condition_of_block(c)))
//   F = last(s(h))
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "server/trainer/estimators/flow_lanes.h"

namespace inferon::estimators {

struct FieldBlockView {
  DenseView condition, first, second;  // first has no bias.
};

struct FieldView {
  DenseView input, condition;  // input has no bias.
  std::vector<FieldBlockView> blocks;
  DenseView last;
  std::size_t dimension() const { return input.inputs; }
  std::size_t hidden() const { return input.outputs; }
  std::size_t condition_columns() const { return condition.inputs; }
};

// Answers of a field whose weights no longer change, for blocks of kFlowBlock rows in columns
// (flow_block.h). Not thread-safe: it has the memory of one block.
class FieldLanes {
 public:
  explicit FieldLanes(FieldView field);
  ~FieldLanes();
  FieldLanes(const FieldLanes&) = delete;
  FieldLanes& operator=(const FieldLanes&) = delete;

  // From here on all rows have this condition ([condition_columns]).
  void SetCondition(std::span<const float> condition);
  // From here on each row has its own; returns their memory, [condition_columns] columns.
  float* RowConditions();
  // out gets F of z, both [dimension] columns; slopes, unless null, dF_j / dz_j.
  void Evaluate(const float* z, float* out, float* slopes);

 private:
  struct Work;
  FieldView field_;
  std::unique_ptr<Work> work_;
};

// Gradients of a field whose weights an optimiser changes between the calls. Not thread-safe.
class FieldGradient {
 public:
  explicit FieldGradient(FieldView field);
  ~FieldGradient();
  FieldGradient(const FieldGradient&) = delete;
  FieldGradient& operator=(const FieldGradient&) = delete;

  // [n, ...], of equal n.
  struct Rows {
    MatrixView condition, z, gate, target;
    Rows Part(std::size_t at, std::size_t n) const;
  };
  // L = sum over rows and columns of (gate * F(z | c) - target)^2. Returns L; adds weight * dL/dw
  // to the gradient of each weight w; grad_condition [n, condition_columns] becomes weight * dL/dc.
  double Add(const Rows& rows, float weight, float* grad_condition);
  // L alone.
  double Loss(const Rows& rows);

 private:
  struct Work;
  double AddBlock(const Rows& rows, float weight, float* grad_condition);

  FieldView field_;
  std::unique_ptr<Work> work_;
};

}  // namespace inferon::estimators
