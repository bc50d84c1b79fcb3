#include "server/trainer/estimators/trials.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>

#include <utility>

namespace inferon::estimators {
namespace {

class PooledModule : public InputModule {
 public:
  PooledModule(std::unique_ptr<InputModule> one, std::size_t trials, MissingFlags missing)
      : one_(std::move(one)), trials_(static_cast<std::int64_t>(trials)), missing_(missing) {}
  std::size_t inputs() const override { return one_->inputs() * static_cast<std::size_t>(trials_); }
  std::size_t outputs() const override { return one_->outputs() + 1; }
  at::Tensor operator()(const at::Tensor& x) const override {
    const auto width = static_cast<std::int64_t>(one_->inputs());
    const at::Tensor each = (*one_)(x.view({x.size(0) * trials_, width}));
    const at::Tensor counts = Counts(x.view({x.size(0), trials_, width}));  // [n, trials, 1]
    const at::Tensor sum = (each.view({x.size(0), trials_, -1}) * counts).sum(1);
    const at::Tensor number = counts.sum(1);
    return at::cat({sum / number.clamp_min(1), number / static_cast<double>(trials_)}, 1);
  }

 private:
  at::Tensor Counts(const at::Tensor& trials) const {
    if (missing_.count == 0) return at::ones({trials.size(0), trials_, 1}, trials.options());
    const at::Tensor flags = trials.narrow(2, static_cast<std::int64_t>(missing_.first),
                                           static_cast<std::int64_t>(missing_.count));
    return 1 - flags.amin(2, /*keepdim=*/true);
  }

  const std::unique_ptr<InputModule> one_;
  const std::int64_t trials_;
  const MissingFlags missing_;
};

}  // namespace

std::unique_ptr<InputModule> MakePooledModule(std::unique_ptr<InputModule> one, std::size_t trials,
                                              MissingFlags missing) {
  return std::make_unique<PooledModule>(std::move(one), trials, missing);
}

}  // namespace inferon::estimators
