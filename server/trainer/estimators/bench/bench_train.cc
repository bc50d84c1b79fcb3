// Speed of training and sampling on synthetic data, one thread; prints one JSON line.
#include <time.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "common/base/philox.h"
#include "server/trainer/estimators/estimators.h"

namespace {

using namespace inferon::estimators;

constexpr std::size_t kDimension = 7;

double CpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Data {
  std::vector<std::uint16_t> codes;
  std::vector<float> x;
};

// Codes with noisy copies of them, column by column in turn.
Data MakeData(std::size_t rows, std::size_t columns) {
  inferon::PhiloxSequence random(inferon::StreamKey(1, "bench"));
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

struct Measurement {
  double rows_per_cpu_s = 0;
  std::unique_ptr<DensityEstimator> estimator;
};

// Epochs after the first, which pays for start-up.
Measurement Measure(InputNetwork input, const Data& data, std::size_t rows, std::size_t columns) {
  FlowOptions flow;
  flow.dimension = kDimension;
  flow.input = input;
  flow.input_columns = columns;
  double first = 0;
  double last = 0;
  TrainingOptions training;
  training.max_epochs = 3;
  training.patience = 10;
  training.progress = [&](const TrainingProgress& p) {
    (p.epoch == 1 ? first : last) = CpuSeconds();
  };
  auto estimator = TrainDensityEstimator(
      flow, {data.codes, SourceOf({data.x.data(), rows, columns})}, training, nullptr);
  if (!estimator) {
    std::fprintf(stderr, "%s\n", estimator.error().Text().c_str());
    std::exit(1);
  }
  return {2.0 * 0.9 * static_cast<double>(rows) / (last - first), std::move(*estimator)};
}

double ClassifierRowsPerSecond() {
  const std::size_t rows = 60'000;
  inferon::PhiloxSequence random(inferon::StreamKey(2, "bench"));
  std::vector<float> theta;
  std::vector<std::uint8_t> relevant;
  for (std::size_t i = 0; i < rows * kDimension; ++i) {
    theta.push_back(static_cast<float>(random.Uniform()));
  }
  for (std::size_t i = 0; i < rows; ++i) relevant.push_back(theta[i * kDimension] > 0.9f);
  ClassifierOptions options;
  options.dimension = kDimension;
  TrainingOptions training;
  training.max_epochs = 1;
  auto classifier = TrainClassifier(options, {theta.data(), 4096, kDimension},
                                    std::span(relevant).first(4096), training, nullptr);
  if (!classifier) std::exit(1);
  const double start = CpuSeconds();
  (*classifier)->Score({theta.data(), rows, kDimension});
  return static_cast<double>(rows) / (CpuSeconds() - start);
}

}  // namespace

int main(int, char** argv) {
  UseWidestBlas(argv);
  const Data features = MakeData(20'000, 12);
  const Measurement flow = Measure(InputNetwork::kFeatures, features, 20'000, 12);
  const Data traces = MakeData(5'000, 1400);
  const Measurement summary = Measure(InputNetwork::kSummary, traces, 5'000, 1400);
  const std::span<const float> x(traces.x.data(), 1400);
  summary.estimator->Sample(x, 1000, 1, 0, nullptr);
  double start = CpuSeconds();
  summary.estimator->Sample(x, 1000, 1, 0, nullptr);
  const double thousand = CpuSeconds() - start;
  start = CpuSeconds();
  summary.estimator->Sample(x, 20'000, 1, 0, nullptr);
  const double many = CpuSeconds() - start;
  std::printf(
      "{\"flow_samples_per_cpu_s\": %.0f, \"summary_traces_per_cpu_s\": %.0f, "
      "\"draws_per_cpu_s\": %.0f, \"draws1000_cpu_ms\": %.2f, "
      "\"classifier_rows_per_cpu_s\": %.0f}\n",
      flow.rows_per_cpu_s, summary.rows_per_cpu_s, 20'000 / many, 1e3 * thousand,
      ClassifierRowsPerSecond());
  return 0;
}
