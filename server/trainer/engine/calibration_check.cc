#include "server/trainer/engine/calibration_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "server/trainer/engine/theta_posterior.h"
#include "server/trainer/estimators/training.h"
#include "server/trainer/statistics/calibration.h"
#include "server/trainer/statistics/calibration_tests.h"

namespace inferon::trainer {
namespace {

constexpr std::uint64_t kLeastPairs = 20;
constexpr std::uint64_t kMostPairs = 10'000;
constexpr std::uint64_t kLeastDraws = 50;
constexpr std::uint64_t kMostCheckDraws = 10'000;
constexpr double kLeastContraction = 0.05;  // Less in every parameter: x says nothing.
constexpr std::uint64_t kMostGuessRows = 4000;
constexpr std::uint64_t kMostGuessValues = 20'000'000;  // Of x.
constexpr std::size_t kLocalDraws = 2000;               // At the observation of the spec.

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
  if (!spec.x.empty() && spec.x.size() != simulator.columns) {
    return InvalidArgument(fmt::format("the observation has {} values, model {} wants {}",
                                       spec.x.size(), model.record.id, simulator.columns),
                           "Give an observation as the simulator makes them");
  }
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
  if (own && !model.record.repair.empty()) rows.resize(rows.size() / 2);  // FitHeldoutRepair
  if (!own) rows.insert(rows.end(), split.training.begin(), split.training.end());
  rows.resize(std::min<std::size_t>(rows.size(), pairs));
  return rows;
}

// What the tests know about an observation without asking the model: a regression on rows of
// `data` that are not in `tested` (ascending or not).
statistics::ThetaGuess FitGuess(const StoredDataSet& data, const std::set<std::uint32_t>& tested) {
  const std::uint64_t columns = data.x.columns();
  const std::uint64_t most =
      std::max(kLeastPairs, std::min(kMostGuessRows, kMostGuessValues / columns));
  std::vector<double> theta;
  std::vector<float> x;
  std::uint64_t rows = 0;
  for (std::uint64_t row = 0; row < data.info.rows && rows < most; ++row) {
    if (tested.contains(static_cast<std::uint32_t>(row))) continue;
    const auto t = data.theta.Row(row);
    const auto seen = data.x.Row(row);
    theta.insert(theta.end(), t.begin(), t.end());
    x.insert(x.end(), seen.begin(), seen.end());
    ++rows;
  }
  return statistics::ThetaGuess::Fit(theta, data.theta.columns(), x, columns);
}

class Calibration {
 public:
  Calibration(const LoadedModel& model, const StoredDataSet& data, const CalibrationSpec& spec,
              statistics::ThetaGuess guess)
      : model_(model), data_(data), spec_(spec), tests_(std::move(guess), spec.seed) {}

  Result<CalibrationReport> Run(const std::vector<std::uint32_t>& rows, std::stop_token stop) {
    for (const std::uint32_t row : rows) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the check was cancelled");
      AddPair(row);
    }
    return Report();
  }

 private:
  void AddPair(std::uint32_t row) {
    const auto truth = data_.theta.Row(row);
    const auto x = data_.x.Row(row);
    const ThetaDraws draws =
        DrawTheta(*model_.estimator, *model_.space, x, spec_.draws, spec_.seed + row, 0);
    const double density = LogDensityOfTheta(*model_.estimator, *model_.space, x, truth)[0];
    log_density_ += density;
    tests_.Add(row, {truth, x, draws.theta, density, draws.log_density});
  }

  CalibrationReport Report() {
    const statistics::CalibrationResult result = tests_.Finish();
    CalibrationReport report;
    report.pairs = result.pairs;
    report.draws = result.draws;
    report.mean_log_density = log_density_ / static_cast<double>(result.pairs);
    bool informed = false;
    for (std::size_t j = 0; j < result.parameters.size(); ++j) {
      const statistics::ParameterTests& p = result.parameters[j];
      report.parameters.push_back({model_.record.parameters[j], p.ks_p_value,
                                   result.tests[2 * j].adjusted, p.contraction, p.mean_z,
                                   p.band_p_value, p.log_gamma, p.recovery});
      informed = informed || p.contraction >= kLeastContraction;
    }
    report.coverage_p_value = result.coverage_p_value;
    report.tarp_p_value = result.tarp_p_value;
    report.area_to_curve = result.atc;
    report.classifier_p_value = result.classifier_p_value;
    report.smallest_p_value = result.smallest_adjusted;
    report.calibrated = result.calibrated();
    report.verdict = result.Verdict(model_.record.parameters);
    for (int k = 1; k <= 19; ++k) {
      report.levels.push_back({0.05 * k, statistics::Coverage(result.levels, 0.05 * k)});
    }
    report.ranks = result.ranks;
    report.density_levels = result.levels;
    report.tarp_levels = result.tarp_levels;
    for (const auto& point : result.band) {
      report.band.push_back({point.place, point.low, point.high});
    }
    if (!spec_.x.empty()) report.local_p_value = LocalPValue();
    if (!informed) {
      report.warnings.push_back(
          "no posterior is narrower than the prior: the model has learned nothing from x");
    }
    return report;
  }

  double LocalPValue() const {
    const ThetaDraws draws =
        DrawTheta(*model_.estimator, *model_.space, spec_.x, kLocalDraws, spec_.seed, 0);
    return tests_.LocalPValue(spec_.x, draws.theta);
  }

  const LoadedModel& model_;
  const StoredDataSet& data_;
  const CalibrationSpec& spec_;
  statistics::CalibrationTests tests_;
  double log_density_ = 0;
};

}  // namespace

Result<CalibrationReport> CheckCalibration(const LoadedModel& model, const StoredDataSet& data,
                                           const StoredDataSet& own, const CalibrationSpec& spec,
                                           std::stop_token stop) {
  if (Status ok = CheckSpec(model, data, spec); !ok) return tl::unexpected(ok.error());
  if (data.info.rows < 2 * kLeastPairs) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("data set {} has {} rows only", data.info.spec.id, data.info.rows),
                fmt::format("A check needs at least {}", 2 * kLeastPairs));
  }
  std::vector<std::uint32_t> rows = ChooseRows(model, data, spec.pairs);
  const bool same = data.info.sha256 == own.info.sha256;
  // The guess needs rows of its own.
  if (same) rows.resize(std::min<std::size_t>(rows.size(), data.info.rows * 2 / 3));
  const std::set<std::uint32_t> tested =
      same ? std::set<std::uint32_t>(rows.begin(), rows.end()) : std::set<std::uint32_t>();
  auto report = Calibration(model, data, spec, FitGuess(own, tested)).Run(rows, stop);
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
