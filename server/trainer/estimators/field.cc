#include "server/trainer/estimators/field.h"

#include <cmath>
#include <string>

#include "server/trainer/estimators/flow.h"

namespace inferon::estimators {
namespace {

at::Tensor AddMatrix(WeightStore* store, const std::string& name, std::int64_t in,
                     std::int64_t out) {
  return store->Add(name, {out, in}, std::sqrt(3.0 / static_cast<double>(in)));
}

}  // namespace

FieldNetwork::FieldNetwork(std::size_t dimension, std::size_t condition, std::size_t hidden,
                           std::size_t blocks, WeightStore* store) {
  const auto d = static_cast<std::int64_t>(dimension), c = static_cast<std::int64_t>(condition);
  const auto h = static_cast<std::int64_t>(hidden);
  input_ = AddMatrix(store, "field.input", d, h);
  condition_ = MakeLinear(store, "field.condition", c, h);
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::string name = "field.block" + std::to_string(i);
    Block block;
    block.condition = MakeLinear(store, name + ".condition", c, h);
    block.first = AddMatrix(store, name + ".first", h, h);
    block.second = MakeLinear(store, name + ".second", h, h, /*gain=*/0.5);
    blocks_.push_back(std::move(block));
  }
  last_ = MakeLinear(store, "field.last", h, d, /*gain=*/0);
}

FieldView FieldNetwork::View() const {
  FieldView view;
  view.input = ViewOf(input_, {});
  view.condition = ViewOf(condition_.weight, condition_.bias);
  for (const Block& block : blocks_) {
    view.blocks.push_back({ViewOf(block.condition.weight, block.condition.bias),
                           ViewOf(block.first, {}),
                           ViewOf(block.second.weight, block.second.bias)});
  }
  view.last = ViewOf(last_.weight, last_.bias);
  return view;
}

}  // namespace inferon::estimators
