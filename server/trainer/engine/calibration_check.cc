#include "server/trainer/engine/calibration_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/trainer/engine/theta_posterior.h"
#include "server/trainer/estimators/training.h"
#include "server/trainer/statistics/calibration.h"

namespace inferon::trainer {
namespace {

constexpr std::uint64_t kLeastPairs = 20;
constexpr std::uint64_t kMostPairs = 10'000;
constexpr std::uint64_t kLeastDraws = 50;
constexpr std::uint64_t kMostCheckDraws = 10'000;
constexpr double kLevel = 0.01;             // Of each test.
constexpr double kLeastContraction = 0.05;  // Less in every parameter: x says nothing.

Status CheckSpec(const LoadedModel& model, const StoredDataSet& data, const CalibrationSpec& spec) {
  if (spec.pairs < kLeastPairs || spec.pairs > kMostPairs) {
    return InvalidArgument(fmt::format("{} pairs are asked for", spec.pairs),
                           fmt::format("Choose {} to {}", kLeastPairs, kMostPairs));
  }
  if (spec.draws < kLeastDraws || spec.draws > kMostCheckDraws) {
    return InvalidArgument(fmt::format("{} draws are asked for", spec.draws),
                           fmt::format("Choose {} to {}", kLeastDraws, kMostCheckDraws));
  }
  const SimulatorRecord& simulator = *model.record.simulator;
  if (data.info.spec.prior == simulator.prior && data.info.spec.columns == simulator.columns) {
    return {};
  }
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("data set {} has not the prior and columns of model {}",
                          data.info.spec.id, model.record.id),
              "Check it with pairs of the same simulator and prior");
}

// Rows to check with: those held out of the training where the data are the model's own.
std::vector<std::uint32_t> ChooseRows(const LoadedModel& model, const StoredDataSet& data,
                                      std::uint64_t pairs) {
  estimators::TrainingOptions training;
  training.seed = model.record.seed;
  const bool own = data.info.sha256 == model.record.dataset_sha256;
  training.heldout_share = own ? model.record.simulator->heldout_share : 0.5;
  estimators::RowSplit split = estimators::SplitRows(data.info.rows, training);
  std::vector<std::uint32_t> rows = std::move(split.heldout);
  if (!own) rows.insert(rows.end(), split.training.begin(), split.training.end());
  rows.resize(std::min<std::size_t>(rows.size(), pairs));
  return rows;
}

// Sums over the pairs for one parameter.
struct Column {
  std::vector<std::uint32_t> ranks;
  std::vector<double> truths;
  double variance = 0, z = 0;
};

struct Moments {
  double mean = 0, variance = 0;
};

Moments MomentsOf(std::span<const double> values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / n;
  for (const double v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  return m;
}

class Calibration {
 public:
  Calibration(const LoadedModel& model, const StoredDataSet& data, const CalibrationSpec& spec)
      : model_(model),
        data_(data),
        spec_(spec),
        random_(StreamKey(spec.seed, "calibration")),
        columns_(model.dimension()) {}

  Result<CalibrationReport> Run(const std::vector<std::uint32_t>& rows, std::stop_token stop) {
    for (const std::uint32_t row : rows) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the check was cancelled");
      AddPair(row);
    }
    return Report(rows.size());
  }

 private:
  void AddPair(std::uint32_t row) {
    const std::size_t d = columns_.size();
    const auto truth = data_.theta.Row(row);
    const auto x = data_.x.Row(row);
    const ThetaDraws draws =
        DrawTheta(*model_.estimator, *model_.space, x, spec_.draws, spec_.seed + row, 0);
    const double density = LogDensityOfTheta(*model_.estimator, *model_.space, x, truth)[0];
    log_density_ += density;
    levels_.push_back(statistics::HighestDensityLevel(density, draws.log_density));
    std::vector<double> values(draws.size());
    for (std::size_t j = 0; j < d; ++j) {
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = draws.theta[i * d + j];
      const Moments moments = MomentsOf(values);
      Column& column = columns_[j];
      column.ranks.push_back(statistics::RankOf(truth[j], values, random_));
      column.truths.push_back(truth[j]);
      column.variance += moments.variance;
      if (moments.variance > 0) {
        column.z += (moments.mean - truth[j]) / std::sqrt(moments.variance);
      }
    }
  }

  CalibrationReport Report(std::size_t pairs) {
    CalibrationReport report;
    const auto n = static_cast<double>(pairs);
    report.pairs = pairs;
    report.draws = spec_.draws;
    report.mean_log_density = log_density_ / n;
    std::vector<double> p_values;
    bool informed = false;
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      const Column& column = columns_[j];
      CalibrationParameter p;
      p.name = model_.record.parameters[j];
      p.ks_p_value = statistics::KolmogorovSmirnovUniform(
          statistics::RanksToUnit(column.ranks, static_cast<std::uint32_t>(spec_.draws), random_));
      const double prior_variance = MomentsOf(column.truths).variance;
      p.contraction = prior_variance > 0 ? 1 - column.variance / n / prior_variance : 0;
      p.mean_z = column.z / n;
      informed = informed || p.contraction >= kLeastContraction;
      p_values.push_back(p.ks_p_value);
      report.parameters.push_back(p);
    }
    report.coverage_p_value = statistics::KolmogorovSmirnovUniform(levels_);
    p_values.push_back(report.coverage_p_value);
    const std::vector<double> adjusted = statistics::HolmAdjust(p_values);
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      report.parameters[j].adjusted_p_value = adjusted[j];
    }
    report.calibrated = *std::min_element(adjusted.begin(), adjusted.end()) > kLevel;
    for (int k = 1; k <= 19; ++k) {
      report.levels.push_back({0.05 * k, statistics::Coverage(levels_, 0.05 * k)});
    }
    if (!informed) {
      report.warnings.push_back(
          "no posterior is narrower than the prior: the model has learned nothing from x");
    }
    return report;
  }

  const LoadedModel& model_;
  const StoredDataSet& data_;
  const CalibrationSpec& spec_;
  PhiloxSequence random_;
  std::vector<Column> columns_;
  std::vector<double> levels_;
  double log_density_ = 0;
};

}  // namespace

Result<CalibrationReport> CheckCalibration(const LoadedModel& model, const StoredDataSet& data,
                                           const CalibrationSpec& spec, std::stop_token stop) {
  if (Status ok = CheckSpec(model, data, spec); !ok) return tl::unexpected(ok.error());
  if (data.info.rows < 2 * kLeastPairs) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("data set {} has {} rows only", data.info.spec.id, data.info.rows),
                fmt::format("A check needs at least {}", 2 * kLeastPairs));
  }
  const std::vector<std::uint32_t> rows = ChooseRows(model, data, spec.pairs);
  auto report = Calibration(model, data, spec).Run(rows, stop);
  if (!report) return report;
  report->source =
      data.info.sha256 == model.record.dataset_sha256
          ? fmt::format("rows of data set {} held out of the training", data.info.spec.id)
          : fmt::format("data set {}", data.info.spec.id);
  if (rows.size() < spec.pairs) {
    report->warnings.push_back(fmt::format("there are {} pairs only", rows.size()));
  }
  return report;
}

}  // namespace inferon::trainer
