#include "server/trainer/estimators/weights.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/base/check.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {

WeightStore::WeightStore(std::uint64_t seed) : key_(StreamKey(seed, "weights")) {}

at::Tensor WeightStore::Add(const std::string& name, std::vector<std::int64_t> shape,
                            double bound) {
  INFERON_CHECK(spans_.empty());
  at::Tensor tensor = at::empty(shape, Floats());
  const std::span<float> values(MutableData(tensor), static_cast<std::size_t>(tensor.numel()));
  FillUniform(key_, entries_.size(), 0, values);
  for (float& v : values) v = static_cast<float>(bound) * (2 * v - 1);
  entries_.push_back({name, std::move(shape), tensor});
  return tensor;
}

const std::vector<WeightSpan>& WeightStore::Spans() {
  if (!spans_.empty()) return spans_;
  for (Entry& entry : entries_) {
    entry.tensor.set_requires_grad(true);
    entry.tensor.mutable_grad() = at::zeros(entry.shape, Floats());
    const auto n = static_cast<std::size_t>(entry.tensor.numel());
    spans_.push_back({entry.name,
                      entry.shape,
                      {MutableData(entry.tensor), n},
                      {MutableData(entry.tensor.grad()), n},
                      entry.shape.size() > 1});
  }
  return spans_;
}

void WeightStore::ZeroGradients() {
  for (const WeightSpan& span : spans_) std::fill(span.gradient.begin(), span.gradient.end(), 0.0f);
}

void WeightStore::Freeze() {
  spans_.clear();
  for (Entry& entry : entries_) {
    entry.tensor.mutable_grad() = at::Tensor();
    entry.tensor.set_requires_grad(false);
  }
}

std::size_t WeightStore::count() const {
  std::size_t count = 0;
  for (const Entry& entry : entries_) count += static_cast<std::size_t>(entry.tensor.numel());
  return count;
}

void WeightStore::Save(TensorFile* file) const {
  for (const Entry& entry : entries_) {
    file->Put(entry.name, entry.shape,
              {Data(entry.tensor), static_cast<std::size_t>(entry.tensor.numel())});
  }
}

Status WeightStore::Load(const TensorFile& file) {
  for (Entry& entry : entries_) {
    auto values = file.Floats(entry.name, entry.shape);
    if (!values) return tl::unexpected(values.error());
    if (!std::all_of(values->begin(), values->end(), [](float v) { return std::isfinite(v); })) {
      return Fail(ErrorCode::kDataLoss, "weight \"" + entry.name + "\" is not finite",
                  "restore the model's folder from a copy or train the model again");
    }
    std::memcpy(MutableData(entry.tensor), values->data(), values->size() * sizeof(float));
  }
  return {};
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return at::linear(x, Beside(weight, x), Beside(bias, x));
}

Linear MakeLinear(WeightStore* store, const std::string& name, std::int64_t in, std::int64_t out,
                  double gain) {
  const double bound = gain * std::sqrt(3.0 / static_cast<double>(std::max<std::int64_t>(in, 1)));
  return {store->Add(name + ".weight", {out, in}, bound), store->Add(name + ".bias", {out}, 0)};
}

}  // namespace inferon::estimators
