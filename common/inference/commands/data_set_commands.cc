// dataset import|list|export
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/inference/commands/commands.h"
#include "common/inference/commands/files.h"
#include "common/inference/names.h"
#include "common/tables/npy_writer.h"
#include "common/tables/npz.h"

namespace inferon::commands {
namespace {

using nlohmann::json;

struct ImportOptions {
  std::string id, theta, x, traces, prior;
  std::string invalid = "refuse";
  std::string project = "default";
};

struct ExportOptions {
  std::string id, out;
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

// Writes rows to two NPY files beside each other.
class NpyExport {
 public:
  NpyExport(std::filesystem::path theta, std::filesystem::path x)
      : theta_path_(std::move(theta)), x_path_(std::move(x)) {}
  void Take(const DataSetRows& rows, std::size_t d, std::size_t columns) {
    if (!theta_) {
      theta_ = std::make_unique<NpyWriter>(theta_path_, "<f8", std::vector<std::uint64_t>{d});
      x_ = std::make_unique<NpyWriter>(x_path_, "<f4", std::vector<std::uint64_t>{columns});
    }
    const std::uint64_t n = rows.theta.size() / d;
    theta_->Append<double>(rows.theta, n);
    x_->Append<float>(rows.x, n);
  }
  void Close() {
    if (!theta_) return;
    theta_->Close();
    x_->Close();
  }

 private:
  const std::filesystem::path theta_path_, x_path_;
  std::unique_ptr<NpyWriter> theta_, x_;
};

void WriteCsvRows(std::ofstream& out, const DataSetRows& rows, std::size_t d, std::size_t columns) {
  const std::size_t n = rows.theta.size() / d;
  for (std::size_t i = 0; i < n; ++i) {
    out << fmt::format("{},{}\n", fmt::join(std::span(rows.theta).subspan(i * d, d), ","),
                       fmt::join(std::span(rows.x).subspan(i * columns, columns), ","));
  }
}

std::string CsvHeader(const DataSetInfo& info) {
  std::vector<std::string> names = info.spec.prior.Names();
  for (std::uint64_t c = 0; c < info.spec.columns; ++c) {
    names.push_back(info.spec.x_names.empty() ? fmt::format("x_{}", c + 1) : info.spec.x_names[c]);
  }
  return fmt::format("{}\n", fmt::join(names, ","));
}

// The data set's description, looked up among all.
Result<DataSetInfo> Find(Context& context, const std::string& id) {
  const auto all = context.engine.ListDataSets(context.stop);
  if (!all) return tl::unexpected(all.error());
  for (const DataSetInfo& info : *all) {
    if (info.spec.id == id) return info;
  }
  return Fail(ErrorCode::kNotFound, fmt::format("there is no data set {}", id),
              "List the data sets with 'dataset list'");
}

Outcome Export(Context& context, const ExportOptions& options) {
  const std::filesystem::path out = options.out;
  const std::string ending = out.extension().string();
  if (ending != ".npz" && ending != ".csv" && ending != ".npy") {
    return BadInput({ErrorCode::kInvalidArgument,
                     fmt::format("'{}' ends neither in .npz nor in .npy nor in .csv", options.out),
                     "Choose one of these formats by the file's ending",
                     {}});
  }
  const auto info = Find(context, options.id);
  if (!info) return BadCall(info.error());
  const std::size_t d = info->spec.prior.dimension(), columns = info->spec.columns;
  const TemporaryFolder scratch;
  std::filesystem::path theta = out, x = out;
  if (ending == ".npz") {
    theta = scratch.path() / "theta.npy";
    x = scratch.path() / "x.npy";
  } else {
    theta.replace_extension(".theta.npy");
    x.replace_extension(".x.npy");
  }
  NpyExport arrays(theta, x);
  std::ofstream csv;
  if (ending == ".csv") {
    csv.exceptions(std::ios::failbit | std::ios::badbit);
    csv.open(out, std::ios::trunc);
    csv << CsvHeader(*info);
  }
  const auto take = [&](const DataSetRows& rows) -> Status {
    if (ending == ".csv") {
      WriteCsvRows(csv, rows, d, columns);
    } else {
      arrays.Take(rows, d, columns);
    }
    return {};
  };
  if (auto done = context.engine.ExportDataSet(options.id, take, context.stop); !done) {
    return BadCall(done.error());
  }
  arrays.Close();
  json files = json::array();
  if (ending == ".npz") {
    if (Status ok = WriteNpz(out, {{"theta.npy", theta}, {"x.npy", x}}); !ok) {
      return BadInput(ok.error());
    }
  }
  if (ending == ".npy") {
    files = {theta.string(), x.string()};
  } else {
    files = {out.string()};
  }
  context.screen.Print(fmt::format("{} rows of data set {}: {}", info->rows, options.id,
                                   fmt::join(files.get<std::vector<std::string>>(), ", ")));
  context.screen.PrintJson({{"dataset", options.id}, {"rows", info->rows}, {"files", files}});
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

  const auto out = std::make_shared<ExportOptions>();
  CLI::App& exported = *group.add_subcommand("export", "Write a data set to a file");
  exported.add_option("--dataset", out->id, "Data set")->required();
  exported
      .add_option("--out,-o", out->out,
                  ".npz (theta and x), .npy (two files, NAME.theta.npy and NAME.x.npy) or .csv")
      ->required()
      ->type_name("FILE");
  on_selected(exported, [out](Context& context) { return Export(context, *out); });
}

}  // namespace inferon::commands
