// Memory of a block of rows on its way through a field, column by column as in flow_block.h.
#pragma once

#include <vector>

#include "server/trainer/estimators/field_lanes.h"
#include "server/trainer/estimators/flow_block.h"

namespace inferon::estimators {

// h and s have one array more than there are blocks.
struct FieldArrays {
  std::vector<float*> h, s;  // Before and after the silu in front of a block and of the last layer.
  std::vector<float*> u, v;  // Before and after the silu inside a block.
};

inline std::size_t FieldColumns(const FieldView& field) {
  return (4 * field.blocks.size() + 2) * field.hidden();
}

inline FieldArrays TakeFieldArrays(const FieldView& field, Arena& arena) {
  FieldArrays t;
  for (std::size_t i = 0; i <= field.blocks.size(); ++i) {
    t.h.push_back(arena.Columns(field.hidden()));
    t.s.push_back(arena.Columns(field.hidden()));
    if (i == field.blocks.size()) break;
    t.u.push_back(arena.Columns(field.hidden()));
    t.v.push_back(arena.Columns(field.hidden()));
  }
  return t;
}

}  // namespace inferon::estimators
