#include "server/trainer/estimators/layers.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/silu.h>

namespace inferon::estimators {

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, Beside(gain, x) + 1, Beside(bias, x));
}

LayerNorm MakeLayerNorm(WeightStore* store, const std::string& name, std::int64_t channels) {
  return {store->Add(name + ".gain", {channels}, 0), store->Add(name + ".bias", {channels}, 0)};
}

at::Tensor Head::operator()(const at::Tensor& x) const { return last(at::silu(first(x))); }

Head MakeHead(WeightStore* store, const std::string& name, std::int64_t in, std::int64_t hidden,
              std::int64_t out) {
  return {MakeLinear(store, name + ".first", in, hidden),
          MakeLinear(store, name + ".last", hidden, out)};
}

bool KeepsForBackward() { return at::GradMode::is_enabled(); }

at::Tensor MeanAndLargest(const at::Tensor& x) { return at::cat({x.mean(1), x.amax(1)}, 1); }

at::Tensor WithNeighbours(const at::Tensor& x, std::int64_t distance) {
  const std::int64_t steps = x.size(1);
  const at::Tensor padded = at::constant_pad_nd(x, {0, 0, distance, distance});
  return at::cat({padded.narrow(1, 0, steps), x, padded.narrow(1, 2 * distance, steps)}, 2);
}

}  // namespace inferon::estimators
