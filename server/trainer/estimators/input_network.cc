#include "server/trainer/estimators/input_network.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>

#include <array>
#include <vector>

#include "server/trainer/estimators/convolution.h"
#include "server/trainer/estimators/gru.h"

namespace inferon::estimators {
namespace {

constexpr std::int64_t kFeatureHidden = 128;
constexpr std::int64_t kGruHidden = 48;
constexpr std::int64_t kHeadHidden = 128;
constexpr std::size_t kMaxSteps = 64;
constexpr std::size_t kConvolutions = 3;
constexpr std::array<std::int64_t, kConvolutions> kChannels = {16, 32, 48};

class FeatureModule : public InputModule {
 public:
  FeatureModule(std::size_t inputs, std::size_t outputs, bool skip, WeightStore* store)
      : inputs_(inputs),
        outputs_(outputs),
        first_(MakeLinear(store, "input.first", static_cast<std::int64_t>(inputs), kFeatureHidden)),
        second_(MakeLinear(store, "input.second", kFeatureHidden, kFeatureHidden)),
        last_(MakeLinear(store, "input.last", kFeatureHidden, static_cast<std::int64_t>(outputs))) {
    if (!skip) return;
    const auto in = static_cast<std::int64_t>(inputs);
    skip_ = MakeLinear(store, "input.skip", in, static_cast<std::int64_t>(outputs));
  }
  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  at::Tensor operator()(const at::Tensor& x) const override {
    const at::Tensor h = at::silu(first_(x));
    const at::Tensor out = last_(h + at::silu(second_(h)));
    return skip_.weight.defined() ? out + skip_(x) : out;
  }

 private:
  std::size_t inputs_;
  std::size_t outputs_;
  Linear first_, second_, last_;
  Linear skip_;  // Undefined: none.
};

// Points that the convolutions take for a number of steps after the last.
std::size_t PointsFor(std::size_t steps, const std::array<std::size_t, kConvolutions>& strides) {
  for (std::size_t i = kConvolutions; i-- > 0;) steps = strides[i] * (steps + 1);
  return steps;
}

struct Geometry {
  std::array<std::size_t, kConvolutions> strides;
  std::size_t points;  // Padded.
};

Geometry GeometryFor(std::size_t points) {
  std::array<std::size_t, kConvolutions> strides{};
  strides.fill(1);
  for (std::size_t i = 0; PointsFor(kMaxSteps, strides) < points; i = (i + 1) % kConvolutions) {
    strides[i] += 1;
  }
  std::size_t steps = 1;
  while (PointsFor(steps, strides) < points) ++steps;
  return {strides, PointsFor(steps, strides)};
}

// Convolutions, then a GRU. The head sees the last and the mean state, and of every convolution's
// channels the mean and the largest value: rates and extremes need no memory.
class SummaryModule : public InputModule {
 public:
  SummaryModule(std::size_t points, std::size_t outputs, WeightStore* store)
      : geometry_(GeometryFor(points)), outputs_(outputs) {
    std::int64_t in = 1;
    for (std::size_t i = 0; i < kConvolutions; ++i) {
      const std::string name = "input.convolution" + std::to_string(i);
      convolutions_[i] = MakeConvolution(
          store, name, static_cast<std::int64_t>(geometry_.strides[i]), in, kChannels[i]);
      in = kChannels[i];
    }
    gru_ = MakeGru(store, "input.gru", in, kGruHidden);
    std::int64_t pooled = 2 * kGruHidden;
    for (const std::int64_t channels : kChannels) pooled += 2 * channels;
    head_ = MakeLinear(store, "input.head", pooled, kHeadHidden);
    last_ = MakeLinear(store, "input.last", kHeadHidden, static_cast<std::int64_t>(outputs));
  }
  std::size_t inputs() const override { return geometry_.points; }
  std::size_t outputs() const override { return outputs_; }
  at::Tensor operator()(const at::Tensor& x) const override {
    at::Tensor h = x.unsqueeze(2);
    std::vector<at::Tensor> parts;
    for (const Convolution& convolution : convolutions_) {
      h = convolution(h);  // [B, T, C]
      parts.push_back(h.mean(1));
      parts.push_back(h.amax(1));
    }
    const at::Tensor states = gru_(h.transpose(0, 1).contiguous());  // [T, B, H]
    parts.push_back(states.select(0, states.size(0) - 1));
    parts.push_back(states.mean(0));
    const at::Tensor pooled = at::cat(parts, 1);
    return last_(at::silu(head_(pooled)));
  }

 private:
  Geometry geometry_;
  std::size_t outputs_;
  std::array<Convolution, kConvolutions> convolutions_;
  Gru gru_;
  Linear head_, last_;
};

}  // namespace

std::unique_ptr<InputModule> MakeFeatureModule(std::size_t inputs, std::size_t outputs, bool skip,
                                               WeightStore* store) {
  return std::make_unique<FeatureModule>(inputs, outputs, skip, store);
}

std::unique_ptr<InputModule> MakeSummaryModule(std::size_t points, std::size_t outputs,
                                               WeightStore* store) {
  return std::make_unique<SummaryModule>(points, outputs, store);
}

}  // namespace inferon::estimators
