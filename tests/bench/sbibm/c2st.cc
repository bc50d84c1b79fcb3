#include "tests/bench/sbibm/c2st.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/base/check.h"
#include "common/base/philox.h"
#include "tests/bench/sbibm/matrix.h"

namespace inferon::sbibm {
namespace {

constexpr std::size_t kFolds = 5;
constexpr std::size_t kBatch = 200;
constexpr std::size_t kMaxEpochs = 1000;
constexpr float kRate = 1e-3f, kBeta1 = 0.9f, kBeta2 = 0.999f, kEpsilon = 1e-8f;
constexpr float kDecay = 1e-4f;
constexpr double kTolerance = 1e-4;
constexpr std::size_t kPatience = 10;

std::size_t Padded(std::size_t n) { return (n + kLane - 1) / kLane * kLane; }

void Shuffle(std::vector<std::uint32_t>& order, PhiloxSequence& random) {
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.Below(static_cast<std::uint32_t>(i))]);
  }
}

// A dense layer; rows of weights are inputs, columns outputs padded with zeros to whole lanes.
struct Layer {
  std::size_t in, out, width;
  std::vector<float> weights, bias, grad_weights, grad_bias, m, v, mb, vb;

  Layer(std::size_t inputs, std::size_t outputs, PhiloxSequence& random)
      : in(inputs), out(outputs), width(Padded(outputs)) {
    const std::size_t n = in * width;
    for (auto* a : {&weights, &grad_weights, &m, &v}) a->assign(n, 0);
    for (auto* a : {&bias, &grad_bias, &mb, &vb}) a->assign(width, 0);
    const double bound = std::sqrt(6.0 / static_cast<double>(in + out));
    const auto draw = [&] { return static_cast<float>(bound * (2 * random.Uniform() - 1)); };
    for (std::size_t i = 0; i < in; ++i) {
      for (std::size_t j = 0; j < out; ++j) weights[i * width + j] = draw();
    }
    for (std::size_t j = 0; j < out; ++j) bias[j] = draw();
  }

  void Update(float step) {
    AdamArray(weights.size(), grad_weights.data(), step, weights.data(), m.data(), v.data());
    AdamArray(bias.size(), grad_bias.data(), step, bias.data(), mb.data(), vb.data());
  }
  static void AdamArray(std::size_t n, const float* g, float step, float* w, float* m, float* v) {
    AdamUpdate(n, g, {step, kBeta1, kBeta2, kEpsilon}, w, m, v);
  }
};

// Rows of the network's input, padded to whole lanes, with their labels.
struct Rows {
  std::size_t width = 0;
  std::vector<float> x;  // [n, width]
  std::vector<float> label;
};

class Network {
 public:
  Network(std::size_t d, PhiloxSequence& random)
      : first_(d, 10 * d, random), second_(10 * d, 10 * d, random), last_(10 * d, 1, random) {}

  // One step; returns the sum of the losses of the rows, with the penalty as scikit-learn has it.
  double Step(const Rows& rows, std::span<const std::uint32_t> order) {
    Forward(rows, order);
    const std::size_t n = order.size();
    delta_.assign(n * last_.width, 0);
    double loss = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const float z = out_[i * last_.width];
      const float y = rows.label[order[i]];
      loss += std::log1p(std::exp(-std::abs(z))) + std::max(z, 0.0f) - z * y;
      delta_[i * last_.width] = (1 / (1 + std::exp(-z)) - y) / static_cast<float>(n);
    }
    loss += 0.5 * kDecay * (Squares(first_) + Squares(second_) + Squares(last_));
    Backward(n);
    ++step_;
    const auto t = static_cast<float>(step_);
    const float rate = kRate * std::sqrt(1 - std::pow(kBeta2, t)) / (1 - std::pow(kBeta1, t));
    first_.Update(rate);
    second_.Update(rate);
    last_.Update(rate);
    return loss;
  }

  std::size_t CountCorrect(const Rows& rows, std::span<const std::uint32_t> order) {
    std::size_t correct = 0;
    for (std::size_t at = 0; at < order.size(); at += kBatch) {
      const auto part = order.subspan(at, std::min(kBatch, order.size() - at));
      Forward(rows, part);
      for (std::size_t i = 0; i < part.size(); ++i) {
        correct += (out_[i * last_.width] > 0) == (rows.label[part[i]] > 0.5f);
      }
    }
    return correct;
  }

 private:
  static double Squares(const Layer& layer) {
    return SumSquares(layer.weights.size(), layer.weights.data());
  }

  static void Apply(const Layer& layer, std::size_t n, const std::vector<float>& in,
                    std::size_t in_width, std::vector<float>& out) {
    out.resize(n * layer.width);
    for (std::size_t i = 0; i < n; ++i) {
      std::copy(layer.bias.begin(), layer.bias.end(),
                out.begin() + static_cast<std::ptrdiff_t>(i * layer.width));
    }
    AddProduct(n, layer.in, layer.width, in.data(), in_width, layer.weights.data(), out.data());
  }

  void Forward(const Rows& rows, std::span<const std::uint32_t> order) {
    const std::size_t n = order.size();
    in_.resize(n * rows.width);
    for (std::size_t i = 0; i < n; ++i) {
      std::copy_n(rows.x.data() + order[i] * rows.width, rows.width, in_.data() + i * rows.width);
    }
    in_width_ = rows.width;
    Apply(first_, n, in_, rows.width, h1_);
    Rectify(h1_.size(), h1_.data());
    Apply(second_, n, h1_, first_.width, h2_);
    Rectify(h2_.size(), h2_.data());
    Apply(last_, n, h2_, second_.width, out_);
  }

  // Gradients of one layer from delta at its outputs; delta at its inputs where `below` is given.
  void LayerGradient(Layer& layer, std::size_t n, const std::vector<float>& in,
                     std::size_t in_width, const std::vector<float>& delta,
                     std::vector<float>* below) {
    transposed_.resize(in_width * n);
    Transpose(n, in_width, in.data(), transposed_.data());
    Scale(layer.weights.size(), kDecay / static_cast<float>(n), layer.weights.data(),
          layer.grad_weights.data());
    AddProduct(layer.in, n, layer.width, transposed_.data(), n, delta.data(),
               layer.grad_weights.data());
    SumRows(n, layer.width, delta.data(), layer.grad_bias.data());
    if (below == nullptr) return;
    // The weights' transpose has rows as wide as the input's padded rows.
    weights_.assign(layer.out * in_width, 0);
    TransposeInto(layer.in, layer.out, layer.width, layer.weights.data(), in_width,
                  weights_.data());
    below->assign(n * in_width, 0);
    AddProduct(n, layer.out, in_width, delta.data(), layer.width, weights_.data(), below->data());
    Mask(below->size(), in.data(), below->data());
  }

  void Backward(std::size_t n) {
    LayerGradient(last_, n, h2_, second_.width, delta_, &delta2_);
    LayerGradient(second_, n, h1_, first_.width, delta2_, &delta1_);
    LayerGradient(first_, n, in_, in_width_, delta1_, nullptr);
  }

  Layer first_, second_, last_;
  std::uint64_t step_ = 0;
  std::size_t in_width_ = 0;
  std::vector<float> in_, h1_, h2_, out_, delta_, delta1_, delta2_, transposed_, weights_;
};

