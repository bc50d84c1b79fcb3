// Optional repair of a trained posterior: its draws are shifted and scaled about their own centre,
// by factors that maximise the log density of held-out pairs (a proper score, so that a posterior
// that is right is left alone). Draws and densities stay consistent and exact, and draws stay in
// the box; what it cannot change is a posterior's shape on the line. At an end of a unit column
// where the posterior does not vanish, the repaired density goes as u^(1 / scale - 1).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

// In the estimator's space, unit columns as logits. With mean m and deviation s of a number of
// draws for x, z becomes m + shift * s + scale * (z - m).
struct Repair {
  std::vector<double> scale;  // [dimension] > 0
  std::vector<double> shift;  // [dimension]
  std::uint64_t pairs = 0;    // Held-out pairs of the fit.
  double gain = 0;            // Mean log density of these pairs that it gained, nats.
};

// JSON object for model.json and back; kDataLoss where it is damaged. Empty for one without gain.
std::string RepairJson(const Repair& repair);
Result<Repair> RepairFromJson(const std::string& text, std::size_t dimension);

// `x` and `theta` are pairs that the estimator was not trained on, as many rows each. Axes by
// column; empty: all kUnit. Where the gain is within chance, or there are fewer than ten pairs for
// each parameter, all factors are 1, all shifts 0 and the gain is 0. kCancelled on stop.
Result<Repair> FitRepair(const estimators::DensityEstimator& estimator,
                         const estimators::RowSource& x, estimators::MatrixView theta,
                         const std::vector<estimators::Axis>& axes, std::stop_token stop = {});

// FitRepair on the second half of a training's held-out rows of x; the first is left to check it.
// 2000 rows at most, and 500 of an estimator whose density is approximate, because that costs most.
// `theta` gives the point of a row.
Result<Repair> FitHeldoutRepair(const estimators::DensityEstimator& estimator,
                                const estimators::RowSource& x,
                                const std::function<std::vector<float>(std::uint32_t row)>& theta,
                                std::span<const std::uint32_t> heldout,
                                const std::vector<estimators::Axis>& axes, std::stop_token stop);

// Saves as `inner` does: the repair is kept apart.
std::unique_ptr<estimators::DensityEstimator> MakeRepairedEstimator(
    std::unique_ptr<estimators::DensityEstimator> inner, Repair repair,
    std::vector<estimators::Axis> axes);

}  // namespace inferon::trainer
