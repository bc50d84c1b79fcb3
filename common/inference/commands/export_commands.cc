// dataset export: a data set, or a round of experiments of a study.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/inference/commands/commands.h"
#include "common/tables/archive.h"

namespace inferon::commands {
namespace {

using nlohmann::json;

struct ExportOptions {
  std::string id, study, round = "constrained", out;
};

tl::unexpected<Failure> BadInput(Error error) {
  return tl::unexpected(Failure{std::move(error), true});
}
tl::unexpected<Failure> BadCall(Error error) {
  return tl::unexpected(Failure{std::move(error), false});
}

// A table in a CSV file, which appears when it is closed.
class CsvFile {
 public:
  CsvFile(std::filesystem::path path, const std::vector<std::string>& names)
      : path_(std::move(path)), part_(path_.string() + ".part") {
    out_.exceptions(std::ios::failbit | std::ios::badbit);
    out_.open(part_, std::ios::trunc);
    out_ << fmt::format("{}\n", fmt::join(names, ","));
  }
  ~CsvFile() {
    std::error_code ignored;
    std::filesystem::remove(part_, ignored);
  }
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

  // Rows of two arrays side by side.
  template <typename A, typename B>
  void Append(const std::vector<A>& left, std::size_t left_columns, const std::vector<B>& right,
              std::size_t right_columns) {
    for (std::size_t i = 0; i < left.size() / left_columns; ++i) {
      out_ << fmt::format(
          "{},{}\n", fmt::join(std::span(left).subspan(i * left_columns, left_columns), ","),
          fmt::join(std::span(right).subspan(i * right_columns, right_columns), ","));
    }
  }
  void Close() {
    out_.close();
    std::filesystem::rename(part_, path_);
  }

