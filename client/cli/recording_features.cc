// inferon recording features
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <numeric>

#include "client/cli/exit_codes.h"
#include "client/cli/recording_commands.h"
#include "client/cli/recording_view.h"
#include "common/features/chip_features.h"
#include "common/features/features.h"

namespace inferon::cli {
namespace {

Result<std::vector<std::size_t>> ChooseFeatures(const std::string& names) {
  std::vector<std::size_t> chosen(names == "all" ? FeatureCatalogue().size() : kFeatureCount);
  std::iota(chosen.begin(), chosen.end(), 0);
  if (names == "all" || names == "twelve") return chosen;
  chosen.clear();
  for (const std::string& name : CLI::detail::split(names, ',')) {
    const std::optional<std::size_t> found = FindFeature(name);
    if (!found) {
      return InvalidArgument(fmt::format("there is no feature '{}'", name),
                             "Give all, twelve or names of docs/features.md, for example "
                             "latency,mean_isi,threshold");
    }
    chosen.push_back(*found);
  }
  return chosen;
}

// What a table of one sweep does not show by itself.
void SayWhatIsMissing(Console& console, const Sweep& sweep, const RecordingFeatures& found) {
  if (!sweep.step) {
    console.Warn(
        fmt::format("{}: {}; the features are those of the whole recording, and what "
                    "refers to the step is missing: give --step-window START,STOP",
                    sweep.info.name, sweep.no_step));
  }
  if (!found.before.empty() || !found.after.empty()) {
    console.Note(
        fmt::format("{}: {} spikes before and {} after the step are not among its features.",
                    sweep.info.name, found.before.size(), found.after.size()));
  }
}

std::vector<double> SpikeTimesOf(const RecordingFeatures& found) {
  std::vector<double> times;
  for (const SpikePoints& spike : found.spikes) times.push_back(spike.time);
  return times;
}

nlohmann::json NativeJson(const Sweep& sweep, const RecordingFeatures& found,
                          std::span<const std::size_t> chosen) {
  return {{"sweep", sweep.info.name},
          {"features", FeatureJson(found.values, chosen, UnitSystem::kRecording)},
          {"step", StepJson(sweep)},
          {"spike_times_ms", SpikeTimesOf(found)},
          {"spike_times_before_ms", found.before},
          {"spike_times_after_ms", found.after},
          {"doubts", FindDoubts(sweep.recording)},
          {"notes", sweep.recording.notes}};
}

int NativeFeatures(CommandContext& context, const RecordingCommandOptions& options,
                   std::span<const std::size_t> features) {
  std::vector<RecordingFeatures> found;
  nlohmann::json sweeps = nlohmann::json::array();
  const Result<ChosenSweeps> read = ReadSweeps(options.given, [&](const Sweep& sweep) {
    WarnAbout(context.console, sweep);
    found.push_back(FeaturesOf(sweep, options.Detection()));
    SayWhatIsMissing(context.console, sweep, found.back());
    sweeps.push_back(NativeJson(sweep, found.back(), features));
  });
  if (!read) return context.console.FailedInput(read.error());
  const ChosenSweeps& chosen = *read;
  for (const SkippedSweep& skipped : chosen.skipped) {
    context.console.Note(fmt::format("{} is left out: {}.", skipped.name, skipped.reason));
  }
  nlohmann::json json;
  if (chosen.in_file == 1 || (chosen.sweeps.size() == 1 && chosen.skipped.empty())) {
    const Sweep& sweep = chosen.sweeps.front();
    context.console.Print(FeatureTable(found.front().values, features, UnitSystem::kRecording));
    context.console.Print(fmt::format(
        "Step: {}. Spikes by {}.", sweep.step ? DescribeStep(sweep) : "not known", options.spikes));
    json = std::move(sweeps.front());
  } else {
    const auto shown =
        features.size() == FeatureCatalogue().size() ? features.first(kFeatureCount) : features;
    context.console.Print(FeaturesOfSweeps(chosen.sweeps, found, shown));
    nlohmann::json skipped = nlohmann::json::array();
    for (const SkippedSweep& s : chosen.skipped) {
      skipped.push_back({{"sweep", s.name}, {"reason", s.reason}});
    }
    json = {{"sweeps", std::move(sweeps)}, {"skipped", std::move(skipped)}};
  }
  json["file"] = options.given.file;
  json["method"] = options.spikes;
  context.console.PrintJson(json);
  return kOk;
}

int ChipFeatures(CommandContext& context, const RecordingCommandOptions& options,
                 std::span<const std::size_t> features) {
  const Result<Sweep> sweep = ReadOneSweep(options.given);
  if (!sweep) return context.console.FailedInput(sweep.error());
  WarnAbout(context.console, *sweep);
  const Result<ChipSweep> mapped = MapSweep(*sweep, options.chip);
  if (!mapped) return context.console.FailedInput(mapped.error());
  const std::vector<double> values =
      ExtractChipFeatures(mapped->recorded.observation, mapped->protocol);
  context.console.Print(FeatureTable(values, features, UnitSystem::kChip));
  context.console.Print(DescribeMap(mapped->recorded));
  nlohmann::json json = MapJson(*mapped);
  json["features"] = FeatureJson(values, features, UnitSystem::kChip);
  json["file"] = options.given.file;
  json["sweep"] = sweep->info.name;
  context.console.PrintJson(json);
  return kOk;
}

}  // namespace

int ShowRecordingFeatures(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<std::vector<std::size_t>> features = ChooseFeatures(options.features);
  if (!features) return context.console.FailedInput(features.error());
  if (options.chip.chip) return ChipFeatures(context, options, *features);
  return NativeFeatures(context, options, *features);
}

}  // namespace inferon::cli
