// inferon recording info
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/cli/recording_commands.h"
#include "client/cli/recording_view.h"

namespace inferon::cli {
namespace {

int InfoOfOne(CommandContext& context, const RecordingCommandOptions& options,
              const std::string& format, const Sweep& sweep) {
  WarnAbout(context.console, sweep);
  context.console.Print(SweepTable(options.given.file, sweep, options.Detection()));
  nlohmann::json json = SweepJson(sweep, options.Detection());
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
        nlohmann::json json = SweepJson(*sweep, options.Detection());
        row[4] = fmt::format("{}", json["spikes"].get<std::size_t>());
        row[5] = DescribeStep(*sweep);
        for (const std::string& doubt : FindDoubts(sweep->recording)) {
          context.console.Warn(fmt::format("{}: {}", info.name, doubt));
        }
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

}  // namespace

int ShowRecording(CommandContext& context, const RecordingCommandOptions& options) {
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

}  // namespace inferon::cli
