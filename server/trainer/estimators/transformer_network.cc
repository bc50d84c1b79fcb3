#include <ATen/ops/matmul.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <vector>

#include "server/trainer/estimators/layers.h"
#include "server/trainer/estimators/summary_networks.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kMaxTokens = 64;
constexpr std::int64_t kWidth = 64;
constexpr std::int64_t kHeads = 4;
constexpr std::int64_t kInner = 128;  // Of the fully connected part of a block.
constexpr int kBlocks = 3;
constexpr std::int64_t kHeadHidden = 128;
constexpr double kResidualGain = 0.5;  // A block begins as a small change.

struct Attention {
  Linear in;   // [3 width, width]: query, key, value.
  Linear out;  // [width, width]

  at::Tensor operator()(const at::Tensor& x) const {
    const std::int64_t rows = x.size(0), tokens = x.size(1), each = kWidth / kHeads;
    // [3, rows, heads, tokens, each]
    const at::Tensor parts = in(x).view({rows, tokens, 3, kHeads, each}).permute({2, 0, 3, 1, 4});
    const at::Tensor scores =
        at::matmul(parts[0], parts[1].transpose(2, 3)) * (1 / std::sqrt(static_cast<double>(each)));
    const at::Tensor mixed = at::matmul(at::softmax(scores, -1), parts[2]);
    return out(mixed.transpose(1, 2).reshape({rows, tokens, kWidth}));
  }
};

class TransformerModule : public InputModule {
 public:
  TransformerModule(std::size_t points, std::size_t outputs, WeightStore* store)
      : stride_(std::max<std::size_t>(1, (points + kMaxTokens) / (kMaxTokens + 1))),
        tokens_(std::max<std::size_t>(1, (points + stride_ - 1) / stride_ - 1)),
        outputs_(outputs),
        embed_(
            MakeHead(store, "input.token", 2 * static_cast<std::int64_t>(stride_), kWidth, kWidth)),
        position_(store->Add("input.position", {static_cast<std::int64_t>(tokens_), kWidth}, 0.5)) {
    for (int b = 0; b < kBlocks; ++b) {
      const std::string name = "input.block" + std::to_string(b);
      blocks_.push_back(
          {MakeLayerNorm(store, name + ".attention_norm", kWidth),
           {MakeLinear(store, name + ".attention_in", kWidth, 3 * kWidth),
            MakeLinear(store, name + ".attention_out", kWidth, kWidth, kResidualGain)},
           MakeLayerNorm(store, name + ".norm", kWidth),
           {MakeLinear(store, name + ".first", kWidth, kInner),
            MakeLinear(store, name + ".last", kInner, kWidth, kResidualGain)}});
    }
    norm_ = MakeLayerNorm(store, "input.norm", kWidth);
    head_ =
        MakeHead(store, "input.head", 2 * kWidth, kHeadHidden, static_cast<std::int64_t>(outputs));
  }
  std::size_t inputs() const override { return stride_ * (tokens_ + 1); }
  std::size_t outputs() const override { return outputs_; }
  at::Tensor operator()(const at::Tensor& x) const override {
    const auto stride = static_cast<std::int64_t>(stride_);
    at::Tensor h = embed_(x.unfold(1, 2 * stride, stride)) + Beside(position_, x);
    for (const Block& block : blocks_) {
      h = h + block.attention(block.attention_norm(h));
      h = h + block.connected(block.norm(h));
    }
    return head_(MeanAndLargest(norm_(h)));
  }

 private:
  struct Block {
    LayerNorm attention_norm;
    Attention attention;
    LayerNorm norm;
    Head connected;
  };

  std::size_t stride_, tokens_, outputs_;
  Head embed_;
  at::Tensor position_;  // [tokens, width]
  std::vector<Block> blocks_;
  LayerNorm norm_;
  Head head_;
};

}  // namespace

std::unique_ptr<InputModule> MakeTransformerModule(std::size_t points, std::size_t outputs,
                                                   WeightStore* store) {
  return std::make_unique<TransformerModule>(points, outputs, store);
}

}  // namespace inferon::estimators
