// model train, posterior check
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/inference/commands/commands.h"
#include "common/inference/names.h"

namespace inferon::commands {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfig = 64 * 1024;

struct TrainOptions {
  TrainSpec spec;
  std::string config_file;
};

Outcome Train(Context& context, const TrainOptions& options) {
  TrainSpec spec = options.spec;
  if (spec.model.empty()) spec.model = spec.data_set;
  if (spec.base.starts_with("models/")) spec.base.erase(0, 7);
  for (const auto& [what, id] : {std::pair("data set", spec.data_set), {"model", spec.model}}) {
    if (Status ok = CheckId(what, id); !ok) return tl::unexpected(Failure{ok.error(), true});
  }
  if (!options.config_file.empty()) {
    auto text = ReadFile(options.config_file, kMaxConfig);
    if (!text) return tl::unexpected(Failure{text.error(), true});
    spec.config = std::move(*text);
  }
  const auto model = context.engine.TrainModel(
      spec,
      [&](const TrainingState& state) {
        context.screen.Progress("training", "epochs", state.epoch, state.max_epochs,
                                fmt::format("held-out loss {:.3f}, {:.0f} pairs/s",
                                            state.heldout_loss, state.rows_per_second));
      },
      context.stop);
  context.screen.EndProgress();
  if (!model) return tl::unexpected(Failure{model.error(), false});
  context.screen.Print(fmt::format(
      "Model {}: {} pairs of data set {}, {} epochs, held-out log density {:.3f} nats", model->id,
      model->training_count, model->data_set, model->epochs, model->heldout_log_density));
  json object = {{"model", model->id},
                 {"dataset", model->data_set},
                 {"pairs", model->training_count},
                 {"epochs", model->epochs},
                 {"heldout_log_density", model->heldout_log_density},
                 {"seed", model->seed},
                 {"weights", model->weight_count},
                 {"settings", json::parse(model->settings)}};
  if (!model->base.empty()) object["from"] = model->base;
  context.screen.PrintJson(object);
  return {};
}

json ReportJson(const CalibrationReport& report, const std::string& model) {
  json parameters = json::array(), levels = json::array();
  for (const CalibrationParameter& p : report.parameters) {
    parameters.push_back({{"name", p.name},
                          {"ks_p_value", p.ks_p_value},
                          {"adjusted_p_value", p.adjusted_p_value},
                          {"contraction", p.contraction},
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
          {"mean_log_density", report.mean_log_density},
          {"calibrated", report.calibrated},
          {"warnings", report.warnings}};
}

Outcome Check(Context& context, const CalibrationSpec& spec) {
  const auto report = context.engine.Check(spec, context.stop);
  if (!report) return tl::unexpected(Failure{report.error(), false});
  for (const std::string& warning : report->warnings) context.screen.Warn(warning);
  context.screen.Print(
      fmt::format("{} pairs ({}), {} draws each", report->pairs, report->source, report->draws));
  std::vector<std::vector<std::string>> rows;
  for (const CalibrationParameter& p : report->parameters) {
    rows.push_back({p.name, fmt::format("{:.3f}", p.ks_p_value),
                    fmt::format("{:.3f}", p.adjusted_p_value), fmt::format("{:.3f}", p.contraction),
                    fmt::format("{:+.2f}", p.mean_z)});
  }
  context.screen.PrintTable({"PARAMETER", ">RANKS P", ">HOLM P", ">CONTRACTION", ">MEAN Z"}, rows);
  const auto at = [&](std::size_t k) { return 100 * report->levels[k].coverage; };
  if (report->levels.size() == 19) {
    context.screen.Print(fmt::format(
        "Highest-density regions of 50, 80 and 95 % hold the truth in {:.0f}, {:.0f} and {:.0f} % "
        "(p = {:.3f})",
        at(9), at(15), at(18), report->coverage_p_value));
  }
  context.screen.Print(report->calibrated ? "No test rejects calibration at 1 %."
                                          : "Calibration is rejected at 1 %.");
  context.screen.PrintJson(ReportJson(*report, spec.model));
  return {};
}

}  // namespace

void AddTrainCommand(CLI::App& models, const OnSelected& on_selected) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App& command =
      *models.add_subcommand("train",
                             "Train an estimator on a data set; a training that was cut "
                             "off goes on where it was");
  command.add_option("--dataset", options->spec.data_set, "Data set")->required();
  command.add_option("--model", options->spec.model, "Id of the model (the data set's)");
  command.add_option("--estimator", options->spec.estimator,
                     "flow (the default), affine-flow, flow-matching or diffusion");
  command.add_option("--config", options->config_file, "JSON file that changes the settings")
      ->type_name("FILE");
  command.add_option("--from", options->spec.base,
                     "Fine-tune this model: its weights, scaling and networks, a tenth of its "
                     "learning rate");
  command.add_option("--seed", options->spec.seed, "The same seed gives the same model");
  on_selected(command, [options](Context& context) { return Train(context, *options); });
}

void AddCheckCommand(CLI::App& posteriors, const OnSelected& on_selected) {
  const auto spec = std::make_shared<CalibrationSpec>();
  CLI::App& command = *posteriors.add_subcommand(
      "check", "Is a model calibrated on pairs that it was not trained on?");
  command.add_option("--model", spec->model, "Model of a data set (the newest)");
  command.add_option("--dataset", spec->data_set,
                     "Pairs to check with (rows held out of the model's training)");
  command.add_option("--pairs", spec->pairs, "Pairs at most, 20..10000")->capture_default_str();
  command.add_option("--draws,-n", spec->draws, "Draws for each pair, 50..10000")
      ->capture_default_str();
  command.add_option("--seed", spec->seed, "Of the draws")->capture_default_str();
  on_selected(command, [spec](Context& context) { return Check(context, *spec); });
}

}  // namespace inferon::commands
