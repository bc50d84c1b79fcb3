#include "server/trainer/services/convert.h"

#include "common/rpc/convert.h"

namespace inferon::trainer {
namespace {

EstimatorSpec FromProto(const v1::EstimatorSpec& message) {
  return {message.transforms(), message.hidden(),     message.bins(),          message.max_epochs(),
          message.patience(),   message.batch_size(), message.learning_rate(), message.members(),
          message.estimator(),  message.config()};
}

void Fill(const EstimatorSpec& spec, v1::EstimatorSpec& message) {
  message.set_transforms(spec.transforms);
  message.set_hidden(spec.hidden);
  message.set_bins(spec.bins);
  message.set_max_epochs(spec.max_epochs);
  message.set_patience(spec.patience);
  message.set_batch_size(spec.batch_size);
  message.set_learning_rate(spec.learning_rate);
  message.set_members(spec.members);
  message.set_estimator(spec.estimator);
  message.set_config(spec.config);
}

v1::StudyState ToProto(StudyState state) {
  switch (state) {
    case StudyState::kRunning:
      return v1::STUDY_STATE_RUNNING;
    case StudyState::kSucceeded:
      return v1::STUDY_STATE_SUCCEEDED;
    case StudyState::kFailed:
      return v1::STUDY_STATE_FAILED;
    case StudyState::kCancelled:
      return v1::STUDY_STATE_CANCELLED;
  }
  return v1::STUDY_STATE_UNSPECIFIED;
}

void Fill(const StepRecord& step, v1::StudyStep& message) {
  message.set_id(step.id);
  message.set_title(step.title);
  message.set_done(step.done);
  message.set_total(step.total);
  message.set_unit(step.unit);
  if (step.start_time) *message.mutable_start_time() = rpc::ToProto(*step.start_time);
  if (step.end_time) *message.mutable_end_time() = rpc::ToProto(*step.end_time);
  message.set_note(step.note);
}

}  // namespace

Result<StudySpec> FromProto(const v1::StudySpec& message) {
  StudySpec spec;
  spec.profile_toml = message.profile_toml();
  auto protocol =
      rpc::FromProto(message.protocol(), [&] { return DefaultProtocol(message.profile_toml()); });
  if (!protocol) return tl::unexpected(protocol.error());
  spec.protocol = std::move(*protocol);
  auto device = rpc::FromProto(message.device());
  if (!device) return tl::unexpected(device.error());
  spec.device = std::move(*device);
  if (!message.project().empty()) {
    auto project = rpc::ParseName(message.project(), "projects");
    if (!project) return tl::unexpected(project.error());
    spec.project = std::move(*project);
  }
  spec.substrate = message.substrate();
  spec.seed = message.seed();
  spec.uniform_count = message.uniform_count();
  spec.calibration_count = message.calibration_count();
  spec.audit_count = message.audit_count();
  spec.constrained_count = message.constrained_count();
  spec.validation_count = message.validation_count();
  spec.min_spikes = message.min_spikes();
  spec.max_spikes = message.max_spikes();
  spec.false_negative_rate = message.false_negative_rate();
  spec.target_codes.assign(message.target_codes().begin(), message.target_codes().end());
  spec.posterior_draws = message.posterior_draws();
  spec.map_draws = message.map_draws();
  spec.target_trials = message.target_trials();
  spec.features_estimator = FromProto(message.features_estimator());
  spec.summary_estimator = FromProto(message.summary_estimator());
  spec.allow_mixed_modes = message.allow_mixed_modes();
  return spec;
}

v1::StudySpec ToProto(const StudySpec& spec) {
  v1::StudySpec message;
  message.set_profile_toml(spec.profile_toml);
  *message.mutable_protocol() = rpc::ToProto(spec.protocol);
  *message.mutable_device() = rpc::ToProto(spec.device);
  message.set_project("projects/" + spec.project);
  message.set_substrate(spec.substrate);
  message.set_seed(spec.seed);
  message.set_uniform_count(spec.uniform_count);
  message.set_calibration_count(spec.calibration_count);
  message.set_audit_count(spec.audit_count);
  message.set_constrained_count(spec.constrained_count);
  message.set_validation_count(spec.validation_count);
  message.set_min_spikes(spec.min_spikes);
  message.set_max_spikes(spec.max_spikes);
  message.set_false_negative_rate(spec.false_negative_rate);
  message.mutable_target_codes()->Assign(spec.target_codes.begin(), spec.target_codes.end());
  message.set_posterior_draws(spec.posterior_draws);
  message.set_map_draws(spec.map_draws);
  message.set_target_trials(spec.target_trials);
  Fill(spec.features_estimator, *message.mutable_features_estimator());
  Fill(spec.summary_estimator, *message.mutable_summary_estimator());
  message.set_allow_mixed_modes(spec.allow_mixed_modes);
  return message;
}

v1::Study ToProto(const StudyRecord& record) {
  v1::Study message;
  message.set_name("studies/" + record.id);
  message.set_state(ToProto(record.state));
  *message.mutable_spec() = ToProto(record.spec);
  for (const StepRecord& step : record.steps) Fill(step, *message.add_steps());
  *message.mutable_create_time() = rpc::ToProto(record.create_time);
  if (record.end_time) *message.mutable_end_time() = rpc::ToProto(*record.end_time);
  message.set_error(record.error);
  for (const std::string& model : record.models) message.add_models("models/" + model);
  message.set_revision(record.revision);
  for (const std::string& mode : record.modes) message.add_modes(mode);
  return message;
}

v1::Model ToProto(const ModelRecord& record) {
  v1::Model message;
  message.set_name("models/" + record.id);
  message.set_input(record.input);
  if (!record.simulator) message.set_study("studies/" + record.study);
  *message.mutable_create_time() = rpc::ToProto(record.create_time);
  for (const std::string& name : record.parameters) message.add_parameters(name);
  message.set_profile(record.profile);
  message.set_profile_sha256(record.profile_sha256);
  *message.mutable_protocol() = rpc::ToProto(record.protocol);
  *message.mutable_device() = rpc::ToProto(record.device);
  message.set_training_count(record.training_count);
  message.set_dataset_sha256(record.dataset_sha256);
  message.set_heldout_log_density(record.heldout_log_density);
  message.set_seed(record.seed);
  message.set_weight_count(record.weight_count);
  message.set_acceptance(record.classifier.acceptance);
  message.set_false_negative_rate(record.classifier.false_negative_rate);
  message.set_false_negative_bound(record.classifier.false_negative_bound);
  message.set_weights_sha256(record.weights_sha256);
  message.set_settings_json(record.settings);
  if (record.simulator) {
    message.clear_protocol();
    message.clear_device();
    message.set_dataset("datasets/" + record.simulator->data_set);
    message.set_columns(record.simulator->columns);
  }
  return message;
}

v1::ReportNumber ToProto(const ReportNumber& number) {
  v1::ReportNumber message;
  message.set_key(number.key);
  message.set_label(number.label);
  message.set_value(number.value);
  message.set_low(number.low);
  message.set_high(number.high);
  message.set_unit(number.unit);
  message.set_paper(number.paper);
  message.set_provenance(number.provenance);
  return message;
}

v1::Array ToProto(const ReportArray& array) {
  v1::Array message;
  message.set_name(array.name);
  message.set_dtype(array.dtype);
  for (const std::uint64_t extent : array.shape) message.add_shape(extent);
  message.set_data(array.bytes);
  return message;
}

}  // namespace inferon::trainer