Rows MakeRows(std::span<const double> reference, std::span<const double> sample, std::size_t d) {
  const std::size_t n = reference.size() / d;
  std::vector<double> mean(d, 0), deviation(d, 0);
  for (std::size_t i = 0; i < reference.size(); ++i)
    mean[i % d] += reference[i] / static_cast<double>(n);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    deviation[i % d] += (reference[i] - mean[i % d]) * (reference[i] - mean[i % d]);
  }
  for (double& v : deviation) v = std::sqrt(v / static_cast<double>(n - 1));
  Rows rows{Padded(d), std::vector<float>(2 * n * Padded(d), 0), {}};
  for (std::size_t i = 0; i < 2 * n; ++i) {
    const double* from = i < n ? reference.data() + i * d : sample.data() + (i - n) * d;
    for (std::size_t j = 0; j < d; ++j) {
      rows.x[i * rows.width + j] = static_cast<float>((from[j] - mean[j]) / deviation[j]);
    }
    rows.label.push_back(i < n ? 0.0f : 1.0f);
  }
  return rows;
}

double Accuracy(const Rows& rows, std::vector<std::uint32_t> training,
                std::span<const std::uint32_t> test, std::size_t d, PhiloxSequence& random) {
  Network network(d, random);
  double best = 1e300;
  std::size_t without = 0;
  for (std::size_t epoch = 0; epoch < kMaxEpochs && without <= kPatience; ++epoch) {
    Shuffle(training, random);
    double loss = 0;
    for (std::size_t at = 0; at < training.size(); at += kBatch) {
      loss += network.Step(rows,
                           std::span(training).subspan(at, std::min(kBatch, training.size() - at)));
    }
    loss /= static_cast<double>(training.size());
    without = loss > best - kTolerance ? without + 1 : 0;
    best = std::min(best, loss);
  }
  return static_cast<double>(network.CountCorrect(rows, test)) / static_cast<double>(test.size());
}

}  // namespace

double C2st(std::span<const double> reference, std::span<const double> sample, std::size_t d,
            std::uint64_t seed) {
  INFERON_CHECK(reference.size() == sample.size() && reference.size() / d >= kFolds);
  const Rows rows = MakeRows(reference, sample, d);
  PhiloxSequence random(StreamKey(seed, "c2st"));
  std::vector<std::uint32_t> order(rows.label.size());
  std::iota(order.begin(), order.end(), 0u);
  Shuffle(order, random);
  double sum = 0;
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    const std::size_t from = fold * order.size() / kFolds, to = (fold + 1) * order.size() / kFolds;
    std::vector<std::uint32_t> training(order.begin(),
                                        order.begin() + static_cast<std::ptrdiff_t>(from));
    training.insert(training.end(), order.begin() + static_cast<std::ptrdiff_t>(to), order.end());
    sum +=
        Accuracy(rows, std::move(training), std::span(order).subspan(from, to - from), d, random);
  }
  return sum / kFolds;
}

}  // namespace inferon::sbibm
