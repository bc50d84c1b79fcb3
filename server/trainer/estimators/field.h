// The weights of a vector field; field_lanes.h computes with it.
#pragma once

#include <cstddef>
#include <vector>

#include "server/trainer/estimators/field_lanes.h"
#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

class FieldNetwork {
 public:
  FieldNetwork(std::size_t dimension, std::size_t condition, std::size_t hidden, std::size_t blocks,
               WeightStore* store);
  // The weights and, where the store has handed out spans, their gradients. Valid as long as the
  // store and its spans are.
  FieldView View() const;

 private:
  struct Block {
    Linear condition;
    at::Tensor first;
    Linear second;
  };
  at::Tensor input_;
  Linear condition_, last_;
  std::vector<Block> blocks_;
};

}  // namespace inferon::estimators
