#include "server/trainer/studies/estimator_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "server/trainer/estimators/training.h"
#include "server/trainer/registry/repair.h"
#include "server/trainer/studies/classifier_steps.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/rounds.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

std::filesystem::path CurvePath(const StudyContext& study, const std::string& input) {
  return study.folder / (input + ".training.json");
}

Result<Recipe> RecipeOf(const StudyContext& study, const std::string& input, std::size_t columns,
                        std::stop_token stop) {
  const std::string kept = study.journal.Snapshot().recipes.at(input);
  auto recipe =
      RecipeFromJson(kept, {study.spec.constrained_count, columns, {}, input == "summary"});
  if (!recipe) return recipe;
  recipe->flow.dimension = study.dimension();
  recipe->flow.input_columns = columns;
  estimators::TrainingOptions& training = recipe->training;
  training.seed = DerivedSeed(study.spec.seed, input);
  training.checkpoint = study.folder / (input + ".checkpoint");
  training.threads = study.options.training_threads;
  training.members_at_once = study.options.members_at_once;
  training.stop = std::move(stop);
  // The loss of a field is a squared error.
  const bool density = !estimators::IsField(recipe->flow.family);
  training.progress = [&study, input, density](const estimators::TrainingProgress& p) {
    study.journal.Progress(input, p.epoch, p.max_epochs);
    study.journal.Note(
        input, fmt::format("held-out {} {:.2f}, {:.0f} pairs/s", density ? "log density" : "loss",
                           density ? -p.heldout_loss : p.heldout_loss, p.rows_per_second));
    study.At(input + ":epoch");
  };
  return recipe;
}

Result<Repair> RepairOf(const StudyContext& study, const DataSet& data,
                        const estimators::PairData& pairs,
                        const estimators::TrainingOptions& training,
                        const estimators::DensityEstimator& estimator) {
  const auto split = estimators::SplitRows(data.size(), training);
  const auto centre = [&, d = study.dimension()](std::uint32_t row) {
    return CellCentres(pairs.theta_codes.subspan(row * d, d));
  };
  return FitHeldoutRepair(estimator, pairs.x, centre, split.heldout, {}, training.stop);
}

std::string DescribeRepair(const Repair& repair) {
  if (repair.gain == 0) return "needs no repair";
  const auto [least, most] = std::ranges::minmax(repair.scale);
  return fmt::format("repaired: widths x{:.2f} to x{:.2f}, {:+.3f} nats on {} held-out pairs",
                     least, most, repair.gain, repair.pairs);
}

Result<ModelRecord> RecordOf(const StudyContext& study, const std::string& input,
                             const DataSet& data) {
  const auto classifier = LoadStudyClassifier(study);
  if (!classifier) return tl::unexpected(classifier.error());
  const auto effort = ReadDrawEffort(study, "constrained");
  if (!effort) return tl::unexpected(effort.error());
  ModelRecord record;
  record.id = ModelId(study.id, input);
  record.input = input;
  record.study = study.id;
  record.parameters = study.profile.ParameterNames();
  record.profile = study.profile.name;
  record.profile_toml = study.spec.profile_toml;
  record.profile_sha256 = study.profile.sha256;
  record.protocol = study.spec.protocol;
  record.device = study.spec.device;
  record.substrate = study.spec.substrate;
  record.training_count = data.size();
  record.dataset_sha256 = data.sha256();
  record.seed = DerivedSeed(study.spec.seed, input);
  record.classifier.architecture = classifier->architecture;
  record.classifier.threshold = classifier->choice.threshold;
  record.classifier.acceptance =
      static_cast<double>(effort->accepted) / static_cast<double>(effort->candidates);
  record.classifier.false_negative_rate = classifier->audit.FalseNegativeRate();
  record.classifier.false_negative_bound = classifier->audit.FalseNegativeBound();
  record.classifier.min_spikes = study.spec.min_spikes;
  record.classifier.max_spikes = study.spec.max_spikes;
  return record;
}

void Announce(const StudyContext& study, const std::string& id) {
  study.journal.Change([&](StudyRecord& record) {
    for (const std::string& model : record.models) {
      if (model == id) return;
    }
    record.models.push_back(id);
  });
}

}  // namespace

std::string ModelId(const std::string& study, const std::string& input) {
  return study + "-" + input;
}

Status TrainModel(const StudyContext& study, const std::string& input, std::stop_token stop) {
  const std::string id = ModelId(study.id, input);
  if (!study.registry.Exists(id)) {
    const auto data = DataSet::Open(study.folder, "constrained");
    if (!data) return tl::unexpected(data.error());
    auto record = RecordOf(study, input, *data);
    if (!record) return tl::unexpected(record.error());
    const estimators::PairData pairs{
        data->AllCodes(), input == "summary" ? data->TraceSource() : data->FeatureSource()};
    const auto recipe = RecipeOf(study, input, pairs.x.columns, stop);
    if (!recipe) return tl::unexpected(recipe.error());
    record->settings = RecipeJson(*recipe);
    estimators::TrainingResult result;
    const auto estimator =
        study.factory.TrainDensityEstimator(recipe->flow, pairs, recipe->training, &result);
    if (!estimator) return tl::unexpected(estimator.error());
    if (recipe->repair) {
      study.journal.Note(input, "fitting the repair");
      const auto repair = RepairOf(study, *data, pairs, recipe->training, **estimator);
      if (!repair) return tl::unexpected(repair.error());
      record->repair = RepairJson(*repair);
      study.journal.Note(input, fmt::format("held-out log density {:.2f}; {}",
                                            -result.best_heldout_loss, DescribeRepair(*repair)));
    }
    study.journal.Progress(input, result.epochs, result.epochs);
    record->create_time = study.clock.WallNow();
    record->epochs = result.epochs;
    record->heldout_log_density = -result.best_heldout_loss;
    WriteFileAtomically(
        CurvePath(study, input),
        json{{"training_loss", result.training_loss}, {"heldout_loss", result.heldout_loss}}.dump(
            1) +
            "\n");
    study.At(input + ":trained");
    study.registry.Add(std::move(*record), **estimator, ClassifierWeights(study));
    study.At(input + ":registered");
  }
  RemoveCheckpoints(study, input);
  Announce(study, id);
  return {};
}

Result<LossCurve> ReadLossCurve(const StudyContext& study, const std::string& input) {
  const auto text = ReadFile(CurvePath(study, input));
  if (!text) return tl::unexpected(text.error());
  try {
    const json j = json::parse(*text);
    return LossCurve{j.at("training_loss").get<std::vector<double>>(),
                     j.at("heldout_loss").get<std::vector<double>>()};
  } catch (const json::exception& e) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{}.training.json is damaged: {}", input, e.what()),
                "Start a new study");
  }
}

}  // namespace inferon::trainer
