#include "client/cli/posterior_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "client/cli/format.h"
#include "client/library/npy.h"
#include "client/report/format.h"
#include "common/base/files.h"
#include "common/figures/statistics.h"

namespace inferon::cli {
namespace {

std::string ParameterOf(const v1::Model& model, std::size_t i) {
  return static_cast<int>(i) < model.parameters_size() ? model.parameters(static_cast<int>(i))
                                                       : fmt::format("parameter {}", i + 1);
}

// Of a restricted query the report has the columns' names.
std::string ColumnOf(const client::PosteriorDraws& draws, std::size_t i) {
  if (draws.restriction && i < draws.restriction->parameters.size()) {
    return draws.restriction->parameters[i];
  }
  return ParameterOf(draws.model, i);
}

std::vector<double> CodesOf(const ParameterSets& sets, std::size_t j) {
  std::vector<double> column(sets.size());
  for (std::size_t i = 0; i < column.size(); ++i) column[i] = sets[i][j];
  return column;
}

std::vector<double> ValuesOf(const client::Predictions& predictions, std::size_t j) {
  const std::size_t features = predictions.feature_names.size();
  std::vector<double> column(predictions.sets.size());
  for (std::size_t i = 0; i < column.size(); ++i) {
    column[i] = predictions.features[i * features + j];
  }
  return column;
}

std::size_t CountMissing(const std::vector<double>& values) {
  return static_cast<std::size_t>(
      std::count_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }));
}

double ObservedFeature(const client::Predictions& predictions, std::size_t j) {
  return j < predictions.observed_features.size() ? predictions.observed_features[j] : NAN;
}

nlohmann::json JsonOf(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

// Draws of some parameters have none.
bool HasDensity(const client::PosteriorDraws& draws) { return !draws.log_density.empty(); }

std::string CsvOf(const client::PosteriorDraws& draws) {
  std::string text;
  std::vector<std::string> names;
  for (std::size_t j = 0; j < draws.sets.dimension; ++j) names.push_back(ColumnOf(draws, j));
  if (HasDensity(draws)) names.push_back("log_density");
  text = fmt::format("{}\n", fmt::join(names, ","));
  for (std::size_t i = 0; i < draws.sets.size(); ++i) {
    text += fmt::format("{}", fmt::join(draws.sets[i], ","));
    text += HasDensity(draws) ? fmt::format(",{}\n", draws.log_density[i]) : "\n";
  }
  return text;
}

void WriteNpy(const client::PosteriorDraws& draws, const std::filesystem::path& path) {
  client::NpyWriter writer(path, "<f8", {draws.sets.dimension + (HasDensity(draws) ? 1 : 0)});
  for (std::size_t i = 0; i < draws.sets.size(); ++i) {
    std::vector<double> row(draws.sets[i].begin(), draws.sets[i].end());
    if (HasDensity(draws)) row.push_back(draws.log_density[i]);
    writer.Append<double>(row, 1);
  }
  writer.Close();
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  const std::vector<double> sorted = report::SortedFinite(values);
  if (sorted.empty()) return {NAN, NAN, NAN};
  return {*report::Quantile(sorted, 0.05), *report::Quantile(sorted, 0.5),
          *report::Quantile(sorted, 0.95)};
}

std::string SupportName(v1::DensitySupport support) {
  switch (support) {
    case v1::DENSITY_SUPPORT_BOX:
      return "box";
    case v1::DENSITY_SUPPORT_CONSTRAINED:
      return "constrained prior";
    default:
      return "unknown";
  }
}

Table DrawsTable(const client::PosteriorDraws& draws) {
  Table table{{{"PARAMETER"}, {"MEDIAN", true}, {"5 %", true}, {"95 %", true}}, {}};
  for (std::size_t j = 0; j < draws.sets.dimension; ++j) {
    const Spread spread = SpreadOf(CodesOf(draws.sets, j));
    table.rows.push_back({ColumnOf(draws, j), fmt::format("{:.0f}", spread.median),
                          fmt::format("{:.0f}", spread.low), fmt::format("{:.0f}", spread.high)});
  }
  return table;
}

nlohmann::json DrawsJson(const client::PosteriorDraws& draws) {
  nlohmann::json parameters = nlohmann::json::array();
  for (std::size_t j = 0; j < draws.sets.dimension; ++j) {
    const Spread spread = SpreadOf(CodesOf(draws.sets, j));
    parameters.push_back({{"name", ColumnOf(draws, j)},
                          {"median", spread.median},
                          {"low", spread.low},
                          {"high", spread.high}});
  }
  return {{"model", draws.model.name()},
          {"draws", draws.sets.size()},
          {"support", SupportName(draws.support)},
          {"acceptance", draws.acceptance},
          {"warnings", draws.warnings},
          {"parameters", parameters}};
}

Table PredictionsTable(const client::Predictions& predictions) {
  Table table{{{"FEATURE"},
               {"OBSERVED", true},
               {"MEDIAN", true},
               {"5 %", true},
               {"95 %", true},
               {"MISSING", true}},
              {}};
  for (std::size_t j = 0; j < predictions.feature_names.size(); ++j) {
    const std::vector<double> values = ValuesOf(predictions, j);
    const Spread spread = SpreadOf(values);
    table.rows.push_back({predictions.feature_names[j],
                          report::FormatValue(ObservedFeature(predictions, j), ""),
                          report::FormatValue(spread.median, ""),
                          report::FormatValue(spread.low, ""), report::FormatValue(spread.high, ""),
                          fmt::format("{} of {}", CountMissing(values), values.size())});
  }
  return table;
}

nlohmann::json PredictionsJson(const client::Predictions& predictions) {
  nlohmann::json features = nlohmann::json::array();
  for (std::size_t j = 0; j < predictions.feature_names.size(); ++j) {
    const std::vector<double> values = ValuesOf(predictions, j);
    const Spread spread = SpreadOf(values);
    features.push_back({{"name", predictions.feature_names[j]},
                        {"observed", JsonOf(ObservedFeature(predictions, j))},
                        {"median", JsonOf(spread.median)},
                        {"low", JsonOf(spread.low)},
                        {"high", JsonOf(spread.high)},
                        {"missing", CountMissing(values)}});
  }
  return {{"draws", predictions.sets.size()},
          {"job", predictions.job},
          {"warnings", predictions.warnings},
          {"features", features}};
}

Status CheckDrawsPath(const std::filesystem::path& path) {
  if (path.extension() == ".csv" || path.extension() == ".npy") return {};
  return InvalidArgument("'" + path.string() + "' ends neither in .csv nor in .npy",
                         "Choose one of these two formats by the file's ending");
}

Status WriteDraws(const client::PosteriorDraws& draws, const std::filesystem::path& path) {
  if (Status ok = CheckDrawsPath(path); !ok) return ok;
  if (path.extension() == ".npy") {
    WriteNpy(draws, path);
  } else {
    WriteFileAtomically(path, CsvOf(draws));
  }
  return {};
}

}  // namespace inferon::cli
