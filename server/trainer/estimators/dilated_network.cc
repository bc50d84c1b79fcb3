#include <ATen/ops/silu.h>

#include <vector>

#include "server/trainer/estimators/layers.h"
#include "server/trainer/estimators/summary_networks.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kMaxPatches = 256;
constexpr std::int64_t kChannels = 32;
constexpr std::int64_t kHeadHidden = 128;

class DilatedModule : public InputModule {
 public:
  DilatedModule(std::size_t points, std::size_t outputs, WeightStore* store)
      : patch_((points + kMaxPatches - 1) / kMaxPatches),
        patches_((points + patch_ - 1) / patch_),
        outputs_(outputs),
        stem_(MakeLinear(store, "input.stem", static_cast<std::int64_t>(patch_), kChannels)),
        head_(MakeHead(store, "input.head", 2 * kChannels, kHeadHidden,
                       static_cast<std::int64_t>(outputs))) {
    // The reach on each side is the sum of the distances.
    for (std::size_t distance = 1; distance == 1 || 2 * distance <= patches_; distance *= 2) {
      const std::string name = "input.block" + std::to_string(blocks_.size());
      blocks_.push_back({static_cast<std::int64_t>(distance),
                         MakeLayerNorm(store, name + ".norm", kChannels),
                         MakeLinear(store, name + ".convolution", 3 * kChannels, kChannels),
                         MakeLinear(store, name + ".out", kChannels, kChannels, kResidualGain)});
    }
  }
  std::size_t inputs() const override { return patch_ * patches_; }
  std::size_t outputs() const override { return outputs_; }
  at::Tensor operator()(const at::Tensor& x) const override {
    at::Tensor h = at::silu(stem_(x.view(
        {x.size(0), static_cast<std::int64_t>(patches_), static_cast<std::int64_t>(patch_)})));
    for (const Block& block : blocks_) {
      h = h + block.out(at::silu(block.convolution(WithNeighbours(block.norm(h), block.distance))));
    }
    return head_(MeanAndLargest(h));
  }

 private:
  static constexpr double kResidualGain = 0.5;  // A block begins as a small change.
  struct Block {
    std::int64_t distance;
    LayerNorm norm;
    Linear convolution, out;
  };

  std::size_t patch_, patches_, outputs_;
  Linear stem_;
  Head head_;
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<InputModule> MakeDilatedModule(std::size_t points, std::size_t outputs,
                                               WeightStore* store) {
  return std::make_unique<DilatedModule>(points, outputs, store);
}

}  // namespace inferon::estimators
