#include "client/cli/recording_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/features/features.h"

namespace inferon::cli {
namespace {

std::string ShowValue(double value) {
  return std::isnan(value) ? "missing" : fmt::format("{:.5g}", value);
}

nlohmann::json OrNull(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

// A column of "nan" is no current.
bool CurrentIsKnown(const Recording& recording) {
  return std::any_of(recording.current_pa.begin(), recording.current_pa.end(),
                     [](double current) { return std::isfinite(current); });
}

std::string DescribeSpikes(const Sweep& sweep, const RecordingFeatures& found) {
  if (!sweep.step) return fmt::format("{} in the whole recording", found.spikes.size());
  std::string text = fmt::format("{} in the step", found.spikes.size());
  if (found.before.size() + found.after.size() > 0) {
    text += fmt::format(", {} before and {} after it", found.before.size(), found.after.size());
  }
  return text;
}

}  // namespace

RecordingFeatures FeaturesOf(const Sweep& sweep, const SpikeSettings& settings) {
  std::optional<Window> window;
  if (sweep.step) window = Window{sweep.step->start_ms, sweep.step->stop_ms};
  return ExtractRecordingFeatures({sweep.recording.time_ms, sweep.recording.voltage_mv}, window,
                                  settings);
}

std::string DescribeStep(const Sweep& sweep) {
  if (!sweep.step) return sweep.no_step;
  std::string text = fmt::format("{:g} to {:g} ms", sweep.step->start_ms, sweep.step->stop_ms);
  if (sweep.amplitude_pa) text += fmt::format(", {:.4g} pA", *sweep.amplitude_pa);
  return text;
}

nlohmann::json StepJson(const Sweep& sweep) {
  if (!sweep.step) return nullptr;
  return {{"start_ms", sweep.step->start_ms},
          {"stop_ms", sweep.step->stop_ms},
          {"amplitude_pa", sweep.amplitude_pa ? OrNull(*sweep.amplitude_pa) : nullptr}};
}

Table SweepTable(const std::string& file, const Sweep& sweep, const SpikeSettings& settings) {
  const Recording& recording = sweep.recording;
  const auto [low, high] =
      std::minmax_element(recording.voltage_mv.begin(), recording.voltage_mv.end());
  Table table{{{"RECORDING"}, {file}}, {}};
  table.rows = {
      {"sweep", sweep.info.name},
      {"samples", fmt::format("{}, {:g} ms apart", sweep.info.samples, 1 / sweep.info.rate_khz)},
      {"duration", fmt::format("{:g} ms", recording.time_ms.back() - recording.time_ms.front())},
      {"voltage", fmt::format("{:g} to {:g} mV", *low, *high)},
      {"current", CurrentIsKnown(recording) ? "recorded" : "not known"},
      {"spikes", DescribeSpikes(sweep, FeaturesOf(sweep, settings))},
      {"step", DescribeStep(sweep)}};
  if (!sweep.info.description.empty()) {
    table.rows.push_back({"stimulus", sweep.info.description});
  }
  for (const CurrentPulse& pulse : sweep.others) {
    table.rows.push_back(
        {"other pulse", fmt::format("{:g} to {:g} ms, {:.4g} pA", pulse.window.start_ms,
                                    pulse.window.stop_ms, pulse.amplitude_pa)});
  }
  return table;
}

nlohmann::json SweepJson(const Sweep& sweep, const SpikeSettings& settings) {
  const Recording& recording = sweep.recording;
  const auto [low, high] =
      std::minmax_element(recording.voltage_mv.begin(), recording.voltage_mv.end());
  const RecordingFeatures found = FeaturesOf(sweep, settings);
  nlohmann::json step = StepJson(sweep);
  if (sweep.step) step["spikes"] = found.spikes.size();
  return {{"sweep", sweep.info.name},
          {"number", sweep.info.number ? nlohmann::json(*sweep.info.number) : nullptr},
          {"description", sweep.info.description},
          {"problem", nullptr},
          {"samples", sweep.info.samples},
          {"sample_step_ms", 1 / sweep.info.rate_khz},
          {"duration_ms", recording.time_ms.back() - recording.time_ms.front()},
          {"voltage_min_mv", *low},
          {"voltage_max_mv", *high},
          {"current", CurrentIsKnown(recording)},
          {"spikes", found.spikes.size() + found.before.size() + found.after.size()},
          {"spikes_before", found.before.size()},
          {"spikes_after", found.after.size()},
          {"step", step},
          {"doubts", FindDoubts(recording)},
          {"notes", recording.notes}};
}

Table FeatureTable(std::span<const double> values, std::span<const std::size_t> chosen,
                   UnitSystem units) {
  Table table{{{"FEATURE"}, {"VALUE", true}, {"MEANING"}}, {}};
  for (const std::size_t i : chosen) {
    const FeatureInfo& info = FeatureCatalogue()[i];
    // The twelve have rules of their own on the chip's grid; the label fits both.
    const bool own = units == UnitSystem::kChip && i < kFeatureCount;
    const auto meaning = own ? FeatureLabel(static_cast<Feature>(i)) : info.definition;
    table.rows.push_back(
        {FeatureNameWithUnit(info, units), ShowValue(values[i]), std::string(meaning)});
  }
  return table;
}

nlohmann::json FeatureJson(std::span<const double> values, std::span<const std::size_t> chosen,
                           UnitSystem units) {
  nlohmann::json json = nlohmann::json::object();
  for (const std::size_t i : chosen) {
    json[FeatureNameWithUnit(FeatureCatalogue()[i], units)] = OrNull(values[i]);
  }
  return json;
}

Table FeaturesOfSweeps(const std::vector<Sweep>& sweeps,
                       const std::vector<RecordingFeatures>& features,
                       std::span<const std::size_t> chosen) {
  Table table{{{"SWEEP"}, {"STEP (pA)", true}}, {}};
  for (const std::size_t i : chosen) {
    const FeatureInfo& info = FeatureCatalogue()[i];
    table.columns.push_back({FeatureNameWithUnit(info, UnitSystem::kRecording), true});
  }
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    const std::optional<double> amplitude = sweeps[s].amplitude_pa;
    std::vector<std::string> row{sweeps[s].info.name,
                                 amplitude ? fmt::format("{:.4g}", *amplitude) : "unknown"};
    for (const std::size_t i : chosen) row.push_back(ShowValue(features[s].values[i]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace inferon::cli
