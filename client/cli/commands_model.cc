// inferon model list|show|train; aliases are in commands_alias.cc
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/engine_commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/model_view.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

int List(CommandContext& context) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto models = (*trainer)->ListModels(context.stop);
  if (!models) return context.console.FailedCall(models.error());
  Table table{{{"MODEL"},
               {"INPUT"},
               {"PROFILE"},
               {"TRAINED ON", true},
               {"LOG DENSITY", true},
               {"MADE BY"},
               {"CREATED"},
               {"ALIASES"}},
              {}};
  nlohmann::json list = nlohmann::json::array();
  for (const v1::Model& model : *models) {
    table.rows.push_back({model.name(), model.input(), model.profile(),
                          FormatCount(model.training_count()),
                          fmt::format("{:.3f}", model.heldout_log_density()),
                          model.study().empty() ? model.dataset() : model.study(),
                          FormatTime(rpc::FromProto(model.create_time())),
                          fmt::format("{}", fmt::join(model.aliases(), ", "))});
    list.push_back(ModelJson(model));
  }
  if (models->empty()) {
    context.console.Print(
        "No models. A study makes two: 'inferon study run ID'; "
        "'inferon model train' makes one of a data set.");
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"models", list}});
  return kOk;
}

int ShowSimulatorModel(CommandContext& context, const v1::Model& model, Table table) {
  const auto row = [&table](const char* key, std::string value) {
    table.rows.push_back({key, std::move(value)});
  };
  row("data set", model.dataset() + ", SHA-256 " + model.dataset_sha256());
  row("parameters", fmt::format("{}", fmt::join(model.parameters(), ", ")));
  row("values of x", std::to_string(model.columns()));
  row("settings", model.settings_json());
  row("trained on", FormatCount(model.training_count()) + " pairs");
  row("held-out log density",
      fmt::format("{:.3f} nats in the parameters' own units", model.heldout_log_density()));
  row("weights", FormatCount(model.weight_count()) + ", SHA-256 " + model.weights_sha256());
  row("seed", std::to_string(model.seed()));
  row("created", FormatTime(rpc::FromProto(model.create_time())));
  context.console.Print(table);
  context.console.PrintJson(ModelJson(model));
  return kOk;
}

int Show(CommandContext& context, const std::string& id) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto model = (*trainer)->GetModel(ModelName(id), context.stop);
  if (!model) return context.console.FailedCall(model.error());
  Table table{{{"MODEL"}, {model->name()}}, {}};
  const auto row = [&table](const char* key, std::string value) {
    table.rows.push_back({key, std::move(value)});
  };
  row("input", model->input());
  if (model->aliases_size() > 0) {
    row("aliases", fmt::format("{}", fmt::join(model->aliases(), ", ")));
  }
  if (!model->dataset().empty()) return ShowSimulatorModel(context, *model, std::move(table));
  row("study", model->study());
  row("parameters", fmt::format("{}", fmt::join(model->parameters(), ", ")));
  row("profile", model->profile() + ", SHA-256 " + model->profile_sha256());
  row("protocol", DescribeSteps(model->protocol()));
  row("neuron", fmt::format("chip {}, neuron {}, run {}", model->device().chip(),
                            model->device().neuron(), model->device().run()));
  if (!model->settings_json().empty()) row("settings", model->settings_json());
  row("trained on",
      FormatCount(model->training_count()) + " pairs, SHA-256 " + model->dataset_sha256());
  row("held-out log density", fmt::format("{:.3f} nats", model->heldout_log_density()));
  row("classifier accepts",
      fmt::format("{:.2f} % of the uniform prior", 100 * model->acceptance()));
  row("false-negative rate",
      fmt::format("{:.2f} % (95 % bound {:.2f} %)", 100 * model->false_negative_rate(),
                  100 * model->false_negative_bound()));
  row("weights", FormatCount(model->weight_count()) + ", SHA-256 " + model->weights_sha256());
  row("seed", std::to_string(model->seed()));
  row("created", FormatTime(rpc::FromProto(model->create_time())));
  context.console.Print(table);
  context.console.PrintJson(ModelJson(*model));
  return kOk;
}

}  // namespace

void AddModelCommands(CLI::App& app, CommandContext& context) {
  CLI::App& models = *app.add_subcommand("model", "Train estimators and look at them");
  models.require_subcommand(1);
  commands::AddTrainCommand(models, OnTrainer(context));
  CLI::App& list = *models.add_subcommand("list", "All models, newest first");
  OnSelected(list, context, [&context] { return List(context); });
  const auto id = std::make_shared<std::string>();
  CLI::App& show = *models.add_subcommand("show", "One model");
  show.add_option("model", *id, "Model: its id, or its whole name")->required();
  OnSelected(show, context, [&context, id] { return Show(context, *id); });
  AddAliasCommands(models, context);
}

}  // namespace inferon::cli
