// model train
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
    auto text = ReadFile(options.config_file, kMaxConfigBytes);
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

}  // namespace inferon::commands