 private:
  const std::filesystem::path path_, part_;
  std::ofstream out_;
};

bool IsCsv(const std::string& path) { return std::filesystem::path(path).extension() == ".csv"; }

std::vector<std::string> XNames(const DataSetInfo& info) {
  if (!info.spec.x_names.empty()) return info.spec.x_names;
  std::vector<std::string> names;
  for (std::uint64_t c = 0; c < info.spec.columns; ++c) names.push_back(fmt::format("x_{}", c + 1));
  return names;
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

Result<std::unique_ptr<ArrayArchive>> ArchiveOf(const DataSetInfo& info, const std::string& out) {
  std::vector<std::string> units;
  for (const ParameterPrior& parameter : info.spec.prior.parameters) {
    units.push_back(parameter.unit);
  }
  ArraySpec theta{"theta", "<f8", {info.spec.prior.dimension()}};
  theta.texts = {{"names", info.spec.prior.Names()}, {"units", std::move(units)}};
  ArraySpec x{"x", "<f4", {info.spec.columns}};
  if (!info.spec.traces) x.texts = {{"names", XNames(info)}};
  return CreateArchive(out, {std::move(theta), std::move(x)},
                       {{"dataset", info.spec.id},
                        {"prior", PriorJson(info.spec.prior)},
                        {"sha256", info.sha256},
                        {"x_is", info.spec.traces ? "traces" : "values"}});
}

Outcome Done(Context& context, std::uint64_t rows, const std::string& what, const json& object,
             const std::vector<std::string>& files) {
  context.screen.Print(fmt::format("{} rows of {}: {}", rows, what, fmt::join(files, ", ")));
  json all = object;
  all["rows"] = rows;
  all["files"] = files;
  context.screen.PrintJson(all);
  return {};
}

std::vector<std::string> Texts(const std::vector<std::filesystem::path>& paths) {
  return {paths.begin(), paths.end()};
}

Outcome ExportDataSet(Context& context, const ExportOptions& options) {
  const auto info = Find(context, options.id);
  if (!info) return BadCall(info.error());
  const std::size_t d = info->spec.prior.dimension(), columns = info->spec.columns;
  std::unique_ptr<ArrayArchive> archive;
  std::optional<CsvFile> csv;
  if (IsCsv(options.out)) {
    std::vector<std::string> names = info->spec.prior.Names(), x_names = XNames(*info);
    names.insert(names.end(), x_names.begin(), x_names.end());
    csv.emplace(options.out, names);
  } else {
    auto made = ArchiveOf(*info, options.out);
    if (!made) return BadInput(made.error());
    archive = std::move(*made);
  }
  const auto take = [&](const DataSetRows& rows) -> Status {
    if (csv) {
      csv->Append(rows.theta, d, rows.x, columns);
      return {};
    }
    const std::uint64_t n = rows.theta.size() / d;
    Status ok = archive->Append(0, BytesOf(std::span<const double>(rows.theta)), n);
    return ok ? archive->Append(1, BytesOf(std::span<const float>(rows.x)), n) : ok;
  };
  const auto done = context.engine.ExportDataSet(options.id, take, context.stop);
  if (!done) return BadCall(done.error());
  if (csv) csv->Close();
  if (archive) {
    if (Status ok = archive->Close(); !ok) return BadInput(ok.error());
  }
  return Done(context, info->rows, "data set " + options.id, {{"dataset", options.id}},
              archive ? Texts(archive->Files()) : std::vector{options.out});
}

Result<std::unique_ptr<ArrayArchive>> ArchiveOf(const StudyRoundInfo& info,
                                                const std::string& out) {
  ArraySpec codes{"codes", "<u2", {info.parameters.size()}};
  codes.texts = {{"names", info.parameters}};
  ArraySpec features{"features", "<f4", {info.features.size()}};
  features.texts = {{"names", info.features}};
  ArraySpec trace{"trace", "<u2", {info.points}};
  trace.texts = {{"units", {"counts"}}, {"grid_step_us", {fmt::format("{}", info.grid_step_us)}}};
  ArraySpec times{"spike_times", "<f4", {}};
  times.texts = {{"units", {"us"}}};
  return CreateArchive(out,
                       {std::move(codes), std::move(features), std::move(trace),
                        ArraySpec{"spike_count", "<u4", {}}, std::move(times)},
                       {{"study", info.study}, {"round", info.round}, {"sha256", info.sha256}});
}

Status AppendRows(ArrayArchive& archive, const StudyRows& rows) {
  const std::uint64_t n = rows.spike_count.size();
  Status ok = archive.Append(0, BytesOf(std::span<const std::uint16_t>(rows.codes)), n);
  if (ok) ok = archive.Append(1, BytesOf(std::span<const float>(rows.features)), n);
  if (ok) ok = archive.Append(2, BytesOf(std::span<const std::uint16_t>(rows.trace)), n);
  if (ok) ok = archive.Append(3, BytesOf(std::span<const std::uint32_t>(rows.spike_count)), n);
  if (!ok) return ok;
  return archive.Append(4, BytesOf(std::span<const float>(rows.spike_time_us)),
                        rows.spike_time_us.size());
}

Outcome ExportStudy(Context& context, const ExportOptions& options) {
  std::unique_ptr<ArrayArchive> archive;
  std::optional<CsvFile> csv;
  const auto open = [&](const StudyRoundInfo& info) -> Status {
    if (IsCsv(options.out)) {
      std::vector<std::string> names = info.parameters;
      names.insert(names.end(), info.features.begin(), info.features.end());
      csv.emplace(options.out, names);
      return {};
    }
    auto made = ArchiveOf(info, options.out);
    if (!made) return tl::unexpected(made.error());
    archive = std::move(*made);
    return {};
  };
  const auto take = [&](const StudyRoundInfo& info, const StudyRows& rows) -> Status {
    if (!csv && !archive) {
      if (Status ok = open(info); !ok) return ok;
    }
    if (!csv) return AppendRows(*archive, rows);
    csv->Append(rows.codes, info.parameters.size(), rows.features, info.features.size());
    return {};
  };
  const auto info =
      context.engine.ExportStudyRound(options.study, options.round, take, context.stop);
  if (!info) return BadCall(info.error());
  if (csv) csv->Close();
  if (archive) {
    if (Status ok = archive->Close(); !ok) return BadInput(ok.error());
  }
  if (csv) context.screen.Print("Traces and spikes do not fit a table: choose .npz or .h5");
  return Done(context, info->rows,
              fmt::format("round {} of study {}", options.round, options.study),
              {{"study", options.study}, {"round", options.round}},
              archive ? Texts(archive->Files()) : std::vector{options.out});
}

Outcome Export(Context& context, const ExportOptions& options) {
  if (options.id.empty() == options.study.empty()) {
    return BadInput({ErrorCode::kInvalidArgument,
                     options.id.empty() ? "nothing to export is named" : "two exports are named",
                     "Give either --dataset or --study",
                     {}});
  }
  const std::string ending = std::filesystem::path(options.out).extension().string();
  if (ending != ".csv" && ending != ".npz" && ending != ".npy" && ending != ".h5" &&
      ending != ".hdf5") {
    return BadInput(
        {ErrorCode::kInvalidArgument,
         fmt::format("'{}' ends neither in .npz nor in .npy nor in .h5 nor in .csv", options.out),
         "Choose one of these formats by the file's ending",
         {}});
  }
  return options.study.empty() ? ExportDataSet(context, options) : ExportStudy(context, options);
}

}  // namespace

void AddExportCommand(CLI::App& data_sets, const OnSelected& on_selected) {
  const auto out = std::make_shared<ExportOptions>();
  CLI::App& exported =
      *data_sets.add_subcommand("export", "Write a data set, or a study's own data, to a file");
  exported.add_option("--dataset", out->id, "Data set");
  exported.add_option("--study", out->study, "Study, in place of a data set");
  exported
      .add_option("--round", out->round,
                  "Of the study: uniform, calibration, audit, constrained, validation or target")
      ->capture_default_str();
  exported
      .add_option("--out,-o", out->out,
                  ".npz, .h5 (HDF5), .npy (one file an array, NAME.theta.npy and so on) or .csv")
      ->required()
      ->type_name("FILE");
  on_selected(exported, [out](Context& context) { return Export(context, *out); });
}

}  // namespace inferon::commands
