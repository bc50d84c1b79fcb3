#include "server/trainer/engine/model_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/trainer/estimators/training.h"
#include "server/trainer/registry/repair.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

constexpr const char* kBaseKey = "from";      // In a model's settings.
constexpr const char* kBaseSuffix = ".base";  // Weights that a training goes on from.

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
  record.settings = plan.Settings();
  record.simulator = SimulatorRecord{plan.spec.data_set,        run.data.info.spec.prior,
                                     plan.space.MapsText(),     run.data.info.spec.columns,
                                     run.data.info.spec.traces, plan.recipe.training.heldout_share};
  return record;
}

Result<std::string> FitRepairOf(const TrainingRun& run,
                                const estimators::DensityEstimator& estimator) {
  const TrainingPlan& plan = run.plan;
  const auto split = estimators::SplitRows(run.data.info.rows, plan.recipe.training);
  const auto centre = [&](std::uint32_t row) {
    return plan.space.Centres(run.data.theta.Row(row));
  };
  return FitHeldoutRepair(estimator, run.data.XSource(), centre, split.heldout, plan.space.Axes(),
                          run.stop)
      .map(RepairJson);
}

Status CheckRows(const StoredDataSet& data, std::uint64_t least) {
  if (data.info.rows >= least) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("data set {} has {} rows, too few to train on", data.info.spec.id,
                          data.info.rows),
              fmt::format("Import at least {}; thousands are usual", least));
}

Status CheckBase(const StoredDataSet& data, const ModelRecord& base) {
  const DataSetSpec& own = data.info.spec;
  const SimulatorRecord& other = *base.simulator;
  if (own.prior == other.prior && own.columns == other.columns && own.traces == other.traces) {
    return {};
  }
  return Fail(
      ErrorCode::kFailedPrecondition,
      fmt::format("data set {} has another prior or other columns than model {}", own.id, base.id),
      "Import it with the model's own prior file and the same columns of x");
}

// The base's recipe with the settings of a fine-tuning: a tenth of its learning rate, more rows
// held out because there are few.
Result<Recipe> TuningRecipe(const ModelRecord& base, const TrainingShape& shape) {
  json settings = json::parse(base.settings);
  const auto standard = DefaultRecipe(settings.value("estimator", std::string()), shape);
  if (!standard) return standard;
  const estimators::TrainingOptions& rules = standard->training;
  settings.erase("device");
  settings.erase("repair");
  settings.erase(kBaseKey);
  auto recipe = RecipeFromJson(settings.dump(), shape);
  if (!recipe) return recipe;
  recipe->training.learning_rate /= 10;
  recipe->training.max_epochs = rules.max_epochs;
  recipe->training.patience = rules.patience;
  recipe->training.plateau_epochs = rules.plateau_epochs;
  recipe->training.cooldown_epochs = rules.cooldown_epochs;
  recipe->training.batch_size = rules.batch_size;
  recipe->training.heldout_share = 0.2;
  return recipe;
}

bool SameNetworks(const estimators::FlowOptions& a, const estimators::FlowOptions& b) {
  return a.transforms == b.transforms && a.hidden == b.hidden && a.bins == b.bins &&
         a.members == b.members && a.summaries == b.summaries && a.trials == b.trials &&
         a.summary_network == b.summary_network;
}

}  // namespace

Result<TrainingPlan> PlanTraining(const TrainSpec& spec, const StoredDataSet& data) {
  if (Status ok = CheckRows(data, kLeastTrainingRows); !ok) return tl::unexpected(ok.error());
  ThetaSpace space = ThetaSpace::Fit(data.info.spec.prior, data.theta.values());
  auto recipe = DefaultRecipe(spec.estimator, {data.info.rows, data.info.spec.columns, space.Axes(),
                                               data.info.spec.traces});
  if (!recipe) return tl::unexpected(recipe.error());
  if (Status ok = ApplyConfig(spec.config, &*recipe); !ok) return tl::unexpected(ok.error());
  recipe->training.seed = spec.seed;
  return TrainingPlan{spec, data.info.sha256, std::move(space), std::move(*recipe), {}, {}};
}

