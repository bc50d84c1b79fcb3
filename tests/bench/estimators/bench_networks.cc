// Speed of training the networks on time series on one device; the last line is one JSON object.
// Traces a second are by the clock on the wall, whole training steps with the flow on the CPU.
// Beside them the flow of ./dev bench train, forward and backward, in LibTorch's operators on this
// device: what a flow there would cost.
#include <fmt/format.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "server/trainer/estimators/estimators.h"
#include "tests/estimators/plain_torch_flow.h"
#include "tests/estimators/random_flow.h"
#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kPoints = 1400;
constexpr std::uint32_t kEpochs = 3;

struct Setting {
  SummaryNetwork network;
  std::uint32_t batch;
  std::string device;
};

// Traces a second in the epochs after the first, which pays for the start.
double TraceRate(const Setting& setting, const Toy& toy) {
  FlowOptions flow;
  flow.dimension = toy.dimension;
  flow.input = InputNetwork::kSummary;
  flow.input_columns = kPoints;
  flow.summary_network = setting.network;
  TrainingOptions training;
  training.max_epochs = kEpochs;
  training.batch_size = setting.batch;
  training.device = setting.device;
  SteadyTime first, last;
  training.progress = [&](const TrainingProgress& p) {
    (p.epoch == 1 ? first : last) = SystemClock().Now();
  };
  const auto trained = TrainDensityEstimator(flow, toy.Pairs(), training, nullptr);
  if (!trained) {
    fmt::print(stderr, "{}\n", trained.error().Text());
    std::exit(1);
  }
  const double rows = (1 - training.heldout_share) * static_cast<double>(toy.rows());
  return (kEpochs - 1) * rows / std::chrono::duration<double>(last - first).count();
}

// Rows a second of the plain flow's gradient, best of some repeats.
double PlainFlowRate(const std::string& device, std::size_t batch) {
  constexpr std::size_t kDimension = 7, kContext = 12;
  constexpr int kRepeats = 10;
  RandomFlow random({.dimension = kDimension, .context = kContext});
  const PlainTorchFlow flow(random.View(), at::Device(device));
  const auto on_device = [&](std::vector<float> values, std::size_t columns) {
    const auto n = static_cast<std::int64_t>(batch), c = static_cast<std::int64_t>(columns);
    return torch::from_blob(values.data(), {n, c}).clone().to(at::Device(device));
  };
  const at::Tensor theta = on_device(random.Theta(batch), kDimension);
  const at::Tensor context = on_device(random.Contexts(batch), kContext);
  double best = 1e9;
  for (int i = 0; i < kRepeats; ++i) {
    const SteadyTime start = SystemClock().Now();
    (-flow.LogDensity(theta, context).sum()).backward();
    // Reading a value waits for the device.
    if (!std::isfinite(flow.weights().front().grad().sum().item<double>())) std::abort();
    const std::chrono::duration<double> spent = SystemClock().Now() - start;
    best = std::min(best, spent.count());
  }
  return static_cast<double>(batch) / best;
}

int Run(const std::string& device, std::size_t rows) {
  at::set_num_threads(1);
  const Toy toy = MakeSineToy(rows, kPoints, 1);
  std::vector<std::string> lines;
  for (const std::string_view name : kSummaryNetworkNames) {
    for (const std::uint32_t batch : {32u, 256u}) {
      const double rate = TraceRate({*SummaryNetworkOf(name), batch, device}, toy);
      lines.push_back(fmt::format(
          "{{\"network\": \"{}\", \"batch\": {}, \"traces_per_s\": {:.0f}}}", name, batch, rate));
      fmt::print(stderr, "{}\n", lines.back());
    }
  }
  fmt::print(
      "{{\"bench\": \"networks\", \"device\": \"{}\", \"rows\": {}, \"points\": {}, "
      "\"threads\": 1, \"backend\": \"{}\", \"plain_flow_rows_per_s\": {:.0f}, "
      "\"plain_flow_rows_per_s_at_16384\": {:.0f}, \"networks\": [{}]}}\n",
      device, rows, kPoints, DescribeBackend(), PlainFlowRate(device, 512),
      PlainFlowRate(device, 16'384), fmt::join(lines, ", "));
  return 0;
}

}  // namespace
}  // namespace inferon::estimators

int main(int argc, char** argv) {
  inferon::estimators::UseWidestBlas(argv);
  CLI::App app("Speed of training the networks on time series.");
  std::string device = "cpu";
  std::size_t rows = 2000;
  app.add_option("--device", device, "Where they compute")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--rows", rows, "Traces")->check(CLI::Range(100, 1'000'000));
  CLI11_PARSE(app, argc, argv);
  return inferon::estimators::Run(device, rows);
}
