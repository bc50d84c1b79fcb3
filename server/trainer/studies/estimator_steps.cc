#include "server/trainer/studies/estimator_steps.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "server/trainer/studies/classifier_steps.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/rounds.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

// As the rules of docs/inference.md have them.
constexpr double kWeightDecay = 0.03;
constexpr double kEmaDecay = 0.99;

std::filesystem::path CurvePath(const StudyContext& study, const std::string& input) {
  return study.folder / (input + ".training.json");
}

const EstimatorSpec& SpecOf(const StudyContext& study, const std::string& input) {
  return input == "summary" ? study.spec.summary_estimator : study.spec.features_estimator;
}

estimators::FlowOptions FlowOf(const StudyContext& study, const std::string& input,
                               std::size_t columns) {
  const EstimatorSpec& spec = SpecOf(study, input);
  estimators::FlowOptions flow;
  flow.dimension = study.dimension();
  flow.input_columns = columns;
  flow.input =
      input == "summary" ? estimators::InputNetwork::kSummary : estimators::InputNetwork::kFeatures;
  flow.transforms = spec.transforms;
  flow.hidden = spec.hidden;
  flow.bins = spec.bins;
  flow.members = spec.members;
  return flow;
}

estimators::TrainingOptions TrainingOf(const StudyContext& study, const std::string& input,
                                       std::stop_token stop) {
  const EstimatorSpec& spec = SpecOf(study, input);
  estimators::TrainingOptions training;
  training.max_epochs = spec.max_epochs;
  training.patience = spec.patience;
  training.batch_size = spec.batch_size;
  training.learning_rate = spec.learning_rate;
  training.weight_decay = kWeightDecay;
  training.ema_decay = kEmaDecay;
  training.seed = DerivedSeed(study.spec.seed, input);
  training.checkpoint = study.folder / (input + ".checkpoint");
  training.threads = study.options.training_threads;
  training.members_at_once = study.options.members_at_once;
  training.stop = stop;
  training.progress = [&study, input](const estimators::TrainingProgress& p) {
    study.journal.Progress(input, p.epoch, p.max_epochs);
    study.journal.Note(input, fmt::format("held-out log density {:.2f}, {:.0f} pairs/s",
                                          -p.heldout_loss, p.rows_per_second));
    study.At(input + ":epoch");
  };
  return training;
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
    estimators::TrainingResult result;
    const auto estimator = study.factory.TrainDensityEstimator(
        FlowOf(study, input, pairs.x.columns), pairs, TrainingOf(study, input, stop), &result);
    if (!estimator) return tl::unexpected(estimator.error());
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
