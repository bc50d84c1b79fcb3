#include "server/trainer/estimators/field_training.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/field_lanes.h"
#include "server/trainer/estimators/flow_block.h"
#include "server/trainer/estimators/pairs.h"
#include "server/trainer/estimators/path.h"
#include "server/trainer/estimators/stored_estimator.h"

namespace inferon::estimators {
namespace {

constexpr std::uint64_t kHeldoutEpoch = 0xFFFFFFFFu;
constexpr double kGolden = 0.6180339887498949;  // Its multiples fill [0, 1) evenly.

std::int64_t Signed(std::size_t n) { return static_cast<std::int64_t>(n); }

class FieldTrainee : public Trainee {
 public:
  FieldTrainee(DensityNetwork& network, const PairData& data, std::uint64_t seed)
      : network_(network),
        data_(data),
        path_(network.options().family, network.options().dimension, network.options().axes),
        dequantise_(StreamKey(seed, "dequantise")),
        noise_(StreamKey(seed, "noise")),
        most_(network.options().input == InputNetwork::kSummary ? network.trace_rows() : kTile) {}

  const std::vector<WeightSpan>& Weights() override { return network_.store().Spans(); }

  double Step(std::span<const std::uint32_t> rows, std::uint32_t epoch) override {
    network_.store().ZeroGradients();
    FieldGradient& gradient = Gradient();
    const float weight = 1.0f / static_cast<float>(rows.size() * path_.dimension());
    double total = 0;
    for (std::size_t at = 0; at < rows.size(); at += most_) {
      const auto part = rows.subspan(at, std::min(most_, rows.size() - at));
      const at::Tensor context = ContextOf(part);
      MakeExamples(part, epoch, epoch, context);
      by_condition_.resize(condition_.size());
      total += gradient.Add(Examples(part.size()), weight, by_condition_.data());
      context.backward(ContextGradient(part.size(), static_cast<std::size_t>(context.size(1))));
    }
    return total * double{weight};
  }

  double HeldoutLoss(std::span<const std::uint32_t> rows) override {
    const c10::InferenceMode inference;
    const at::Tensor context = ContextOf(rows);
    double total = 0;
    for (std::size_t k = 0; k < kHeldoutNoises; ++k) {
      MakeExamples(rows, kHeldoutEpoch, kHeldoutEpoch + k, context);
      total += Gradient().Loss(Examples(rows.size()));
    }
    return total / static_cast<double>(kHeldoutNoises * path_.dimension());
  }

 private:
  static MatrixView View(const std::vector<float>& values, std::size_t rows) {
    return {values.data(), rows, values.size() / rows};
  }

  FieldGradient::Rows Examples(std::size_t rows) const {
    return {View(condition_, rows), View(input_, rows), View(gate_, rows), View(target_, rows)};
  }

  FieldGradient& Gradient() {
    if (!gradient_) gradient_ = std::make_unique<FieldGradient>(network_.field().View());
    return *gradient_;
  }

  at::Tensor ContextOf(std::span<const std::uint32_t> rows) {
    raw_.resize(rows.size() * data_.x.columns);
    data_.x.fill(rows, raw_.data());
    return network_.Context(network_.Scale(raw_.data(), rows.size())).contiguous();
  }

  // Fills condition_, input_, gate_ and target_.
  void MakeExamples(std::span<const std::uint32_t> rows, std::uint64_t epoch, std::uint64_t part,
                    const at::Tensor& context) {
    const std::size_t d = path_.dimension(), c = static_cast<std::size_t>(context.size(1));
    theta_.resize(rows.size() * d);
    FillTheta(data_, d, rows, dequantise_, epoch, theta_.data());
    condition_.resize(rows.size() * (c + kTimeColumns));
    input_.resize(rows.size() * d);
    gate_.resize(rows.size() * d);
    target_.resize(rows.size() * d);
    std::vector<float> uniform(d + 1), state(d);
    std::vector<double> noise(d);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      FillUniform(noise_, part, std::uint64_t{rows[i]} * (d + 1), uniform);
      for (std::size_t j = 0; j < d; ++j) noise[j] = NormalQuantile(uniform[j] + 0x1.0p-25);
      const double tau = TauOf(rows[i], part);
      float* condition = condition_.data() + i * (c + kTimeColumns);
      condition = std::copy_n(Data(context) + i * c, c, condition);
      DescribeTime(tau, condition);
      path_.Enter(theta_.data() + i * d, state.data());
      path_.Example(state.data(), noise.data(), tau, input_.data() + i * d, gate_.data() + i * d,
                    target_.data() + i * d);
    }
  }

  // Over the epochs a row sees all of the path evenly.
  double TauOf(std::uint32_t row, std::uint64_t part) const {
    float start = 0;
    FillUniform(noise_, 0xFFFFFFFFFFFFFFFFu, row, {&start, 1});
    const double tau = start + kGolden * static_cast<double>(part % (1u << 24));
    return tau - std::floor(tau);
  }

  at::Tensor ContextGradient(std::size_t rows, std::size_t columns) const {
    const at::Tensor gradient = EmptyTensor({Signed(rows), Signed(columns)});
    for (std::size_t i = 0; i < rows; ++i) {
      std::copy_n(by_condition_.data() + i * (columns + kTimeColumns), columns,
                  MutableData(gradient) + i * columns);
    }
    return gradient;
  }

  DensityNetwork& network_;
  const PairData& data_;
  const Path path_;
  const PhiloxKey dequantise_, noise_;
  const std::size_t most_;                   // Rows whose gradient is computed at once.
  std::unique_ptr<FieldGradient> gradient_;  // Looks at the network's weights and gradients.
  std::vector<float> raw_, theta_, condition_, input_, gate_, target_, by_condition_;
};

}  // namespace

std::unique_ptr<Trainee> MakeFieldTrainee(DensityNetwork& network, const PairData& data,
                                          std::uint64_t seed) {
  return std::make_unique<FieldTrainee>(network, data, seed);
}

}  // namespace inferon::estimators