Result<TrainingPlan> PlanTuning(const TrainSpec& spec, const StoredDataSet& data,
                                const ModelRecord& base) {
  if (Status ok = CheckRows(data, kLeastTuningRows); !ok) return tl::unexpected(ok.error());
  if (Status ok = CheckBase(data, base); !ok) return tl::unexpected(ok.error());
  auto space = ThetaSpace::Load(data.info.spec.prior, base.simulator->maps);
  if (!space) return tl::unexpected(space.error());
  auto recipe = TuningRecipe(
      base, {data.info.rows, data.info.spec.columns, space->Axes(), data.info.spec.traces});
  if (!recipe) return tl::unexpected(recipe.error());
  if (!spec.estimator.empty() && spec.estimator != recipe->estimator) {
    return InvalidArgument(fmt::format("model {} is of estimator {}, not {}", base.id,
                                       recipe->estimator, spec.estimator),
                           "Leave --estimator out: a fine-tuned model keeps its base's");
  }
  const estimators::FlowOptions before = recipe->flow;
  if (Status ok = ApplyConfig(spec.config, &*recipe); !ok) return tl::unexpected(ok.error());
  if (!SameNetworks(before, recipe->flow)) {
    return InvalidArgument("the configuration changes the networks of a model that is fine-tuned",
                           "Change settings of the training only, such as learning_rate");
  }
  recipe->training.seed = spec.seed;
  TrainSpec named = spec;
  named.base = base.id;  // It may have been asked for by an alias.
  return TrainingPlan{std::move(named),   data.info.sha256,  std::move(*space),
                      std::move(*recipe), base.architecture, base.weights_sha256};
}

std::string TrainingPlan::Settings() const {
  if (spec.base.empty()) return RecipeJson(recipe);
  json settings = json::parse(RecipeJson(recipe));
  settings[kBaseKey] = {{"model", spec.base}, {"weights_sha256", base_weights_sha256}};
  return settings.dump();
}

std::string BaseOf(const std::string& settings) {
  const json all = json::parse(settings, nullptr, false);
  if (!all.is_object() || !all.contains(kBaseKey) || !all[kBaseKey].is_object()) return {};
  return all[kBaseKey].value("model", std::string());
}

bool IsMadeBy(const ModelRecord& record, const TrainingPlan& plan) {
  return record.simulator && record.dataset_sha256 == plan.data_set_sha256 &&
         record.seed == plan.spec.seed && record.settings == plan.Settings();
}

Result<TrainedModel> TrainSimulatorModel(const TrainingRun& run, EstimatorFactory& factory,
                                         const Clock& clock) {
  const TrainingPlan& plan = run.plan;
  estimators::TrainingOptions training = plan.recipe.training;
  training.threads = run.threads;
  training.members_at_once = run.members_at_once;
  training.checkpoint = run.checkpoint;
  training.stop = run.stop;
  if (run.base != nullptr) {
    training.start_architecture = plan.base_architecture;
    training.start_weights = run.checkpoint.string() + kBaseSuffix;
    run.base->estimator->Save(training.start_weights);
  }
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
  if (plan.recipe.repair) {
    auto repair = FitRepairOf(run, *trained.estimator);
    if (!repair) return tl::unexpected(repair.error());
    trained.record.repair = std::move(*repair);
  }
  return trained;
}

void RemoveCheckpoints(const std::filesystem::path& checkpoint) {
  std::error_code ignored;
  std::filesystem::remove(checkpoint.string() + kBaseSuffix, ignored);
  std::filesystem::remove(checkpoint, ignored);
  for (std::uint32_t m = 1; m < estimators::kMaxMembers; ++m) {
    std::filesystem::remove(checkpoint.string() + ".member" + std::to_string(m), ignored);
  }
}

}  // namespace inferon::trainer
