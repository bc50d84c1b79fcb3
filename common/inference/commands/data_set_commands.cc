// dataset import|list
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/inference/commands/commands.h"
#include "common/inference/commands/files.h"
#include "common/inference/names.h"

namespace inferon::commands {
namespace {

using nlohmann::json;

struct ImportOptions {
  std::string id, theta, x, traces, prior;
  std::string invalid = "refuse";
  std::string project = "default";
};

tl::unexpected<Failure> BadInput(Error error) {
  return tl::unexpected(Failure{std::move(error), true});
}
tl::unexpected<Failure> BadCall(Error error) {
  return tl::unexpected(Failure{std::move(error), false});
}

json InfoJson(const DataSetInfo& info) {
  return {{"dataset", info.spec.id},
          {"project", info.spec.project},
          {"rows", info.rows},
          {"dropped", info.dropped},
          {"columns", info.spec.columns},
          {"traces", info.spec.traces},
          {"prior", json::parse(PriorJson(info.spec.prior))},
          {"sha256", info.sha256},
          {"warnings", info.warnings}};
}

Outcome Import(Context& context, const ImportOptions& options) {
  if (options.x.empty() == options.traces.empty()) {
    return BadInput({ErrorCode::kInvalidArgument,
                     options.x.empty() ? "no x is given" : "x is given twice",
                     "Give either --x FILE or --traces FILE",
                     {}});
  }
  const auto text = ReadFile(options.prior, kMaxPriorBytes);
  if (!text) return BadInput(text.error());
  DataSetSpec spec;
  auto prior = ParsePrior(*text);
  if (!prior) return BadInput(prior.error());
  spec.id = options.id;
  spec.prior = std::move(*prior);
  spec.traces = !options.traces.empty();
  spec.project = options.project;
  spec.invalid = options.invalid == "drop"      ? InvalidRows::kDrop
                 : options.invalid == "missing" ? InvalidRows::kMissing
                                                : InvalidRows::kRefuse;
  if (Status ok = CheckId("data set", spec.id); !ok) return BadInput(ok.error());
  if (Status ok = CheckId("project", spec.project); !ok) return BadInput(ok.error());
  auto reader =
      PairReader::Open(options.theta, spec.traces ? options.traces : options.x, spec.prior);
  if (!reader) return BadInput(reader.error());
  spec.columns = reader->columns();
  spec.x_names = reader->x_names();
  bool input = false;  // Whether an error came from the files.
  const auto next = [&]() -> Result<DataSetRows> {
    auto rows = reader->Next();
    input = !rows;
    context.screen.Progress("import", "rows", reader->rows_read(), 0, {});
    return rows;
  };
  const auto info = context.engine.ImportDataSet(spec, next, context.stop);
  context.screen.EndProgress();
  if (!info) {
    return tl::unexpected(
        Failure{info.error(), input || info.error().code == ErrorCode::kInvalidArgument});
  }
  for (const std::string& warning : info->warnings) context.screen.Warn(warning);
  context.screen.Print(fmt::format("Data set {}: {} rows of {} parameters and {} {}, {} dropped",
                                   info->spec.id, info->rows, info->spec.prior.dimension(),
                                   info->spec.columns, info->spec.traces ? "points" : "values of x",
                                   info->dropped));
  context.screen.PrintJson(InfoJson(*info));
  return {};
}

Outcome List(Context& context) {
  const auto all = context.engine.ListDataSets(context.stop);
  if (!all) return BadCall(all.error());
  std::vector<std::vector<std::string>> rows;
  json list = json::array();
  for (const DataSetInfo& info : *all) {
    rows.push_back({info.spec.id, std::to_string(info.rows), std::to_string(info.spec.columns),
                    info.spec.traces ? "traces" : "values",
                    fmt::format("{}", fmt::join(info.spec.prior.Names(), ", "))});
    list.push_back(InfoJson(info));
  }
  if (rows.empty()) {
    context.screen.Print("No data sets. Make one with 'dataset import'.");
  } else {
    context.screen.PrintTable({"DATASET", ">ROWS", ">COLUMNS", "X", "PARAMETERS"}, rows);
  }
  context.screen.PrintJson({{"datasets", list}});
  return {};
}

}  // namespace

void AddDataSetCommands(CLI::App& app, const OnSelected& on_selected) {
  CLI::App& group =
      *app.add_subcommand("dataset", "Parameters and outputs of a simulator of your own");
  group.require_subcommand(1);
  const auto import = std::make_shared<ImportOptions>();
  import->id = "dataset";
  CLI::App& command = *group.add_subcommand("import", "Import theta and x from files");
  command.add_option("--dataset", import->id, "Id of the data set");
  command.add_option("--theta", import->theta, "Parameters, one set a row: CSV or NPY")
      ->required()
      ->type_name("FILE");
  command.add_option("--x", import->x, "Simulated values, one row for each of theta: CSV or NPY")
      ->type_name("FILE");
  command.add_option("--traces", import->traces, "Simulated time series, one a row: CSV or NPY")
      ->type_name("FILE");
  command.add_option("--prior", import->prior, "Prior of the parameters: JSON")
      ->required()
      ->type_name("FILE");
  command
      .add_option("--invalid", import->invalid,
                  "Rows with nan or inf: refuse, drop, or nan in x counts as missing")
      ->check(CLI::IsMember({"refuse", "drop", "missing"}));
  command.add_option("--project", import->project, "Project that it and its models belong to")
      ->type_name("ID");
  on_selected(command, [import](Context& context) { return Import(context, *import); });

  CLI::App& list = *group.add_subcommand("list", "All data sets, newest first");
  on_selected(list, [](Context& context) { return List(context); });

  AddExportCommand(group, on_selected);
  AddProposeCommand(group, on_selected);
}

}  // namespace inferon::commands
