// Named weights of a network: made from a seed, trained, saved and loaded by name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/philox.h"
#include "common/base/result.h"
#include "server/trainer/estimators/optimizer.h"
#include "server/trainer/estimators/safetensors.h"
#include "server/trainer/estimators/tensors.h"

namespace inferon::estimators {

class WeightStore {
 public:
  // Weights start from the seed.
  explicit WeightStore(std::uint64_t seed);

  // Adds a weight, uniform in [-bound, bound). A name is used once.
  at::Tensor Add(const std::string& name, std::vector<std::int64_t> shape, double bound);

  // All weights with gradients, in order of addition; the first call allocates the gradients.
  const std::vector<WeightSpan>& Spans();
  void ZeroGradients();
  // No gradients from here on.
  void Freeze();

  std::size_t count() const;
  void Save(TensorFile* file) const;
  // kDataLoss when a weight is missing, of another shape or not finite.
  Status Load(const TensorFile& file);

 private:
  struct Entry {
    std::string name;
    std::vector<std::int64_t> shape;
    at::Tensor tensor;
  };
  PhiloxKey key_;
  std::vector<Entry> entries_;
  std::vector<WeightSpan> spans_;
};

// A weight where x lies; with the gradient to where it is kept.
inline at::Tensor Beside(const at::Tensor& weight, const at::Tensor& x) {
  return x.is_cpu() ? weight : weight.to(x.device());
}

// y = x W' + b.
struct Linear {
  at::Tensor weight;  // [out, in]
  at::Tensor bias;    // [out]
  at::Tensor operator()(const at::Tensor& x) const;
};

// A layer whose outputs have the variance of its inputs, times gain squared.
Linear MakeLinear(WeightStore* store, const std::string& name, std::int64_t in, std::int64_t out,
                  double gain = 1);

}  // namespace inferon::estimators
