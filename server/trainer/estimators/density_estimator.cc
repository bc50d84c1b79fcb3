// Training, inference and storage of the conditional density.
#include <ATen/ops/sum.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/hash.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/training.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kTile = 256;      // Rows that are always computed together.
constexpr std::size_t kTraceRows = 64;  // As many traces through the convolutions as fit the cache.
constexpr std::uint16_t kLargestCode = 1022;
constexpr float kCodes = 1023;
constexpr std::size_t kScalingRows = 100'000;  // At most, of features.
constexpr std::size_t kScalingTraces = 4'000;  // At most, of traces.
constexpr std::size_t kOutlierRows = 20'000;   // At most.
constexpr std::uint64_t kHeldoutEpoch = 0xFFFFFFFFu;

std::int64_t Signed(std::size_t n) { return static_cast<std::int64_t>(n); }

class FlowEstimator : public DensityEstimator {
 public:
  explicit FlowEstimator(std::unique_ptr<DensityNetwork> network) : network_(std::move(network)) {
    network_->store().Freeze();
  }

  std::size_t dimension() const override { return network_->options().dimension; }
  std::size_t input_columns() const override { return network_->options().input_columns; }
  std::size_t weight_count() const override { return network_->weight_count(); }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    const std::size_t d = dimension();
    const PhiloxKey key = StreamKey(seed, "posterior");
    const auto conditions = Condition(x);
    std::vector<float> draws(count * d);
    if (log_density != nullptr) log_density->assign(count, 0);
    const std::uint64_t end = first_draw + count;
    for (std::uint64_t tile = first_draw / kTile; tile * kTile < end && count > 0; ++tile) {
      at::Tensor theta = EmptyTensor({Signed(kTile), Signed(d)});
      FillUniform(key, 0, tile * kTile * d, {MutableData(theta), kTile * d});
      const at::Tensor density = network_->flow().Draw(&theta, conditions);
      const std::uint64_t from = std::max(first_draw, tile * kTile);
      const std::uint64_t to = std::min(end, (tile + 1) * kTile);
      for (std::uint64_t i = from; i < to; ++i) {
        const float* row = Data(theta) + (i - tile * kTile) * d;
        std::copy_n(row, d, draws.data() + (i - first_draw) * d);
        if (log_density != nullptr) {
          (*log_density)[i - first_draw] = Data(density)[i - tile * kTile];
        }
      }
    }
    return draws;
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension());
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    const auto conditions = Condition(x);
    std::vector<double> result(theta.rows);
    for (std::size_t at = 0; at < theta.rows; at += kTile) {
      const std::size_t n = std::min(kTile, theta.rows - at);
      const at::Tensor density = network_->flow().LogDensity(ThetaTile(theta, at, n), conditions);
      std::copy_n(Data(density), n, result.begin() + Signed(at));
    }
    return result;
  }

  std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension() && x.columns == input_columns());
    INFERON_CHECK(x.rows == theta.rows);
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    std::vector<double> result(theta.rows);
    std::vector<std::uint32_t> rows(kTile);
    std::vector<float> raw(kTile * x.columns);
    for (std::size_t at = 0; at < theta.rows; at += kTile) {
      const std::size_t n = std::min(kTile, theta.rows - at);
      for (std::size_t i = 0; i < kTile; ++i) {
        rows[i] = static_cast<std::uint32_t>(at + std::min(i, n - 1));
      }
      x.fill(rows, raw.data());
      const at::Tensor context = network_->Context(network_->Scale(raw.data(), kTile));
      const at::Tensor density = network_->flow().LogDensity(ThetaTile(theta, at, n), context);
      std::copy_n(Data(density), n, result.begin() + Signed(at));
    }
    return result;
  }

  double OutlierScore(std::span<const float> x) const override {
    INFERON_CHECK(x.size() == input_columns());
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    return network_->outliers().Score(network_->OutlierRows(x.data(), 1));
  }

  std::string Save(const std::filesystem::path& weights) const override {
    TensorFile file;
    file.metadata = {{"format", "inferon-density-1"}};
    network_->Save(&file);
    WriteFileAtomically(weights, EncodeTensors(file));
    return network_->Architecture();
  }

 private:
  std::vector<at::Tensor> Condition(std::span<const float> x) const {
    INFERON_CHECK(x.size() == input_columns());
    return network_->flow().Condition(network_->Context(network_->Scale(x.data(), 1)));
  }

  // Rows at..at+n of theta, filled up to a tile with the last of them.
  at::Tensor ThetaTile(MatrixView theta, std::size_t at, std::size_t n) const {
    at::Tensor tile = EmptyTensor({Signed(kTile), Signed(theta.columns)});
    for (std::size_t i = 0; i < kTile; ++i) {
      const auto row = theta.Row(at + std::min(i, n - 1));
      std::copy(row.begin(), row.end(), MutableData(tile) + i * theta.columns);
    }
    return tile;
  }

  std::unique_ptr<DensityNetwork> network_;
};

