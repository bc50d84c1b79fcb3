#include "server/trainer/studies/classifier_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "server/trainer/studies/rounds.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

std::filesystem::path TrainingPath(const StudyContext& study) {
  return study.folder / "classifier.training.json";
}
std::filesystem::path ThresholdPath(const StudyContext& study) {
  return study.folder / "classifier.json";
}

Result<json> ReadJson(const std::filesystem::path& path) {
  const auto text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  json j = json::parse(*text, nullptr, false);
  if (!j.is_object()) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} is damaged", path.string()),
                "Restore the file or start a new study");
  }
  return j;
}

Status RefuseTooFewRelevant(const StudyContext& study, std::uint64_t relevant, std::uint64_t rows) {
  if (relevant >= study.options.least_relevant) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("only {} of {} uniform experiments have {}..{} spikes in the stimulus "
                          "window; the classifier needs at least {}",
                          relevant, rows, study.spec.min_spikes, study.spec.max_spikes,
                          study.options.least_relevant),
              "Enlarge the uniform round, widen the range of spike counts, or check profile and "
              "protocol");
}

estimators::TrainingOptions ClassifierTraining(const StudyContext& study, std::stop_token stop) {
  estimators::TrainingOptions training;
  training.max_epochs = study.options.classifier_epochs;
  training.seed = DerivedSeed(study.spec.seed, "classifier");
  training.checkpoint = study.folder / "classifier.checkpoint";
  training.threads = study.options.training_threads;
  training.members_at_once = study.options.members_at_once;
  training.stop = stop;
  training.progress = [&study](const estimators::TrainingProgress& p) {
    study.journal.Progress("classifier", p.epoch, p.max_epochs);
    study.journal.Note("classifier", fmt::format("held-out loss {:.4f}", p.heldout_loss));
    study.At("classifier:epoch");
  };
  return training;
}

std::vector<float> Scores(const estimators::Classifier& classifier, const DataSet& data) {
  const std::vector<float> theta = CellCentres(data.AllCodes());
  return classifier.Score({theta.data(), data.size(), data.dimension()});
}

// Classifier and architecture as the training left them.
Result<StudyClassifier> LoadTrained(const StudyContext& study) {
  const auto training = ReadJson(TrainingPath(study));
  if (!training) return tl::unexpected(training.error());
  StudyClassifier loaded;
  loaded.architecture = training->value("architecture", json()).dump();
  auto classifier = study.factory.LoadClassifier(loaded.architecture, ClassifierWeights(study));
  if (!classifier) return tl::unexpected(classifier.error());
  loaded.classifier = std::move(*classifier);
  return loaded;
}

json ThresholdJson(const ThresholdChoice& choice, const ThresholdAudit& audit) {
  return {{"threshold", choice.threshold},
          {"calibration",
           {{"relevant", choice.relevant}, {"missed", choice.missed}, {"bound", choice.bound}}},
          {"audit",
           {{"draws", audit.draws},
            {"relevant", audit.relevant},
            {"missed", audit.missed},
            {"accepted", audit.accepted},
            {"accepted_relevant", audit.accepted_relevant}}}};
}

}  // namespace

std::filesystem::path ClassifierWeights(const StudyContext& study) {
  return study.folder / "classifier.safetensors";
}

std::vector<std::uint8_t> RelevantRows(const DataSet& data, const StudySpec& spec) {
  std::vector<std::uint8_t> relevant;
  relevant.reserve(data.size());
  for (std::uint64_t i = 0; i < data.size(); ++i) {
    relevant.push_back(spec.IsRelevant(data.StimulusSpikes(i)));
  }
  return relevant;
}

void RemoveCheckpoints(const StudyContext& study, const std::string& step) {
  for (const auto& entry : std::filesystem::directory_iterator(study.folder)) {
    if (entry.path().filename().string().starts_with(step + ".checkpoint")) {
      std::filesystem::remove_all(entry.path());
    }
  }
}

