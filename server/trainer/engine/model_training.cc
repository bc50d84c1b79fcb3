#include "server/trainer/engine/model_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/trainer/estimators/training.h"
#include "server/trainer/registry/repair.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRepairRows = 2000;

// What a density over the space gains on the held-out rows when it is one over the parameters' own
// units.
double MeanLogDerivative(const TrainingPlan& plan, const StoredDataSet& data) {
  const auto split = estimators::SplitRows(data.info.rows, plan.recipe.training);
  double sum = 0;
  for (const std::uint32_t row : split.heldout)
    sum += plan.space.LogDerivative(data.theta.Row(row));
  return sum / static_cast<double>(split.heldout.size());
}

ModelRecord RecordOf(const TrainingRun& run, const estimators::TrainingResult& result,
                     const Clock& clock) {
  const TrainingPlan& plan = run.plan;
  ModelRecord record;
  record.id = plan.spec.model;
  record.input = run.data.info.spec.traces ? "summary" : "features";
  record.create_time = clock.WallNow();
  record.parameters = run.data.info.spec.prior.Names();
  record.training_count = run.data.info.rows;
  record.dataset_sha256 = plan.data_set_sha256;
  record.epochs = result.epochs;
  record.heldout_log_density = MeanLogDerivative(plan, run.data) - result.best_heldout_loss;
  record.seed = plan.spec.seed;
  record.simulator = SimulatorRecord{plan.spec.data_set,
                                     run.data.info.spec.prior,
                                     plan.space.MapsText(),
                                     run.data.info.spec.columns,
                                     run.data.info.spec.traces,
                                     plan.Settings(),
                                     plan.recipe.training.heldout_share};
  return record;
}

// A config without its key "repair".
struct Config {
  std::string rest;
  bool repair = false;
};
Result<Config> TakeRepair(const std::string& text) {
  json j = json::parse(text, nullptr, false);
  if (!j.is_object() || !j.contains("repair")) return Config{text, false};  // Checked later.
  if (!j["repair"].is_boolean()) {
    return InvalidArgument("repair is neither true nor false",
                           "Give \"repair\": true or leave it out");
  }
  const bool repair = j["repair"].get<bool>();
  j.erase("repair");
  return Config{j.empty() ? "" : j.dump(), repair};
}

std::string FitRepairOf(const TrainingRun& run, const estimators::DensityEstimator& estimator) {
  const TrainingPlan& plan = run.plan;
  const auto split = estimators::SplitRows(run.data.info.rows, plan.recipe.training);
  const std::vector<std::uint32_t> rows = RepairRows(split.heldout);
  std::vector<float> theta;
  for (const std::uint32_t row : rows) {
    const std::vector<float> point = plan.space.Centres(run.data.theta.Row(row));
    theta.insert(theta.end(), point.begin(), point.end());
  }
  const estimators::RowSource all = run.data.XSource();
  const estimators::RowSource x{rows.size(), all.columns,
                                [&](std::span<const std::uint32_t> indices, float* out) {
                                  std::vector<std::uint32_t> wanted;
                                  for (const std::uint32_t i : indices) wanted.push_back(rows[i]);
                                  all.fill(wanted, out);
                                }};
  return RepairJson(FitRepair(estimator, x, {theta.data(), rows.size(), plan.space.dimension()},
                              plan.space.Axes()));
}

}  // namespace

Result<TrainingPlan> PlanTraining(const TrainSpec& spec, const StoredDataSet& data) {
  if (data.info.rows < kLeastTrainingRows) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("data set {} has {} rows, too few to train on", data.info.spec.id,
                            data.info.rows),
                fmt::format("Import at least {}; thousands are usual", kLeastTrainingRows));
  }
  ThetaSpace space = ThetaSpace::Fit(data.info.spec.prior, data.theta.values());
  auto recipe = DefaultRecipe(spec.estimator, {data.info.rows, data.info.spec.columns, space.Axes(),
                                               data.info.spec.traces});
  if (!recipe) return tl::unexpected(recipe.error());
  auto config = TakeRepair(spec.config);
  if (!config) return tl::unexpected(config.error());
  if (Status ok = ApplyConfig(config->rest, &*recipe); !ok) return tl::unexpected(ok.error());
  recipe->training.seed = spec.seed;
  return TrainingPlan{spec, data.info.sha256, std::move(space), std::move(*recipe), config->repair};
}

std::string TrainingPlan::Settings() const {
  if (!repair) return RecipeJson(recipe);
  json settings = json::parse(RecipeJson(recipe));
  settings["repair"] = true;
  return settings.dump();
}

std::vector<std::uint32_t> RepairRows(std::span<const std::uint32_t> heldout) {
  const auto rows = heldout.subspan(heldout.size() / 2);
  const auto most = rows.first(std::min(rows.size(), kMostRepairRows));
  return {most.begin(), most.end()};
}

bool IsMadeBy(const ModelRecord& record, const TrainingPlan& plan) {
  return record.simulator && record.dataset_sha256 == plan.data_set_sha256 &&
         record.seed == plan.spec.seed && record.simulator->settings == plan.Settings();
}

Result<TrainedModel> TrainSimulatorModel(const TrainingRun& run, EstimatorFactory& factory,
                                         const Clock& clock) {
  const TrainingPlan& plan = run.plan;
  estimators::TrainingOptions training = plan.recipe.training;
  training.threads = run.threads;
  training.checkpoint = run.checkpoint;
  training.stop = run.stop;
  if (run.progress) {
    training.progress = [&](const estimators::TrainingProgress& p) {
      run.progress({p.epoch, p.max_epochs, p.training_loss, p.heldout_loss, p.rows_per_second});
    };
  }
  const std::vector<float> u = plan.space.ToSpace(run.data.theta.values());
  const estimators::PairData pairs{{},
                                   run.data.XSource(),
                                   {u.data(), run.data.info.rows, plan.space.dimension()},
                                   plan.space.Cells()};
  estimators::TrainingResult result;
  auto estimator = factory.TrainDensityEstimator(plan.recipe.flow, pairs, training, &result);
  if (!estimator) return tl::unexpected(estimator.error());
  TrainedModel trained{RecordOf(run, result, clock), std::move(*estimator)};
  if (plan.repair) trained.record.simulator->repair = FitRepairOf(run, *trained.estimator);
  return trained;
}

void RemoveCheckpoints(const std::filesystem::path& checkpoint) {
  std::error_code ignored;
  std::filesystem::remove(checkpoint, ignored);
  for (std::uint32_t m = 1; m < estimators::kMaxMembers; ++m) {
    std::filesystem::remove(checkpoint.string() + ".member" + std::to_string(m), ignored);
  }
}

}  // namespace inferon::trainer