// Joins network and data for the training loop.
class FlowTrainee : public Trainee {
 public:
  FlowTrainee(DensityNetwork& network, const PairData& data, std::uint64_t seed)
      : network_(network),
        data_(data),
        key_(StreamKey(seed, "dequantise")),
        most_(network.options().input == InputNetwork::kSummary ? kTraceRows : kTile) {}

  const std::vector<WeightSpan>& Weights() override { return network_.store().Spans(); }

  double Step(std::span<const std::uint32_t> rows, std::uint32_t epoch) override {
    network_.store().ZeroGradients();
    const double scale = -1.0 / static_cast<double>(rows.size());
    double total = 0;
    for (std::size_t at = 0; at < rows.size(); at += most_) {
      const auto part = rows.subspan(at, std::min(most_, rows.size() - at));
      const at::Tensor loss = LogDensity(part, epoch).sum() * scale;
      loss.backward();
      total += loss.item<double>();
    }
    return total;
  }

  double HeldoutLoss(std::span<const std::uint32_t> rows) override {
    const c10::InferenceMode inference;
    return -LogDensity(rows, kHeldoutEpoch).sum().item<double>();
  }

 private:
  at::Tensor LogDensity(std::span<const std::uint32_t> rows, std::uint64_t epoch) {
    const std::size_t d = network_.options().dimension;
    raw_.resize(rows.size() * data_.x.columns);
    data_.x.fill(rows, raw_.data());
    const at::Tensor theta = EmptyTensor({Signed(rows.size()), Signed(d)});
    float* out = MutableData(theta);
    for (const std::uint32_t row : rows) {
      FillUniform(key_, epoch, std::uint64_t{row} * d, {out, d});
      for (std::size_t j = 0; j < d; ++j, ++out) {
        *out = (static_cast<float>(data_.theta_codes[row * d + j]) + *out) / kCodes;
      }
    }
    const at::Tensor context = network_.Context(network_.Scale(raw_.data(), rows.size()));
    return network_.flow().LogDensity(theta, context);
  }

  DensityNetwork& network_;
  const PairData& data_;
  const PhiloxKey key_;
  const std::size_t most_;  // Rows whose gradient is computed at once.
  std::vector<float> raw_;
};

Status CheckPairs(const FlowOptions& options, const PairData& data) {
  const std::size_t rows = data.x.rows;
  if (data.x.columns != options.input_columns) {
    return InvalidArgument("x has " + std::to_string(data.x.columns) +
                               " columns, the options say " + std::to_string(options.input_columns),
                           "give both the same number of columns");
  }
  if (data.theta_codes.size() != rows * options.dimension) {
    return InvalidArgument("theta has " + std::to_string(data.theta_codes.size()) + " codes for " +
                               std::to_string(rows) + " rows of x",
                           "give " + std::to_string(options.dimension) + " codes for each row");
  }
  const auto bad = std::find_if(data.theta_codes.begin(), data.theta_codes.end(),
                                [](std::uint16_t code) { return code > kLargestCode; });
  if (bad != data.theta_codes.end()) {
    const auto at = static_cast<std::size_t>(bad - data.theta_codes.begin());
    return InvalidArgument("theta code " + std::to_string(*bad) + " in row " +
                               std::to_string(at / options.dimension) + " is out of range",
                           "codes are 0..1022");
  }
  return {};
}

// A trace with a value that is not finite cannot be trained on; a feature like that is missing.
Status CheckTraces(const RowSource& x) {
  std::vector<std::uint32_t> rows;
  std::vector<float> raw(kTile * x.columns);
  for (std::size_t at = 0; at < x.rows; at += kTile) {
    rows.resize(std::min(kTile, x.rows - at));
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(at));
    x.fill(rows, raw.data());
    for (std::size_t i = 0; i < rows.size() * x.columns; ++i) {
      if (std::isfinite(raw[i])) continue;
      return InvalidArgument("the trace of row " + std::to_string(at + i / x.columns) +
                                 " holds a value that is not finite at point " +
                                 std::to_string(i % x.columns),
                             "interpolate or leave out such traces");
    }
  }
  return {};
}

