#include "client/cli/study_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/format.h"
#include "client/cli/study_view.h"
#include "common/features/features.h"
#include "common/neuron/profile.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

Error Malformed(const Error& cause) {
  return {ErrorCode::kDataLoss,
          "the study's report is malformed: " + cause.message,
          "Use a client of the trainer's version",
          {}};
}

// Names of a profile that this client does not know keep themselves as labels.
std::string LabelOfParameter(const std::string& name) {
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    if (ParameterName(parameter) == name) return std::string(ParameterLabel(parameter));
  }
  return name;
}

std::string LabelOfFeature(const std::string& name) {
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    if (FeatureName(feature) == name) return std::string(FeatureLabel(feature));
  }
  return name;
}

std::string DescribeProtocol(const Protocol& protocol) {
  std::string text;
  for (const CurrentStep& step : protocol.steps) {
    text += fmt::format("{}{:g} to {:g} µs at {:g}", text.empty() ? "" : ", ", step.start_us,
                        step.stop_us, step.scale);
  }
  return fmt::format("{} times the profile's current, recorded for {:g} µs on a grid of {:g} µs",
                     text.empty() ? "no current" : text, protocol.duration_us,
                     protocol.grid_step_us);
}

// A vector field is trained on squared errors, and its densities are approximate.
bool IsField(const v1::EstimatorSpec& spec) {
  return spec.estimator() == "diffusion" || spec.estimator() == "flow-matching";
}

std::string DescribeEstimator(const v1::EstimatorSpec& spec) {
  return fmt::format(
      "{}{}{}: {} transforms, {} hidden units, {} bins, at most {} epochs, patience {}, batches of "
      "{}, learning rate {:g}{}",
      spec.estimator(), IsField(spec) ? " (log densities are approximate)" : "",
      spec.members() > 1 ? fmt::format(", mean of {}", spec.members()) : "", spec.transforms(),
      spec.hidden(), spec.bins(), spec.max_epochs(), spec.patience(), spec.batch_size(),
      spec.learning_rate(), spec.config().empty() ? "" : ", config " + spec.config());
}

std::vector<report::ReportSetting> SettingsOf(const v1::Study& study, const Protocol& protocol,
                                              const Profile& profile) {
  const v1::StudySpec& spec = study.spec();
  return {
      {"profile", profile.name + ", SHA-256 " + profile.sha256},
      {"substrate", spec.substrate()},
      {"mode of the devices", fmt::format("{}", fmt::join(study.modes(), ", "))},
      {"neuron", fmt::format("chip {}, neuron {}, hardware run {}", spec.device().chip(),
                             spec.device().neuron(), spec.device().run())},
      {"protocol", DescribeProtocol(protocol)},
      {"uniform round", FormatCount(spec.uniform_count()) + " experiments"},
      {"calibration round", FormatCount(spec.calibration_count()) + " experiments"},
      {"audit round", FormatCount(spec.audit_count()) + " experiments"},
      {"constrained round", FormatCount(spec.constrained_count()) + " experiments"},
      {"validation", FormatCount(spec.validation_count()) + " constrained experiments"},
      {"relevant",
       fmt::format("{} to {} spikes in the stimulus", spec.min_spikes(), spec.max_spikes())},
      {"allowed false-negative rate",
       fmt::format("{:g} % as a 95 % bound", 100 * spec.false_negative_rate())},
      {"target", fmt::format("{}", spec.target_codes().empty()
                                       ? "drawn from the validation set"
                                       : fmt::format("{}", fmt::join(spec.target_codes(), ", ")))},
      {"draws", fmt::format("{} of each posterior, most probable among {}, {} repetitions of the "
                            "target",
                            spec.posterior_draws(), spec.map_draws(), spec.target_trials())},
      {"estimator on 12 features", DescribeEstimator(spec.features_estimator())},
      {"estimator with the summary network", DescribeEstimator(spec.summary_estimator())},
      {"models", fmt::format("{}", fmt::join(study.models(), ", "))},
      {"created", FormatTimeUtc(rpc::FromProto(study.create_time()))},
  };
}

std::vector<report::ReportStep> StepsOf(const v1::Study& study) {
  std::vector<report::ReportStep> steps;
  for (const v1::StudyStep& step : study.steps()) {
    report::ReportStep shown{step.title(), "", report::kNoNumber, step.note()};
    if (step.done() > 0) shown.amount = FormatCount(step.done()) + " " + step.unit();
    if (step.has_start_time() && step.has_end_time()) {
      shown.seconds = std::chrono::duration<double>(rpc::FromProto(step.end_time()) -
                                                    rpc::FromProto(step.start_time()))
                          .count();
    }
    steps.push_back(std::move(shown));
  }
  return steps;
}

}  // namespace

Result<report::ReportData> ToReportData(const client::StudyReport& fetched) {
  const v1::StudySpec& spec = fetched.study.spec();
  const Result<std::string> id = rpc::ParseName(fetched.study.name(), "studies");
  if (!id) return tl::unexpected(Malformed(id.error()));
  const Result<Protocol> protocol = rpc::FromProto(spec.protocol());
  if (!protocol) return tl::unexpected(Malformed(protocol.error()));
  const Result<Profile> profile = ParseProfile(spec.profile_toml());
  if (!profile) return tl::unexpected(Malformed(profile.error()));
  report::ReportData data;
  data.study = *id;
  data.seed = spec.seed();
  data.protocol = *protocol;
  data.min_spikes = spec.min_spikes();
  data.max_spikes = spec.max_spikes();
  data.device_mark = DeviceMark(fetched.study);
  data.density_losses = {!IsField(spec.features_estimator()), !IsField(spec.summary_estimator())};
  data.settings = SettingsOf(fetched.study, *protocol, *profile);
  data.steps = StepsOf(fetched.study);
  data.parameters = fetched.parameters;
  for (const std::string& name : data.parameters) {
    data.parameter_labels.push_back(LabelOfParameter(name));
  }
  data.features = fetched.features;
  for (const std::string& name : data.features) {
    data.feature_labels.push_back(LabelOfFeature(name));
  }
  for (const v1::ReportNumber& number : fetched.numbers) {
    data.numbers.push_back({number.key(), number.label(), number.value(), number.low(),
                            number.high(), number.unit(), number.paper(), number.provenance()});
  }
  for (const auto& [name, array] : fetched.arrays) {
    data.arrays.push_back(
        {name, array.dtype(), {array.shape().begin(), array.shape().end()}, array.data()});
  }
  return data;
}

Result<report::ReportData> FetchReport(client::TrainerClient& trainer, const std::string& study,
                                       std::stop_token stop) {
  const Result<client::StudyReport> fetched = trainer.FetchStudyReport(study, stop);
  if (!fetched) return tl::unexpected(fetched.error());
  return ToReportData(*fetched);
}

Result<std::string> WriteReportTo(Console& console, const report::ReportData& data,
                                  const std::filesystem::path& folder) {
  const Result<report::ReportFiles> files = report::WriteReport(data, folder);
  if (!files) return tl::unexpected(files.error());
  for (const std::string& warning : files->warnings) console.Warn(warning);
  return std::filesystem::absolute(files->page).lexically_normal().string();
}

}  // namespace inferon::cli
