#include <ATen/ops/cat.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <vector>

#include "server/trainer/estimators/layers.h"
#include "server/trainer/estimators/summary_networks.h"

namespace inferon::estimators {
namespace {

constexpr std::int64_t kFilters = 32;
constexpr std::int64_t kStates = 128;  // Of each direction.
constexpr std::int64_t kSkip = 4;
constexpr std::int64_t kDirections = 2;

// Both directions' last states, [n, 2 states], of a sequence [n, steps, channels].
class BidirectionalGru {
 public:
  BidirectionalGru(WeightStore* store, const std::string& name, std::int64_t in) {
    const double bound = std::sqrt(1.0 / static_cast<double>(kStates));
    for (const char* direction : {".forward", ".backward"}) {
      const std::string own = name + direction;
      weights_.push_back(
          store->Add(own + ".input", {3 * kStates, in}, std::sqrt(3.0 / static_cast<double>(in))));
      weights_.push_back(store->Add(own + ".recurrent", {3 * kStates, kStates}, bound));
      weights_.push_back(store->Add(own + ".input_bias", {3 * kStates}, 0));
      weights_.push_back(store->Add(own + ".recurrent_bias", {3 * kStates}, 0));
    }
  }
  at::Tensor operator()(const at::Tensor& x) const {
    std::vector<at::Tensor> weights;
    for (const at::Tensor& weight : weights_) weights.push_back(Beside(weight, x));
    const at::Tensor start = at::zeros({kDirections, x.size(0), kStates}, x.options());
    const auto [states, last] =
        at::gru(x, start, weights, /*has_biases=*/true, /*num_layers=*/1, /*dropout=*/0,
                KeepsForBackward(), /*bidirectional=*/true, /*batch_first=*/true);
    return at::cat({last[0], last[1]}, 1);
  }

 private:
  std::vector<at::Tensor> weights_;
};

class PaperModule : public InputModule {
 public:
  PaperModule(std::size_t points, std::size_t outputs, WeightStore* store)
      : points_((points + kSkip - 1) / kSkip * kSkip),
        outputs_(outputs),
        convolution_(MakeLinear(store, "input.convolution", 3, kFilters)),
        skip_(MakeLinear(store, "input.skip", kSkip * kFilters, kSkip * kFilters)),
        every_(store, "input.gru", kFilters),
        some_(store, "input.skip_gru", kSkip * kFilters),
        last_(MakeLinear(store, "input.last", 2 * kDirections * kStates,
                         static_cast<std::int64_t>(outputs))) {}
  std::size_t inputs() const override { return points_; }
  std::size_t outputs() const override { return outputs_; }
  at::Tensor operator()(const at::Tensor& x) const override {
    const at::Tensor h = at::mish(convolution_(WithNeighbours(x.unsqueeze(2), 1)));
    const at::Tensor skipped =
        at::mish(skip_(h.view({h.size(0), h.size(1) / kSkip, kSkip * kFilters})));
    return last_(at::cat({every_(h), some_(skipped)}, 1));
  }

 private:
  std::size_t points_, outputs_;
  Linear convolution_, skip_;
  BidirectionalGru every_, some_;
  Linear last_;
};

}  // namespace

std::unique_ptr<InputModule> MakePaperModule(std::size_t points, std::size_t outputs,
                                             WeightStore* store) {
  return std::make_unique<PaperModule>(points, outputs, store);
}

}  // namespace inferon::estimators
