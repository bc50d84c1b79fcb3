#include "server/trainer/engine/model_training.h"

#include <fmt/format.h>

#include "server/trainer/estimators/training.h"

namespace inferon::trainer {
namespace {

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
                                     RecipeJson(plan.recipe),
                                     plan.recipe.training.heldout_share};
  return record;
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
  if (Status ok = ApplyConfig(spec.config, &*recipe); !ok) return tl::unexpected(ok.error());
  recipe->training.seed = spec.seed;
  return TrainingPlan{spec, data.info.sha256, std::move(space), std::move(*recipe)};
}

bool IsMadeBy(const ModelRecord& record, const TrainingPlan& plan) {
  return record.simulator && record.dataset_sha256 == plan.data_set_sha256 &&
         record.seed == plan.spec.seed && record.simulator->settings == RecipeJson(plan.recipe);
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
  return TrainedModel{RecordOf(run, result, clock), std::move(*estimator)};
}

void RemoveCheckpoints(const std::filesystem::path& checkpoint) {
  std::error_code ignored;
  std::filesystem::remove(checkpoint, ignored);
  for (std::uint32_t m = 1; m < estimators::kMaxMembers; ++m) {
    std::filesystem::remove(checkpoint.string() + ".member" + std::to_string(m), ignored);
  }
}

}  // namespace inferon::trainer
