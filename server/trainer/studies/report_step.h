// The last step: numbers and arrays of the report from what the other steps left on disk.
#pragma once

#include <array>
#include <stop_token>
#include <string>
#include <vector>

#include "server/trainer/studies/classifier_steps.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/diagnostics.h"
#include "server/trainer/studies/estimator_steps.h"
#include "server/trainer/studies/report.h"
#include "server/trainer/studies/rounds.h"
#include "server/trainer/studies/study_context.h"
#include "server/trainer/studies/target_steps.h"

namespace inferon::trainer {

// What one model contributed.
struct InputResults {
  std::string input;
  ModelRecord model;
  LossCurve losses;
  PosteriorFiles posterior;
  DataSet check;
  Diagnostics diagnostics;
};

// Everything that the report is made of.
struct StudyResults {
  DataSet uniform;
  DataSet constrained;
  DataSet validation;
  DataSet target;
  StudyClassifier classifier;
  DrawEffort effort;  // Of the constrained round.
  std::string target_choice;
  std::vector<InputResults> inputs;  // In the order of kInputs.
};
Result<StudyResults> ReadResults(const StudyContext& study);

// Pure: the report's numbers (report_numbers.cc) and arrays (report_arrays.cc).
std::vector<ReportNumber> ReportNumbers(const StudyContext& study, const StudyResults& results);
std::vector<ReportArray> ReportArrays(const StudyContext& study, const StudyResults& results);

// Credible levels at which coverage is given: 0.05, 0.10, ... 0.95.
std::vector<double> CredibleLevels();

// Writes the report.
Status MakeReport(const StudyContext& study, std::stop_token stop);

}  // namespace inferon::trainer
