#include "server/trainer/estimators/flow_estimator.h"

#include <algorithm>

#include "common/base/check.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

std::int64_t Signed(std::size_t n) { return static_cast<std::int64_t>(n); }

class FlowEstimator : public StoredEstimator {
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

  std::string Architecture() const override { return network_->Architecture(); }
  void Put(TensorFile* file) const override { network_->Save(file); }

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

}  // namespace

std::unique_ptr<StoredEstimator> MakeFlowEstimator(std::unique_ptr<DensityNetwork> network) {
  return std::make_unique<FlowEstimator>(std::move(network));
}

Result<std::unique_ptr<StoredEstimator>> LoadFlow(const std::string& architecture,
                                                  const TensorFile& file) {
  auto parsed = ArchitectureFromJson(architecture);
  if (!parsed) return tl::unexpected(parsed.error());
  const ComputeScope scope(1);
  auto network = std::make_unique<DensityNetwork>(std::move(*parsed), 0);
  if (auto status = network->Load(file); !status) return tl::unexpected(status.error());
  return MakeFlowEstimator(std::move(network));
}

}  // namespace inferon::estimators
