// inferon recording convert|plot
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/cli/recording_commands.h"
#include "client/cli/recording_plot.h"
#include "client/cli/recording_view.h"
#include "common/base/files.h"

namespace inferon::cli {
namespace {

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

// Names that differ stay different: "cell.1" is no name with an ending.
std::string CsvName(const std::filesystem::path& folder, const std::filesystem::path& sweep) {
  std::filesystem::path file = sweep.filename();
  if (file.extension() != ".csv") file += ".csv";
  return (folder / file).string();
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

}  // namespace

int ConvertRecording(CommandContext& context, const RecordingCommandOptions& options) {
  if (options.given.sweep != kAllSteps) return ConvertOne(context, options);
  if (options.chip.chip) {
    return context.console.FailedInput({ErrorCode::kInvalidArgument,
                                        "--chip converts one sweep at a time",
                                        "Give its number with --sweep N",
                                        {}});
  }
  nlohmann::json files = nlohmann::json::array();
  const Result<ChosenSweeps> chosen = ReadSweeps(options.given, [&](const Sweep& sweep) {
    WarnAbout(context.console, sweep);
    const std::string name = CsvName(options.out, sweep.info.name);
    std::filesystem::create_directories(options.out);
    WriteFileAtomically(name, ToCsv(sweep.recording));
    context.console.Print(fmt::format("{}: {} samples.", name, sweep.recording.time_ms.size()));
    files.push_back(name);
  });
  if (!chosen) return context.console.FailedInput(chosen.error());
  for (const SkippedSweep& skipped : chosen->skipped) {
    context.console.Note(fmt::format("{} is left out: {}.", skipped.name, skipped.reason));
  }
  context.console.PrintJson({{"files", std::move(files)}});
  return kOk;
}

int PlotRecording(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<Sweep> sweep = ReadOneSweep(options.given);
  if (!sweep) return context.console.FailedInput(sweep.error());
  WarnAbout(context.console, *sweep);
  const RecordingFeatures found = FeaturesOf(*sweep, options.Detection());
  if (Status drawn = PlotSweep(options.given.file, *sweep, found, options.out); !drawn) {
    return context.console.FailedInput(drawn.error());
  }
  context.console.Print(fmt::format("{}: {}.", options.out, sweep->info.name));
  context.console.PrintJson({{"files", {options.out}}});
  return kOk;
}

}  // namespace inferon::cli
