#include "server/trainer/studies/report_step.h"

#include <fmt/format.h>

#include "common/features/features.h"

namespace inferon::trainer {
namespace {

Result<InputResults> ReadInput(const StudyContext& study, const std::string& input) {
  auto model = study.registry.Get(ModelId(study.id, input));
  if (!model) return tl::unexpected(model.error());
  auto losses = ReadLossCurve(study, input);
  if (!losses) return tl::unexpected(losses.error());
  auto posterior = ReadPosterior(study, input);
  if (!posterior) return tl::unexpected(posterior.error());
  auto check = DataSet::Open(study.folder, "check-" + input);
  if (!check) return tl::unexpected(check.error());
  auto diagnostics = ReadDiagnostics(study, input);
  if (!diagnostics) return tl::unexpected(diagnostics.error());
  return InputResults{input,  std::move(*model),      std::move(*losses), *posterior,
                      *check, std::move(*diagnostics)};
}

}  // namespace

std::vector<double> CredibleLevels() {
  std::vector<double> levels;
  for (int i = 1; i < 20; ++i) levels.push_back(0.05 * i);
  return levels;
}

Result<StudyResults> ReadResults(const StudyContext& study) {
  auto uniform = DataSet::Open(study.folder, "uniform");
  if (!uniform) return tl::unexpected(uniform.error());
  auto constrained = DataSet::Open(study.folder, "constrained");
  if (!constrained) return tl::unexpected(constrained.error());
  auto validation = DataSet::Open(study.folder, "validation");
  if (!validation) return tl::unexpected(validation.error());
  auto target = DataSet::Open(study.folder, "target");
  if (!target) return tl::unexpected(target.error());
  auto classifier = LoadStudyClassifier(study);
  if (!classifier) return tl::unexpected(classifier.error());
  auto effort = ReadDrawEffort(study, "constrained");
  if (!effort) return tl::unexpected(effort.error());
  auto choice = TargetChoice(study);
  if (!choice) return tl::unexpected(choice.error());
  StudyResults results{*uniform, *constrained, *validation, *target, std::move(*classifier),
                       *effort,  *choice,      {}};
  for (const char* input : kInputs) {
    auto read = ReadInput(study, input);
    if (!read) return tl::unexpected(read.error());
    results.inputs.push_back(std::move(*read));
  }
  return results;
}

Status MakeReport(const StudyContext& study, std::stop_token /*stop*/) {
  const auto results = ReadResults(study);
  if (!results) return tl::unexpected(results.error());
  Report report;
  report.numbers = ReportNumbers(study, *results);
  report.arrays = ReportArrays(study, *results);
  report.parameters = study.profile.ParameterNames();
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    report.features.emplace_back(FeatureName(static_cast<Feature>(i)));
  }
  study.At("report:computed");
  WriteReport(study.folder, report);
  study.journal.Progress("report", report.numbers.size(), report.numbers.size());
  return {};
}

}  // namespace inferon::trainer
