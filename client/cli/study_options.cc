#include "client/cli/study_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "common/base/files.h"
#include "common/inference/engine.h"
#include "common/neuron/parameters.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

// The demo is what the trainer does by default; the paper takes more constrained experiments.
v1::StudySpec DemoScale() {
  v1::StudySpec spec;
  spec.set_uniform_count(50'000);
  spec.set_calibration_count(25'000);
  spec.set_audit_count(25'000);
  spec.set_constrained_count(30'000);
  spec.set_validation_count(600);
  return spec;
}

v1::StudySpec PaperScale() {
  v1::StudySpec spec = DemoScale();
  spec.set_constrained_count(600'000);
  return spec;
}

// About a minute: every step runs, no figure of it means anything. So few relevant draws bound a
// false-negative rate only loosely.
v1::StudySpec SmallScale() {
  v1::StudySpec spec;
  spec.set_uniform_count(3'000);
  spec.set_calibration_count(2'000);
  spec.set_audit_count(2'000);
  spec.set_constrained_count(1'500);
  spec.set_validation_count(64);
  spec.set_false_negative_rate(0.3);
  spec.set_posterior_draws(200);
  spec.set_map_draws(500);
  spec.set_target_trials(50);
  spec.mutable_features_estimator()->set_max_epochs(4);
  spec.mutable_features_estimator()->set_transforms(3);
  spec.mutable_summary_estimator()->set_max_epochs(2);
  spec.mutable_summary_estimator()->set_transforms(3);
  return spec;
}

v1::StudySpec SpecOfScale(const std::string& scale) {
  if (scale == "paper") return PaperScale();
  return scale == "small" ? SmallScale() : DemoScale();
}

Status CheckTarget(const std::vector<std::uint32_t>& target, const Profile& profile) {
  const std::string names = fmt::format("{}", fmt::join(profile.ParameterNames(), ","));
  if (!target.empty() && target.size() != profile.dimension()) {
    return InvalidArgument(
        fmt::format("--target has {} codes, the profile {} has {} free parameters", target.size(),
                    profile.name, profile.dimension()),
        "Give one code each for " + names);
  }
  for (const std::uint32_t code : target) {
    if (code <= kMaxCode) continue;
    return InvalidArgument(fmt::format("--target has the code {}, outside 0..{}", code, kMaxCode),
                           "Give one code each for " + names);
  }
  return {};
}

// Every number that was given replaces the scale's.
void ApplyNumbers(const StudyOptions& options, v1::StudySpec& spec) {
  if (options.uniform > 0) spec.set_uniform_count(options.uniform);
  if (options.calibration > 0) spec.set_calibration_count(options.calibration);
  if (options.audit > 0) spec.set_audit_count(options.audit);
  if (options.constrained > 0) spec.set_constrained_count(options.constrained);
  if (options.validation > 0) spec.set_validation_count(options.validation);
  if (options.min_spikes > 0) spec.set_min_spikes(options.min_spikes);
  if (options.max_spikes > 0) spec.set_max_spikes(options.max_spikes);
  if (options.false_negative_rate > 0) {
    spec.set_false_negative_rate(options.false_negative_rate);
  }
  if (options.draws > 0) spec.set_posterior_draws(options.draws);
  if (options.map_draws > 0) spec.set_map_draws(options.map_draws);
  if (options.trials > 0) spec.set_target_trials(options.trials);
  if (options.features_epochs > 0) {
    spec.mutable_features_estimator()->set_max_epochs(options.features_epochs);
  }
  if (options.summary_epochs > 0) {
    spec.mutable_summary_estimator()->set_max_epochs(options.summary_epochs);
  }
}

Status ApplyEstimator(const std::string& estimator, const std::string& config,
                      v1::EstimatorSpec& spec) {
  spec.set_estimator(estimator);
  if (config.empty()) return {};
  auto text = ReadFile(config, kMaxConfigBytes);
  if (!text) return tl::unexpected(text.error());
  spec.set_config(std::move(*text));
  return {};
}

void AddEstimators(CLI::App& command, StudyOptions& options) {
  const auto text = [&](const char* name, std::string& value, const char* type, const char* help) {
    command.add_option(name, value, help)->type_name(type)->group("Estimators");
  };
  text("--features-estimator", options.features_estimator, "NAME",
       "Of the 12 features: flow (default), affine-flow, flow-matching or diffusion");
  text("--summary-estimator", options.summary_estimator, "NAME", "The same of traces");
  text("--features-config", options.features_config, "FILE",
       "Settings of its training as JSON, as for model train --config");
  text("--summary-config", options.summary_config, "FILE",
       "The same of traces, with their network: {\"summary\": \"transformer\"}");
}

void AddCounts(CLI::App& command, StudyOptions& options) {
  const auto count = [&](const char* name, std::uint32_t& value, const char* help) {
    command.add_option(name, value, help)
        ->check(CLI::Range(1u, 100'000'000u))
        ->type_name("N")
        ->default_str("")  // The scale's, not 0.
        ->group("Size (default: the scale's)");
  };
  count("--uniform", options.uniform, "Experiments of the uniform round");
  count("--calibration", options.calibration, "Uniform experiments that set the threshold");
  count("--audit", options.audit, "Uniform experiments that measure the classifier");
  count("--constrained", options.constrained, "Experiments of the constrained round");
  count("--validation", options.validation, "Constrained experiments kept apart");
  count("--draws", options.draws, "Draws of each posterior");
  count("--map-draws", options.map_draws, "Draws among which the most probable is searched");
  count("--trials", options.trials, "Repetitions of the target");
  count("--features-epochs", options.features_epochs, "Epochs at most, 12 features");
  count("--summary-epochs", options.summary_epochs, "Epochs at most, summary network");
}

}  // namespace

void AddStudyOptions(CLI::App& command, StudyOptions& options) {
  command.add_option("id", options.id, "Id of the study: the same id goes on with it")
      ->type_name("ID");
  command.add_option("--scale", options.scale, "Size of the study")
      ->check(CLI::IsMember({"demo", "paper", "small"}))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Seed of everything random in the study")
      ->check(CLI::Range(std::uint64_t{1}, ~std::uint64_t{0}))
      ->capture_default_str();
  command.add_option("--target", options.target, "Codes of the target, one a free parameter")
      ->delimiter(',')
      ->default_str("")
      ->type_name("CODE,...");
  command.add_option("--min-spikes", options.min_spikes, "Fewest spikes of a relevant experiment")
      ->default_str("");
  command.add_option("--max-spikes", options.max_spikes, "Most spikes of a relevant experiment")
      ->default_str("");
  command
      .add_option("--false-negative-rate", options.false_negative_rate,
                  "Share of relevant sets that the classifier may reject")
      ->check(CLI::Range(0.001, 0.5))
      ->default_str("");
  command.add_option("--project", options.project, "Project of the study's jobs")
      ->type_name("projects/ID");
  command.add_option("--report", options.report, "Write the report into this folder at the end")
      ->type_name("FOLDER");
  command.add_flag("--demo", options.demo,
                   "Small study with a report; starts the local servers and, for brainscales2, a "
                   "fake device where none run");
  command.add_flag("--allow-mixed-modes", options.allow_mixed_modes,
                   "Take results of devices in different modes (hardware, fake, ...)");
  command.add_flag("--detach", options.detach, "Start the study and return at once");
  AddCounts(command, options);
  AddEstimators(command, options);
  AddExperimentOptions(command, options.experiment);
}

Result<v1::StudySpec> MakeStudySpec(const StudyOptions& options) {
  if (options.id.empty()) {
    return InvalidArgument("the study has no id", "Give one: inferon study run ID");
  }
  if (!rpc::IsIdentifier(options.id)) {
    return InvalidArgument(fmt::format("'{}' is not an id of a study", options.id),
                           "Choose 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit");
  }
  const Result<Profile> profile = FindProfile(options.experiment.profile);
  if (!profile) return tl::unexpected(profile.error());
  const Result<Protocol> protocol = MakeProtocol(options.experiment.protocol, profile->protocol);
  if (!protocol) return tl::unexpected(protocol.error());
  if (Status ok = CheckTarget(options.target, *profile); !ok) return tl::unexpected(ok.error());
  v1::StudySpec spec = SpecOfScale(options.scale);
  spec.set_profile_toml(profile->text);
  *spec.mutable_protocol() = rpc::ToProto(*protocol);
  *spec.mutable_device() = rpc::ToProto(options.experiment.device);
  spec.set_substrate(options.experiment.substrate);
  spec.set_seed(options.seed);
  spec.set_allow_mixed_modes(options.allow_mixed_modes);
  spec.set_project(options.project.find('/') == std::string::npos ? "projects/" + options.project
                                                                  : options.project);
  for (const std::uint32_t code : options.target) spec.add_target_codes(code);
  ApplyNumbers(options, spec);
  Status ok = ApplyEstimator(options.features_estimator, options.features_config,
                             *spec.mutable_features_estimator());
  if (ok) {
    ok = ApplyEstimator(options.summary_estimator, options.summary_config,
                        *spec.mutable_summary_estimator());
  }
  if (!ok) return tl::unexpected(ok.error());
  return spec;
}

Status CheckUnderstood(const v1::StudySpec& wanted, const v1::StudySpec& created) {
  const auto kept = [](const v1::EstimatorSpec& a, const v1::EstimatorSpec& b) {
    const bool same = a.estimator().empty() || a.estimator() == b.estimator() ||
                      (a.estimator() == "flow" && b.estimator().empty());
    return same && a.config() == b.config();
  };
  if (kept(wanted.features_estimator(), created.features_estimator()) &&
      kept(wanted.summary_estimator(), created.summary_estimator())) {
    return {};
  }
  return Fail(
      ErrorCode::kFailedPrecondition,
      "the trainer is of an earlier version, which trains the default estimators only",
      "Cancel the study if you have just begun it (inferon study cancel ID), then update the "
      "trainer, or leave the options of estimators out");
}

}  // namespace inferon::cli
