// Memory of a block of rows on its way through a coupling flow. Arrays are column by column:
// element (column, row) is at [column * kFlowBlock + row].
#pragma once

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "server/trainer/estimators/flow_lanes.h"

namespace inferon::estimators {

// Hands out parts of one aligned array.
class Arena {
 public:
  explicit Arena(std::size_t floats)
      : values_(hwy::AllocateAligned<float>(floats)), left_(floats), next_(values_.get()) {
    std::fill_n(next_, floats, 0.0f);
  }
  float* Take(std::size_t floats) {
    INFERON_CHECK(floats <= left_);
    left_ -= floats;
    return std::exchange(next_, next_ + floats);
  }
  float* Columns(std::size_t columns) { return Take(columns * kFlowBlock); }

 private:
  hwy::AlignedFreeUniquePtr<float[]> values_;
  std::size_t left_;
  float* next_;
};

// What one layer computes for a block. A training keeps one for each layer, with arrays of their
// own for all; a query keeps one for all layers, where arrays that follow each other coincide.
struct LayerArrays {
  float* state = nullptr;  // Before the layer; a training only.
  float* kept = nullptr;
  float *a0 = nullptr, *s0 = nullptr;  // Before and after each silu.
  float *a1 = nullptr, *s1 = nullptr;
  float *a2 = nullptr, *s2 = nullptr;
  float* raw = nullptr;
};

// Largest sizes over all layers.
struct FlowSizes {
  std::size_t dimension = 0, context = 0, hidden = 0, parameters = 0;
  explicit FlowSizes(const FlowView& flow)
      : dimension(flow.dimension), context(flow.context_columns()) {
    for (const FlowLayerView& layer : flow.layers) {
      hidden = std::max(hidden, layer.first.outputs);
      parameters = std::max(parameters, layer.last.outputs);
    }
  }
};

inline MatrixView Part(MatrixView matrix, std::size_t at, std::size_t n) {
  return {matrix.data + at * matrix.columns, n, matrix.columns};
}

// A matrix of 1..kFlowBlock rows to columns of a block, filled up with its last row.
inline void LoadBlock(MatrixView rows, float* out) {
  for (std::size_t row = 0; row < kFlowBlock; ++row) {
    const float* from = rows.data + std::min(row, rows.rows - 1) * rows.columns;
    for (std::size_t c = 0; c < rows.columns; ++c) out[c * kFlowBlock + row] = from[c];
  }
}

// Adds the standard normal log density of a block's line columns.
inline void AddBaseDensity(const FlowView& flow, const float* state, float* log_density) {
  const auto constant = static_cast<float>(-0.5 * std::log(2 * std::numbers::pi));
  for (std::size_t c = 0; c < flow.line.size(); ++c) {
    if (flow.line[c] == 0) continue;
    const float* z = state + c * kFlowBlock;
    for (std::size_t row = 0; row < kFlowBlock; ++row) {
      log_density[row] += constant - 0.5f * z[row] * z[row];
    }
  }
}

// Of a query.
struct QueryBlock {
  explicit QueryBlock(const FlowView& flow) : QueryBlock(FlowSizes(flow)) {}
  explicit QueryBlock(const FlowSizes& n)
      : arena((2 * n.dimension + n.context + 2 * n.hidden + n.parameters + 1) * kFlowBlock),
        state(arena.Columns(n.dimension)),
        context(arena.Columns(n.context)),
        log_density(arena.Columns(1)) {
    layer.kept = arena.Columns(n.dimension);
    layer.a0 = layer.s0 = layer.a2 = layer.s2 = arena.Columns(n.hidden);
    layer.a1 = layer.s1 = arena.Columns(n.hidden);
    layer.raw = arena.Columns(n.parameters);
  }
  Arena arena;
  float *state, *context, *log_density;
  LayerArrays layer;
};

}  // namespace inferon::estimators
