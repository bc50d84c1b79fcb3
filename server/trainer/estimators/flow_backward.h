// Memory of a block of rows on its way back through a coupling flow.
#pragma once

#include "server/trainer/estimators/flow_block.h"

namespace inferon::estimators {

// Gradients of a block, all in columns of rows.
struct LayerGradients {
  LayerGradients() = default;
  LayerGradients(const FlowSizes& n, Arena& arena)
      : row_weight(arena.Columns(1)),
        state(arena.Columns(n.dimension)),
        kept(arena.Columns(n.dimension)),
        hidden(arena.Columns(n.hidden)),
        inner(arena.Columns(n.hidden)),
        raw(arena.Columns(n.parameters)) {}
  static std::size_t Columns(const FlowSizes& n) {
    return 1 + 2 * n.dimension + 2 * n.hidden + n.parameters;
  }

  float* row_weight = nullptr;  // Of each row's log density.
  float *state = nullptr, *kept = nullptr, *hidden = nullptr, *inner = nullptr, *raw = nullptr;
};

// Arrays of one layer, each of its own, so that the way back finds them.
inline std::size_t KeptColumns(const FlowSizes& n) {
  return 2 * n.dimension + 6 * n.hidden + n.parameters;
}
inline LayerArrays KeptArrays(const FlowSizes& n, Arena& arena) {
  LayerArrays t;
  t.state = arena.Columns(n.dimension);
  t.kept = arena.Columns(n.dimension);
  for (float** array : {&t.a0, &t.s0, &t.a1, &t.s1, &t.a2, &t.s2}) {
    *array = arena.Columns(n.hidden);
  }
  t.raw = arena.Columns(n.parameters);
  return t;
}

// Gradient of the base's log density by the state at the base, times each row's weight.
inline void StartBackward(const FlowView& flow, const float* state, LayerGradients& g) {
  for (std::size_t c = 0; c < flow.dimension; ++c) {
    const bool line = !flow.line.empty() && flow.line[c] != 0;
    for (std::size_t row = 0; row < kFlowBlock; ++row) {
      const std::size_t k = c * kFlowBlock + row;
      g.state[k] = line ? -g.row_weight[row] * state[k] : 0.0f;
    }
  }
}

}  // namespace inferon::estimators
