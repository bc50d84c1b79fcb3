// inferon recording info|features|convert|plot
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/recording_chip.h"
#include "client/cli/recording_options.h"
#include "client/cli/recording_plot.h"
#include "client/cli/recording_view.h"
#include "common/base/files.h"
#include "common/features/chip_features.h"
#include "common/features/features.h"

namespace inferon::cli {
namespace {

struct RecordingCommandOptions {
  RecordingOptionsGiven given;
  std::string spikes = "slope";
  SpikeSettings detection;
  ChipOptions chip;
  std::string features = "all";
  std::string out;
};

SpikeSettings Detection(const RecordingCommandOptions& options) {
  SpikeSettings settings = options.detection;
  settings.method = options.spikes == "crossing" ? SpikeMethod::kCrossing : SpikeMethod::kSlope;
  return settings;
}

// --- info ---

int InfoOfOne(CommandContext& context, const RecordingCommandOptions& options,
              const std::string& format, const Sweep& sweep) {
  WarnAbout(context.console, sweep);
  context.console.Print(SweepTable(options.given.file, sweep, Detection(options)));
  nlohmann::json json = SweepJson(sweep, Detection(options));
  json["file"] = options.given.file;
  json["format"] = format;
  context.console.PrintJson(json);
  return kOk;
}

// Every sweep of a file with several, also those that cannot be analysed.
int InfoOfAll(CommandContext& context, const RecordingCommandOptions& options,
              const RecordingFile& file) {
  Table table{
      {{"SWEEP", true}, {"NAME"}, {"SAMPLES", true}, {"kHz", true}, {"SPIKES", true}, {"STEP"}},
      {}};
  nlohmann::json sweeps = nlohmann::json::array();
  for (std::size_t i = 0; i < file.sweeps().size(); ++i) {
    const SweepInfo& info = file.sweeps()[i];
    std::vector<std::string> row{info.number ? fmt::format("{}", *info.number) : "",
                                 info.name,
                                 fmt::format("{}", info.samples),
                                 fmt::format("{:g}", info.rate_khz),
                                 "",
                                 info.problem};
    if (info.problem.empty()) {
      const Result<Sweep> sweep = ReadSweep(file, i, options.given);
      if (sweep) {
        nlohmann::json json = SweepJson(*sweep, Detection(options));
        row[4] = fmt::format("{}", json["spikes"].get<std::size_t>());
        row[5] = DescribeStep(*sweep);
        sweeps.push_back(std::move(json));
        table.rows.push_back(std::move(row));
        continue;
      }
      row[5] = sweep.error().message;
    }
    sweeps.push_back({{"sweep", info.name},
                      {"number", info.number ? nlohmann::json(*info.number) : nullptr},
                      {"samples", info.samples},
                      {"problem", row[5]}});
    table.rows.push_back(std::move(row));
  }
  context.console.Print(table);
  context.console.PrintJson({{"file", options.given.file},
                             {"format", std::string(file.format())},
                             {"sweeps", std::move(sweeps)}});
  return kOk;
}

int Info(CommandContext& context, const RecordingCommandOptions& options) {
  const auto file = OpenRecording(options.given.file, options.given.read);
  if (!file) return context.console.FailedInput(file.error());
  const bool one = !options.given.sweep.empty() && options.given.sweep != kAllSteps;
  if (!one && (*file)->sweeps().size() > 1) return InfoOfAll(context, options, **file);
  std::size_t index = 0;
  if (one) {
    const Result<std::size_t> found = FindSweep(**file, options.given.sweep);
    if (!found) return context.console.FailedInput(found.error());
    index = *found;
  }
  const Result<Sweep> sweep = ReadSweep(**file, index, options.given);
  if (!sweep) return context.console.FailedInput(sweep.error());
  return InfoOfOne(context, options, std::string((*file)->format()), *sweep);
}

// --- features ---

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
                   const ChosenSweeps& chosen, std::span<const std::size_t> features) {
  std::vector<RecordingFeatures> found;
  nlohmann::json sweeps = nlohmann::json::array();
  for (const Sweep& sweep : chosen.sweeps) {
    WarnAbout(context.console, sweep);
    found.push_back(FeaturesOf(sweep, Detection(options)));
    SayWhatIsMissing(context.console, sweep, found.back());
    sweeps.push_back(NativeJson(sweep, found.back(), features));
  }
  for (const SkippedSweep& skipped : chosen.skipped) {
    context.console.Note(fmt::format("{} is left out: {}.", skipped.name, skipped.reason));
  }
  nlohmann::json json;
  if (chosen.in_file == 1 || (chosen.sweeps.size() == 1 && chosen.skipped.empty())) {
    const Sweep& sweep = chosen.sweeps.front();
    context.console.Print(FeatureTable(found.front().values, features, UnitSystem::kRecording));
    context.console.Print(
        fmt::format("Step: {}. Spikes by {}.",
                                      sweep.step ? DescribeStep(sweep) : "not known",
                                      options.spikes));
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

int ShowFeatures(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<std::vector<std::size_t>> features = ChooseFeatures(options.features);
  if (!features) return context.console.FailedInput(features.error());
  if (options.chip.chip) return ChipFeatures(context, options, *features);
  const Result<ChosenSweeps> chosen = ReadSweeps(options.given);
  if (!chosen) return context.console.FailedInput(chosen.error());
  return NativeFeatures(context, options, *chosen, *features);
}

// --- convert, plot ---

std::string ToCsv(const Recording& recording) {
  const bool with_current = !recording.current_pa.empty();
  std::string text = with_current ? "time_ms,voltage_mV,current_pA\n" : "time_ms,voltage_mV\n";
  for (std::size_t k = 0; k < recording.time_ms.size(); ++k) {
    fmt::format_to(std::back_inserter(text), "{},{}", recording.time_ms[k],
                   recording.voltage_mv[k]);
    if (with_current) fmt::format_to(std::back_inserter(text), ",{}", recording.current_pa[k]);
    text += '\n';
  }
  return text;
}

int ConvertOne(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<Sweep> sweep = ReadOneSweep(options.given);
  if (!sweep) return context.console.FailedInput(sweep.error());
  WarnAbout(context.console, *sweep);
  if (!options.chip.chip) {
    WriteFileAtomically(options.out, ToCsv(sweep->recording));
    context.console.Print(fmt::format("{}: {} samples of {}.", options.out,
                                      sweep->recording.time_ms.size(), sweep->info.name));
    context.console.PrintJson({{"files", {options.out}}});
    return kOk;
  }
  const Result<ChipSweep> mapped = MapSweep(*sweep, options.chip);
  if (!mapped) return context.console.FailedInput(mapped.error());
  WriteFileAtomically(options.out, ObservationFrame(*mapped, options.given.file, sweep->info.name));
  context.console.Print(fmt::format("{}: one observation of {} points.", options.out,
                                    mapped->recorded.observation.trace.size()));
  context.console.Print(DescribeMap(mapped->recorded));
  nlohmann::json json = MapJson(*mapped);
  json["files"] = {options.out};
  context.console.PrintJson(json);
  return kOk;
}

int Convert(CommandContext& context, const RecordingCommandOptions& options) {
  if (options.given.sweep != kAllSteps) return ConvertOne(context, options);
  if (options.chip.chip) {
    return context.console.FailedInput({ErrorCode::kInvalidArgument,
                                        "--chip converts one sweep at a time",
                                        "Give its number with --sweep N",
                                        {}});
  }
  const Result<ChosenSweeps> chosen = ReadSweeps(options.given);
  if (!chosen) return context.console.FailedInput(chosen.error());
  std::filesystem::create_directories(options.out);
  nlohmann::json files = nlohmann::json::array();
  for (const Sweep& sweep : chosen->sweeps) {
    WarnAbout(context.console, sweep);
    const std::string name =
        (std::filesystem::path(options.out) / std::filesystem::path(sweep.info.name).filename())
            .replace_extension(".csv")
            .string();
    WriteFileAtomically(name, ToCsv(sweep.recording));
    context.console.Print(fmt::format("{}: {} samples.", name, sweep.recording.time_ms.size()));
    files.push_back(name);
  }
  for (const SkippedSweep& skipped : chosen->skipped) {
    context.console.Note(fmt::format("{} is left out: {}.", skipped.name, skipped.reason));
  }
  context.console.PrintJson({{"files", std::move(files)}});
  return kOk;
}

int Plot(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<Sweep> sweep = ReadOneSweep(options.given);
  if (!sweep) return context.console.FailedInput(sweep.error());
  WarnAbout(context.console, *sweep);
  const RecordingFeatures found = FeaturesOf(*sweep, Detection(options));
  if (Status drawn = PlotSweep(options.given.file, *sweep, found, options.out); !drawn) {
    return context.console.FailedInput(drawn.error());
  }
  context.console.Print(fmt::format("{}: {}.", options.out, sweep->info.name));
  context.console.PrintJson({{"files", {options.out}}});
  return kOk;
}

void AddSpikeOptions(CLI::App& command, RecordingCommandOptions& options) {
  command
      .add_option("--spikes", options.spikes,
                  "How spikes are found: by slope as IPFX, or as crossings of a level")
      ->check(CLI::IsMember({"slope", "crossing"}));
  command.add_option("--spike-level", options.detection.crossing_level,
                     "Level of --spikes crossing, and of the spike anchor of --chip, mV");
  command
      .add_option("--least-slope", options.detection.least_slope, "Slope that makes a spike, mV/ms")
      ->check(CLI::PositiveNumber);
}

struct Command {
  CLI::App& app;
  std::shared_ptr<RecordingCommandOptions> options;
};

// A subcommand with the options that all have; `chip` adds those of the chip's view.
Command AddCommand(CLI::App& recordings, CommandContext& context, const char* name,
                   const char* what, bool chip,
                   int (*run)(CommandContext&, const RecordingCommandOptions&)) {
  auto options = std::make_shared<RecordingCommandOptions>();
  CLI::App& command = *recordings.add_subcommand(name, what);
  AddRecordingOptions(command, options->given);
  AddSpikeOptions(command, *options);
  if (chip) AddChipOptions(command, options->chip);
  OnSelected(command, context, [&context, &command, options, run, chip] {
    if (chip) {
      const std::size_t given =
          command.count("--step") + command.count("--duration") + command.count("--grid-step");
      options->chip.protocol_given = given > 0;
      options->chip.spike_level_mv = options->detection.crossing_level;
    }
    return run(context, *options);
  });
  return {command, options};
}

}  // namespace

void AddRecordingCommands(CLI::App& app, CommandContext& context) {
  CLI::App& recordings = *app.add_subcommand("recording", "Look at recorded membrane traces");
  recordings.require_subcommand(1);
  AddCommand(recordings, context, "info", "What a recording holds: sweeps, steps, spikes", false,
             Info);
  const Command features =
      AddCommand(recordings, context, "features",
                 "Features of a recording at its native rate, in ms and mV", true, ShowFeatures);
  features.app
      .add_option("--features", features.options->features,
                  "all, twelve, or names separated by commas")
      ->type_name("NAMES");
  const Command convert =
      AddCommand(recordings, context, "convert",
                 "Write a sweep as CSV or, with --chip, as an observation frame", true, Convert);
  convert.app
      .add_option("--out", convert.options->out,
                  "File to write; with --sweep all-steps the folder for one CSV a sweep")
      ->required()
      ->type_name("FILE|FOLDER");
  const Command plot = AddCommand(recordings, context, "plot",
                                  "Draw a sweep with its step and its spikes", false, Plot);
  plot.app.add_option("--out", plot.options->out, "Picture to write, .svg or .png")
      ->required()
      ->type_name("FILE");
}

}  // namespace inferon::cli
