// posterior check
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/figures/calibration_figures.h"
#include "common/figures/convert_png.h"
#include "common/inference/commands/commands.h"
#include "common/inference/commands/files.h"

namespace inferon::commands {
namespace {

using nlohmann::json;

json ReportJson(const CalibrationReport& report, const std::string& model) {
  json parameters = json::array(), levels = json::array();
  for (const CalibrationParameter& p : report.parameters) {
    parameters.push_back({{"name", p.name},
                          {"ks_p_value", p.ks_p_value},
                          {"adjusted_p_value", p.adjusted_p_value},
                          {"band_p_value", p.band_p_value},
                          {"log_gamma", p.log_gamma},
                          {"contraction", p.contraction},
                          {"recovery", p.recovery},
                          {"mean_z", p.mean_z}});
  }
  for (const CalibrationLevel& level : report.levels) {
    levels.push_back({{"credibility", level.credibility}, {"coverage", level.coverage}});
  }
  return {{"model", model},
          {"source", report.source},
          {"pairs", report.pairs},
          {"draws", report.draws},
          {"parameters", parameters},
          {"levels", levels},
          {"coverage_p_value", report.coverage_p_value},
          {"tarp_p_value", report.tarp_p_value},
          {"area_to_curve", report.area_to_curve},
          {"classifier_p_value", report.classifier_p_value},
          {"local_p_value", report.local_p_value ? json(*report.local_p_value) : json(nullptr)},
          {"smallest_p_value", report.smallest_p_value},
          {"mean_log_density", report.mean_log_density},
          {"calibrated", report.calibrated},
          {"verdict", report.verdict},
          {"warnings", report.warnings}};
}

void PrintReport(Screen& screen, const CalibrationReport& report) {
  screen.Print(
      fmt::format("{} pairs ({}), {} draws each", report.pairs, report.source, report.draws));
  std::vector<std::vector<std::string>> rows;
  for (const CalibrationParameter& p : report.parameters) {
    rows.push_back({p.name, fmt::format("{:.3f}", p.ks_p_value),
                    fmt::format("{:.3f}", p.band_p_value), fmt::format("{:.3f}", p.contraction),
                    fmt::format("{:.3f}", p.recovery), fmt::format("{:+.2f}", p.mean_z)});
  }
  screen.PrintTable({"PARAMETER", ">RANKS P", ">BAND P", ">CONTRACTION", ">RECOVERY", ">MEAN Z"},
                    rows);
  const auto at = [&](std::size_t k) { return 100 * report.levels[k].coverage; };
  if (report.levels.size() == 19) {
    screen.Print(fmt::format(
        "Highest-density regions of 50, 80 and 95 % hold the truth in {:.0f}, {:.0f} and {:.0f} % "
        "(p = {:.3f})",
        at(9), at(15), at(18), report.coverage_p_value));
  }
  screen.Print(
      fmt::format("Accuracy around reference points (TARP): area to the curve {:+.3f} (p = {:.3f})",
                  report.area_to_curve, report.tarp_p_value));
  screen.Print(fmt::format("A classifier tells truths from draws with p = {:.3g}",
                           report.classifier_p_value));
  if (report.local_p_value) {
    screen.Print(fmt::format("At the observation it does with p = {:.3g}", *report.local_p_value));
  }
  if (report.verdict.empty()) return;  // A trainer of an earlier version.
  screen.Print("Verdict: " + report.verdict + ".");
}

struct CheckOptions {
  CalibrationSpec spec;
  std::string observation;
  std::string figures;  // Folder; empty: none.
};

// Writes the figures, as SVG and where the converter is installed as PNG; returns their paths.
Result<std::vector<std::string>> WriteFigures(const CalibrationReport& report,
                                              const std::filesystem::path& folder, Screen& screen) {
  if (report.ranks.empty()) {
    return Fail(ErrorCode::kFailedPrecondition, "the trainer sends nothing to draw figures from",
                "Use a trainer of this version");
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the folder {} cannot be made: {}", folder.string(), error.message()),
                "Choose another folder for the figures");
  }
  std::vector<std::string> labels;
  for (const CalibrationParameter& p : report.parameters) labels.push_back(p.name);
  const report::CalibrationSeries series{"posterior",
                                         {report::Ink::kSummary, 2},
                                         labels.size(),
                                         {report.ranks.begin(), report.ranks.end()},
                                         static_cast<double>(report.draws),
                                         report.density_levels,
                                         report.tarp_levels};
  std::vector<report::BandPoint> band;
  for (const CalibrationBandPoint& p : report.band) band.push_back({p.place, p.low, p.high});
  std::vector<std::string> files;
  for (const report::Svg& svg : {report::DrawRankCurves("ranks", {&series, 1}, band, labels),
                                 report::DrawCoverageCurves("coverage", {&series, 1}, band)}) {
    const std::filesystem::path file = folder / (svg.id() + ".svg");
    WriteFileAtomically(file, svg.Document());
    files.push_back(file.string());
    std::filesystem::path png = file;
    png.replace_extension(".png");
    if (Status made = report::ConvertToPng("rsvg-convert", file, png); made) {
      files.push_back(png.string());
    } else {
      screen.Warn("no PNG: " + made.error().Text());
    }
  }
  return files;
}

Outcome Check(Context& context, CheckOptions options) {
  if (!options.observation.empty()) {
    auto x = ReadObservation(options.observation);
    if (!x) return tl::unexpected(Failure{x.error(), true});
    options.spec.x = std::move(*x);
  }
  const auto report = context.engine.Check(options.spec, context.stop);
  if (!report) return tl::unexpected(Failure{report.error(), false});
  for (const std::string& warning : report->warnings) context.screen.Warn(warning);
  PrintReport(context.screen, *report);
  json object = ReportJson(*report, options.spec.model);
  if (!options.figures.empty()) {
    const auto files = WriteFigures(*report, options.figures, context.screen);
    if (!files) return tl::unexpected(Failure{files.error(), true});
    for (const std::string& file : *files) context.screen.Print("Figure: " + file);
    object["figures"] = *files;
  }
  context.screen.PrintJson(object);
  return {};
}

}  // namespace

void AddCheckCommand(CLI::App& posteriors, const OnSelected& on_selected) {
  const auto options = std::make_shared<CheckOptions>();
  CalibrationSpec& spec = options->spec;
  CLI::App& command = *posteriors.add_subcommand(
      "check", "Is a model calibrated on pairs that it was not trained on?");
  command.add_option("--model", spec.model, "Model of a data set (the newest)");
  command.add_option("--dataset", spec.data_set,
                     "Pairs to check with (rows held out of the model's training)");
  command.add_option("--pairs", spec.pairs, "Pairs at most, 20..10000")->capture_default_str();
  command.add_option("--draws,-n", spec.draws, "Draws for each pair, 50..10000")
      ->capture_default_str();
  command
      .add_option("--observation", options->observation,
                  "CSV or NPY of one row: test the classifier at this observation too")
      ->type_name("FILE");
  command
      .add_option("--figures", options->figures,
                  "Folder for the figures of ranks and coverage, as SVG and PNG")
      ->type_name("FOLDER");
  command.add_option("--seed", spec.seed, "Of the draws")->capture_default_str();
  on_selected(command, [options](Context& context) { return Check(context, *options); });
}

}  // namespace inferon::commands
