#include "common/rpc/simulator_convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "common/rpc/convert.h"

namespace inferon::rpc {
namespace {

v1::InvalidRows ToProto(InvalidRows invalid) {
  switch (invalid) {
    case InvalidRows::kRefuse:
      return v1::INVALID_ROWS_REFUSE;
    case InvalidRows::kDrop:
      return v1::INVALID_ROWS_DROP;
    case InvalidRows::kMissing:
      return v1::INVALID_ROWS_MISSING;
  }
  return v1::INVALID_ROWS_UNSPECIFIED;
}

InvalidRows FromProto(v1::InvalidRows invalid) {
  if (invalid == v1::INVALID_ROWS_DROP) return InvalidRows::kDrop;
  if (invalid == v1::INVALID_ROWS_MISSING) return InvalidRows::kMissing;
  return InvalidRows::kRefuse;
}

Status CheckColumns(const v1::Array& array, std::size_t columns, const char* what) {
  if (array.shape_size() == 2 && array.shape(1) == columns) return {};
  return InvalidArgument(fmt::format("{} is not rows of {} values", what, columns),
                         "Send blocks of shape [rows, columns] that fit the data set");
}

}  // namespace

v1::Dataset ToProto(const DataSetSpec& spec) {
  v1::Dataset message;
  message.set_name("datasets/" + spec.id);
  message.set_prior_json(PriorJson(spec.prior));
  message.set_columns(spec.columns);
  for (const std::string& name : spec.x_names) message.add_x_names(name);
  message.set_traces(spec.traces);
  message.set_invalid_rows(ToProto(spec.invalid));
  message.set_project("projects/" + spec.project);
  return message;
}

v1::Dataset ToProto(const DataSetInfo& info) {
  v1::Dataset message = ToProto(info.spec);
  message.set_rows(info.rows);
  message.set_dropped(info.dropped);
  message.set_sha256(info.sha256);
  *message.mutable_create_time() = ToProto(info.create_time);
  for (const std::string& warning : info.warnings) message.add_warnings(warning);
  return message;
}

Result<DataSetInfo> FromProto(const v1::Dataset& message) {
  DataSetInfo info;
  auto id = ParseName(message.name(), "datasets");
  if (!id) return tl::unexpected(id.error());
  auto prior = ParsePrior(message.prior_json());
  if (!prior) return tl::unexpected(prior.error());
  info.spec.id = std::move(*id);
  info.spec.prior = std::move(*prior);
  info.spec.columns = message.columns();
  info.spec.x_names.assign(message.x_names().begin(), message.x_names().end());
  info.spec.traces = message.traces();
  info.spec.invalid = FromProto(message.invalid_rows());
  if (!message.project().empty()) {
    auto project = ParseName(message.project(), "projects");
    if (!project) return tl::unexpected(project.error());
    info.spec.project = std::move(*project);
  }
  info.rows = message.rows();
  info.dropped = message.dropped();
  info.sha256 = message.sha256();
  info.create_time = FromProto(message.create_time());
  info.warnings.assign(message.warnings().begin(), message.warnings().end());
  return info;
}

v1::SimulatorModel ToProto(const ModelInfo& info) {
  v1::SimulatorModel message;
  message.set_name("models/" + info.id);
  message.set_dataset("datasets/" + info.data_set);
  message.set_dataset_sha256(info.data_set_sha256);
  message.set_prior_json(PriorJson(info.prior));
  message.set_columns(info.columns);
  message.set_traces(info.traces);
  message.set_settings_json(info.settings);
  message.set_training_count(info.training_count);
  message.set_epochs(info.epochs);
  message.set_heldout_log_density(info.heldout_log_density);
  message.set_seed(info.seed);
  message.set_weight_count(info.weight_count);
  *message.mutable_create_time() = ToProto(info.create_time);
  if (!info.base.empty()) message.set_base_model("models/" + info.base);
  return message;
}

Result<ModelInfo> FromProto(const v1::SimulatorModel& message) {
  ModelInfo info;
  auto id = ParseName(message.name(), "models");
  if (!id) return tl::unexpected(id.error());
  auto data_set = ParseName(message.dataset(), "datasets");
  if (!data_set) return tl::unexpected(data_set.error());
  auto prior = ParsePrior(message.prior_json());
  if (!prior) return tl::unexpected(prior.error());
  info.id = std::move(*id);
  info.data_set = std::move(*data_set);
  info.data_set_sha256 = message.dataset_sha256();
  info.prior = std::move(*prior);
  info.columns = message.columns();
  info.traces = message.traces();
  info.settings = message.settings_json();
  info.training_count = message.training_count();
  info.epochs = message.epochs();
  info.heldout_log_density = message.heldout_log_density();
  info.seed = message.seed();
  info.weight_count = message.weight_count();
  info.create_time = FromProto(message.create_time());
  if (!message.base_model().empty()) {
    auto base = ParseName(message.base_model(), "models");
    if (!base) return tl::unexpected(base.error());
    info.base = std::move(*base);
  }
  return info;
}

namespace {

// What the figures are drawn from.
void SetCurves(const CalibrationReport& report, v1::CheckCalibrationResponse& message) {
  const std::uint64_t d = report.parameters.size();
  *message.mutable_ranks() =
      ToArray<std::uint32_t>("ranks", report.ranks, {d == 0 ? 0 : report.ranks.size() / d, d});
  *message.mutable_density_levels() =
      ToArray<double>("density_levels", report.density_levels, {report.density_levels.size()});
  *message.mutable_tarp_levels() =
      ToArray<double>("tarp_levels", report.tarp_levels, {report.tarp_levels.size()});
  std::vector<double> band;
  for (const CalibrationBandPoint& p : report.band) {
    band.insert(band.end(), {p.place, p.low, p.high});
  }
  *message.mutable_band() = ToArray<double>("band", band, {report.band.size(), 3});
}

Status ReadCurves(const v1::CheckCalibrationResponse& message, CalibrationReport& report) {
  if (!message.has_ranks()) return {};  // A trainer of an earlier version.
  auto ranks = FromArray<std::uint32_t>(message.ranks(), 2);
  if (!ranks) return tl::unexpected(ranks.error());
  auto density_levels = FromArray<double>(message.density_levels(), 1);
  if (!density_levels) return tl::unexpected(density_levels.error());
  auto tarp_levels = FromArray<double>(message.tarp_levels(), 1);
  if (!tarp_levels) return tl::unexpected(tarp_levels.error());
  const auto band = FromArray<double>(message.band(), 2);
  if (!band) return tl::unexpected(band.error());
  report.ranks = std::move(*ranks);
  report.density_levels = std::move(*density_levels);
  report.tarp_levels = std::move(*tarp_levels);
  for (std::size_t i = 0; i + 2 < band->size(); i += 3) {
    report.band.push_back({(*band)[i], (*band)[i + 1], (*band)[i + 2]});
  }
  return {};
}

}  // namespace

v1::CheckCalibrationResponse ToProto(const CalibrationReport& report) {
  v1::CheckCalibrationResponse message;
  message.set_pairs(report.pairs);
  message.set_draws(report.draws);
  message.set_source(report.source);
  for (const CalibrationParameter& p : report.parameters) {
    v1::ParameterCalibration& out = *message.add_parameters();
    out.set_name(p.name);
    out.set_ks_p_value(p.ks_p_value);
    out.set_adjusted_p_value(p.adjusted_p_value);
    out.set_contraction(p.contraction);
    out.set_mean_z(p.mean_z);
    out.set_band_p_value(p.band_p_value);
    out.set_log_gamma(p.log_gamma);
    out.set_recovery(p.recovery);
  }
  for (const CalibrationLevel& level : report.levels) {
    message.add_credibility(level.credibility);
    message.add_coverage(level.coverage);
  }
  message.set_coverage_p_value(report.coverage_p_value);
  message.set_mean_log_density(report.mean_log_density);
  message.set_calibrated(report.calibrated);
  for (const std::string& warning : report.warnings) message.add_warnings(warning);
  message.set_verdict(report.verdict);
  message.set_smallest_p_value(report.smallest_p_value);
  message.set_tarp_p_value(report.tarp_p_value);
  message.set_area_to_curve(report.area_to_curve);
  message.set_classifier_p_value(report.classifier_p_value);
  if (report.local_p_value) message.set_local_p_value(*report.local_p_value);
  SetCurves(report, message);
  return message;
}

Result<CalibrationReport> FromProto(const v1::CheckCalibrationResponse& message) {
  CalibrationReport report;
  report.pairs = message.pairs();
  report.draws = message.draws();
  report.source = message.source();
  for (const v1::ParameterCalibration& p : message.parameters()) {
    report.parameters.push_back({p.name(), p.ks_p_value(), p.adjusted_p_value(), p.contraction(),
                                 p.mean_z(), p.band_p_value(), p.log_gamma(), p.recovery()});
  }
  for (int i = 0; i < std::min(message.credibility_size(), message.coverage_size()); ++i) {
    report.levels.push_back({message.credibility(i), message.coverage(i)});
  }
  report.coverage_p_value = message.coverage_p_value();
  report.mean_log_density = message.mean_log_density();
  report.calibrated = message.calibrated();
  report.warnings.assign(message.warnings().begin(), message.warnings().end());
  report.verdict = message.verdict();
  report.smallest_p_value = message.smallest_p_value();
  report.tarp_p_value = message.tarp_p_value();
  report.area_to_curve = message.area_to_curve();
  report.classifier_p_value = message.classifier_p_value();
  if (message.has_local_p_value()) report.local_p_value = message.local_p_value();
  if (Status ok = ReadCurves(message, report); !ok) return tl::unexpected(ok.error());
  return report;
}

RowArrays ToArrays(const DataSetRows& rows, std::size_t dimension, std::size_t columns) {
  const std::uint64_t n = rows.theta.size() / dimension;
  return {ToArray<double>("theta", rows.theta, {n, dimension}),
          ToArray<float>("x", rows.x, {n, columns})};
}

Result<DataSetRows> RowsFromArrays(const v1::Array& theta, const v1::Array& x,
                                   std::size_t dimension, std::size_t columns) {
  if (Status ok = CheckColumns(theta, dimension, "theta"); !ok) return tl::unexpected(ok.error());
  if (Status ok = CheckColumns(x, columns, "x"); !ok) return tl::unexpected(ok.error());
  auto theta_values = FromArray<double>(theta, 2);
  if (!theta_values) return tl::unexpected(theta_values.error());
  auto x_values = FromArray<float>(x, 2);
  if (!x_values) return tl::unexpected(x_values.error());
  if (theta.shape(0) != x.shape(0)) {
    return InvalidArgument(
        fmt::format("a block has {} rows of theta and {} of x", theta.shape(0), x.shape(0)),
        "Send the same number of rows of both");
  }
  return DataSetRows{std::move(*theta_values), std::move(*x_values)};
}

v1::ExportStudyRoundResponse ToProto(const StudyRoundInfo& info, const StudyRows& rows,
                                     bool first) {
  v1::ExportStudyRoundResponse message;
  if (first) {
    message.set_rows(info.rows);
    message.mutable_parameters()->Assign(info.parameters.begin(), info.parameters.end());
    message.mutable_features()->Assign(info.features.begin(), info.features.end());
    message.set_grid_step_us(info.grid_step_us);
    message.set_sha256(info.sha256);
  }
  const std::uint64_t n = rows.spike_count.size();
  *message.mutable_codes() =
      ToArray<std::uint16_t>("codes", rows.codes, {n, info.parameters.size()});
  *message.mutable_feature_values() =
      ToArray<float>("features", rows.features, {n, info.features.size()});
  *message.mutable_traces() = ToArray<std::uint16_t>("trace", rows.trace, {n, info.points});
  *message.mutable_spike_count() = ToArray<std::uint32_t>("spike_count", rows.spike_count, {n});
  *message.mutable_spike_times() =
      ToArray<float>("spike_times", rows.spike_time_us, {rows.spike_time_us.size()});
  return message;
}

StudyRoundInfo StudyRoundFromProto(const v1::ExportStudyRoundResponse& message,
                                   const std::string& study, const std::string& round) {
  StudyRoundInfo info;
  info.study = study;
  info.round = round;
  info.rows = message.rows();
  info.points = message.traces().shape_size() == 2 ? message.traces().shape(1) : 0;
  info.grid_step_us = message.grid_step_us();
  info.parameters.assign(message.parameters().begin(), message.parameters().end());
  info.features.assign(message.features().begin(), message.features().end());
  info.sha256 = message.sha256();
  return info;
}

Result<StudyRows> StudyRowsFromProto(const v1::ExportStudyRoundResponse& message,
                                     const StudyRoundInfo& info) {
  StudyRows rows;
  const auto take = [&](auto& to, const v1::Array& array, int axes) -> Status {
    using Value = typename std::remove_reference_t<decltype(to)>::value_type;
    auto values = FromArray<Value>(array, axes);
    if (!values) return tl::unexpected(values.error());
    to = std::move(*values);
    return {};
  };
  Status ok = take(rows.codes, message.codes(), 2);
  if (ok) ok = take(rows.features, message.feature_values(), 2);
  if (ok) ok = take(rows.trace, message.traces(), 2);
  if (ok) ok = take(rows.spike_count, message.spike_count(), 1);
  if (ok) ok = take(rows.spike_time_us, message.spike_times(), 1);
  if (!ok) return tl::unexpected(ok.error());
  std::uint64_t spikes = 0;
  for (const std::uint32_t count : rows.spike_count) spikes += count;
  const std::uint64_t n = rows.spike_count.size();
  if (rows.codes.size() == n * info.parameters.size() && spikes == rows.spike_time_us.size() &&
      rows.features.size() == n * info.features.size() && rows.trace.size() == n * info.points) {
    return rows;
  }
  return InvalidArgument("the arrays of a block do not fit together",
                         "Send every array for the same experiments");
}

}  // namespace inferon::rpc
