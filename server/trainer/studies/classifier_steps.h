// The classifier of a study: training on the uniform round, threshold from the calibration round,
// audit on the audit round.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "server/trainer/registry/model_record.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_context.h"
#include "server/trainer/studies/threshold.h"

namespace inferon::trainer {

// Trains; leaves classifier.safetensors and classifier.training.json in the study's folder.
Status TrainStudyClassifier(const StudyContext& study, std::stop_token stop);

// Sets the threshold and audits it; leaves classifier.json.
Status SetClassifierThreshold(const StudyContext& study, std::stop_token stop);

// The classifier with its threshold, from disk.
struct StudyClassifier {
  std::unique_ptr<estimators::Classifier> classifier;
  std::string architecture;  // JSON text.
  ThresholdChoice choice;
  ThresholdAudit audit;

  Support PriorSupport() const { return {*classifier, choice.threshold}; }
};
Result<StudyClassifier> LoadStudyClassifier(const StudyContext& study);

std::filesystem::path ClassifierWeights(const StudyContext& study);

// Removes what a training kept to go on from (one checkpoint for each member of an ensemble).
void RemoveCheckpoints(const StudyContext& study, const std::string& step);

// 1 for each experiment with a relevant spike count in the stimulus window, else 0.
std::vector<std::uint8_t> RelevantRows(const DataSet& data, const StudySpec& spec);

}  // namespace inferon::trainer