Status TrainStudyClassifier(const StudyContext& study, std::stop_token stop) {
  if (std::filesystem::exists(TrainingPath(study))) return {};
  const auto data = DataSet::Open(study.folder, "uniform");
  if (!data) return tl::unexpected(data.error());
  const std::vector<std::uint8_t> relevant = RelevantRows(*data, study.spec);
  const auto hits = static_cast<std::uint64_t>(std::ranges::count(relevant, 1));
  if (Status enough = RefuseTooFewRelevant(study, hits, data->size()); !enough) return enough;

  estimators::ClassifierOptions options;
  options.dimension = study.dimension();
  options.hidden = study.options.classifier_hidden;
  options.members = study.options.classifier_members;
  const std::vector<float> theta = CellCentres(data->AllCodes());
  estimators::TrainingResult result;
  const auto classifier =
      study.factory.TrainClassifier(options, {theta.data(), data->size(), data->dimension()},
                                    relevant, ClassifierTraining(study, stop), &result);
  if (!classifier) return tl::unexpected(classifier.error());
  study.journal.Progress("classifier", result.epochs, result.epochs);

  std::filesystem::path part = ClassifierWeights(study);
  part += ".part";
  const std::string architecture = (*classifier)->Save(part);
  SyncPath(part);
  std::filesystem::rename(part, ClassifierWeights(study));
  study.At("classifier:weights");
  WriteFileAtomically(TrainingPath(study), json{{"architecture", json::parse(architecture)},
                                                {"training_loss", result.training_loss},
                                                {"heldout_loss", result.heldout_loss}}
                                                   .dump(1) +
                                               "\n");
  return {};
}

Status SetClassifierThreshold(const StudyContext& study, std::stop_token /*stop*/) {
  if (std::filesystem::exists(ThresholdPath(study))) return {};
  const auto trained = LoadTrained(study);
  if (!trained) return tl::unexpected(trained.error());
  const auto calibration = DataSet::Open(study.folder, "calibration");
  if (!calibration) return tl::unexpected(calibration.error());
  const auto choice =
      ChooseThreshold(Scores(*trained->classifier, *calibration),
                      RelevantRows(*calibration, study.spec), study.spec.false_negative_rate);
  if (!choice) return tl::unexpected(choice.error());
  const auto audited = DataSet::Open(study.folder, "audit");
  if (!audited) return tl::unexpected(audited.error());
  const ThresholdAudit audit =
      AuditThreshold(Scores(*trained->classifier, *audited), RelevantRows(*audited, study.spec),
                     choice->threshold);
  WriteFileAtomically(ThresholdPath(study), ThresholdJson(*choice, audit).dump(1) + "\n");
  RemoveCheckpoints(study, "classifier");
  study.journal.Note("classifier",
                     fmt::format("misses {} of {} relevant (95 % bound {:.1f} %), {:.0f} % of the "
                                 "accepted are relevant",
                                 audit.missed, audit.relevant, 100 * audit.FalseNegativeBound(),
                                 100 * audit.Precision()));
  return {};
}

Result<StudyClassifier> LoadStudyClassifier(const StudyContext& study) {
  auto loaded = LoadTrained(study);
  if (!loaded) return tl::unexpected(loaded.error());
  const auto j = ReadJson(ThresholdPath(study));
  if (!j) return tl::unexpected(j.error());
  try {
    j->at("threshold").get_to(loaded->choice.threshold);
    j->at("calibration").at("relevant").get_to(loaded->choice.relevant);
    j->at("calibration").at("missed").get_to(loaded->choice.missed);
    j->at("calibration").at("bound").get_to(loaded->choice.bound);
    const json& audit = j->at("audit");
    audit.at("draws").get_to(loaded->audit.draws);
    audit.at("relevant").get_to(loaded->audit.relevant);
    audit.at("missed").get_to(loaded->audit.missed);
    audit.at("accepted").get_to(loaded->audit.accepted);
    audit.at("accepted_relevant").get_to(loaded->audit.accepted_relevant);
  } catch (const json::exception& e) {
    return Fail(ErrorCode::kDataLoss, fmt::format("classifier.json is damaged: {}", e.what()),
                "Restore the file or start a new study");
  }
  return loaded;
}

}  // namespace inferon::trainer
