// Speed of training, one thread, on synthetic data; the last line is one JSON object.
//
// The flow is the one that Python libraries are measured with: 5 spline transforms of 10 bins,
// hidden layers of 50, 7 parameters, 12 features, batches of 512. plain_torch_ratio compares the
// gradient of that flow, forward and backward, with the same flow in LibTorch's own operators and
// autograd, in this run and on the same rows.
#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdlib>

#include "common/base/philox.h"
#include "server/trainer/estimators/estimators.h"
#include "tests/bench/estimators/cpu_time.h"
#include "tests/bench/estimators/peak.h"
#include "tests/estimators/plain_torch_flow.h"
#include "tests/estimators/random_flow.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kDimension = 7;
constexpr std::size_t kFeatures = 12;
constexpr std::size_t kPoints = 1400;
constexpr std::uint32_t kBatch = 512;

struct Data {
  std::vector<std::uint16_t> codes;
  std::vector<float> x;
};

// Codes with noisy copies of them, column by column in turn.
Data MakeData(std::size_t rows, std::size_t columns) {
  PhiloxSequence random(StreamKey(1, "bench"));
  Data data;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < kDimension; ++j) {
      data.codes.push_back(static_cast<std::uint16_t>(random.Below(1023)));
    }
    for (std::size_t c = 0; c < columns; ++c) {
      const double theta = data.codes[i * kDimension + c % kDimension] / 1023.0;
      data.x.push_back(static_cast<float>(theta + 0.1 * random.Uniform()));
    }
  }
  return data;
}

// Rows trained on a CPU second, in the epochs after the first, which pays for the start.
double TrainingRate(const FlowOptions& flow, std::uint32_t batch, std::size_t rows) {
  const Data data = MakeData(rows, flow.input_columns);
  double first = 0, last = 0;
  TrainingOptions training;
  training.max_epochs = 4;
  training.patience = 10;
  training.batch_size = batch;
  training.progress = [&](const TrainingProgress& p) {
    (p.epoch == 1 ? first : last) = CpuSeconds();
  };
  const auto estimator = TrainDensityEstimator(
      flow, {data.codes, SourceOf({data.x.data(), rows, flow.input_columns})}, training, nullptr);
  if (!estimator) {
    fmt::print(stderr, "{}\n", estimator.error().Text());
    std::exit(1);
  }
  return 3 * (1 - training.heldout_share) * static_cast<double>(rows) / (last - first);
}

FlowOptions FeatureFlow() {
  FlowOptions flow;
  flow.dimension = kDimension;
  flow.input_columns = kFeatures;
  flow.transforms = 5;
  flow.hidden = 50;
  flow.bins = 10;
  return flow;
}

FlowOptions SummaryFlow() {
  FlowOptions flow;
  flow.dimension = kDimension;
  flow.input = InputNetwork::kSummary;
  flow.input_columns = kPoints;
  return flow;
}

// CPU seconds of the fastest of some repeats: other programs only ever slow one down.
template <typename Body>
double BestSeconds(int repeats, Body body) {
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const double start = CpuSeconds();
    body();
    best = std::min(best, CpuSeconds() - start);
  }
  return best;
}

struct GradientSpeed {
  double rows_per_cpu_s, plain_rows_per_cpu_s;
  double operations;  // Of a row's products of matrices, forward and backward.
};

// A product forward and two backward, by the inputs and by the weights; an addition and a
// multiplication each.
double MatrixOperations(const FlowView& flow) {
  double products = 0;
  for (const FlowLayerView& layer : flow.layers) {
    for (const DenseView* dense :
         {&layer.context, &layer.theta, &layer.first, &layer.second, &layer.last}) {
      products += static_cast<double>(dense->inputs * dense->outputs);
    }
  }
  return 3 * 2 * products;
}

GradientSpeed MeasureGradients() {
  RandomFlow flow({.dimension = kDimension, .context = kFeatures});
  const std::vector<float> theta = flow.Theta(kBatch);
  std::vector<float> context = flow.Contexts(kBatch), by_context(context.size());
  FlowGradient gradient(flow.View());
  const double ours = BestSeconds(50, [&] {
    gradient.Add({context.data(), kBatch, kFeatures}, {theta.data(), kBatch, kDimension}, -1,
                 by_context.data());
  });
  const PlainTorchFlow plain(flow.View());
  const at::Tensor points =
      torch::from_blob(const_cast<float*>(theta.data()), {kBatch, kDimension});
  const at::Tensor x = torch::from_blob(context.data(), {kBatch, kFeatures}).clone();
  const double torch_seconds =
      BestSeconds(10, [&] { (-plain.LogDensity(points, x).sum()).backward(); });
  return {kBatch / ours, kBatch / torch_seconds, MatrixOperations(flow.View())};
}

int Run() {
  at::set_num_threads(1);
  const GradientSpeed gradients = MeasureGradients();
  constexpr std::size_t kRows = 40'000;
  const double flow = TrainingRate(FeatureFlow(), kBatch, kRows);
  const double four_times = TrainingRate(FeatureFlow(), kBatch, 4 * kRows);
  const double summary = TrainingRate(SummaryFlow(), 32, 4'000);
  fmt::print(
      "{{\"bench\": \"train\", \"flow_samples_per_cpu_s\": {:.0f}, "
      "\"summary_traces_per_cpu_s\": {:.0f}, \"plain_torch_ratio\": {:.1f}, "
      "\"gradient_rows_per_cpu_s\": {:.0f}, \"plain_torch_gradient_rows_per_cpu_s\": {:.0f}, "
      "\"cost_of_a_sample_at_4n\": {:.3f}, \"gradient_gflops\": {:.1f}, "
      "\"peak_gflops\": {:.1f}, \"transforms\": 5, \"hidden\": 50, \"bins\": 10, "
      "\"batch\": {}, \"rows\": {}, \"points\": {}, \"threads\": 1, \"backend\": \"{}\"}}\n",
      flow, summary, gradients.rows_per_cpu_s / gradients.plain_rows_per_cpu_s,
      gradients.rows_per_cpu_s, gradients.plain_rows_per_cpu_s, flow / four_times,
      1e-9 * gradients.operations * gradients.rows_per_cpu_s, bench::MeasurePeakGflops(), kBatch,
      kRows, kPoints, DescribeBackend());
  return 0;
}

}  // namespace
}  // namespace inferon::estimators

int main(int, char** argv) {
  inferon::estimators::UseWidestBlas(argv);
  return inferon::estimators::Run();
}