// Some training rows (they are in random order), row-major.
std::vector<float> FirstRows(const RowSource& x, std::span<const std::uint32_t> rows,
                             std::size_t most) {
  rows = rows.first(std::min(most, rows.size()));
  std::vector<float> raw(rows.size() * x.columns);
  x.fill(rows, raw.data());
  return raw;
}

// Digest of all codes and of a few hundred rows of x: enough to tell two data sets apart.
std::string DescribePairs(const PairData& data) {
  Sha256 digest;
  const auto codes = data.theta_codes;
  digest.Update({reinterpret_cast<const char*>(codes.data()), codes.size_bytes()});
  constexpr std::size_t kRows = 256;
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < std::min(kRows, data.x.rows); ++i) {
    rows.push_back(static_cast<std::uint32_t>(i * data.x.rows / std::min(kRows, data.x.rows)));
  }
  const std::vector<float> raw = FirstRows(data.x, rows, kRows);
  digest.Update({reinterpret_cast<const char*>(raw.data()), raw.size() * sizeof(float)});
  return std::to_string(data.x.rows) + " " + digest.Hex();
}

void FitOutliers(const RowSource& x, std::span<const std::uint32_t> training,
                 DensityNetwork* network) {
  const c10::InferenceMode inference;
  const std::size_t count = std::min(kOutlierRows, training.size());
  std::vector<float> rows;
  for (std::size_t at = 0; at < count; at += kTile) {
    const std::size_t n = std::min(kTile, count - at);
    const std::vector<float> raw = FirstRows(x, training.subspan(at, n), n);
    const std::vector<float> part = network->OutlierRows(raw.data(), n);
    rows.insert(rows.end(), part.begin(), part.end());
  }
  network->FitOutliers({rows.data(), count, network->OutlierColumns()});
}

}  // namespace

RowSource SourceOf(MatrixView matrix) {
  return {matrix.rows, matrix.columns,
          [matrix](std::span<const std::uint32_t> indices, float* out) {
            for (const std::uint32_t row : indices) {
              out = std::copy_n(matrix.data + row * matrix.columns, matrix.columns, out);
            }
          }};
}

Result<std::unique_ptr<DensityEstimator>> TrainDensityEstimator(const FlowOptions& options,
                                                                const PairData& data,
                                                                const TrainingOptions& training,
                                                                TrainingResult* result) {
  Status status = CheckFlowOptions(options);
  if (status) status = CheckTrainingOptions(training, data.x.rows);
  if (status) status = CheckPairs(options, data);
  if (status && options.input == InputNetwork::kSummary) status = CheckTraces(data.x);
  if (!status) return tl::unexpected(status.error());

  const ComputeScope scope(training.threads);
  const RowSplit split = SplitRows(data.x.rows, training);
  auto network = std::make_unique<DensityNetwork>(
      FlowArchitecture{options,
                       CouplingMasks(options.dimension, options.transforms, training.seed)},
      training.seed);
  {
    const std::size_t most =
        options.input == InputNetwork::kSummary ? kScalingTraces : kScalingRows;
    const std::vector<float> rows = FirstRows(data.x, split.training, most);
    network->FitScaling({rows.data(), rows.size() / data.x.columns, data.x.columns});
  }
  FlowTrainee trainee(*network, data, training.seed);
  const std::string description =
      DescribeTraining(training, network->Architecture(), DescribePairs(data));
  status = Train(trainee, split, training, description, SystemClock(), result);
  if (!status) return tl::unexpected(status.error());
  FitOutliers(data.x, split.training, network.get());
  return std::make_unique<FlowEstimator>(std::move(network));
}

Result<std::unique_ptr<DensityEstimator>> LoadDensityEstimator(
    const std::string& architecture_json, const std::filesystem::path& weights) {
  auto architecture = ArchitectureFromJson(architecture_json);
  if (!architecture) return tl::unexpected(architecture.error());
  auto file = ReadTensors(weights);
  if (!file) return tl::unexpected(file.error());
  const ComputeScope scope(1);
  auto network = std::make_unique<DensityNetwork>(std::move(*architecture), 0);
  if (auto status = network->Load(*file); !status) return tl::unexpected(status.error());
  return std::make_unique<FlowEstimator>(std::move(network));
}

}  // namespace inferon::estimators
