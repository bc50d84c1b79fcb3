// inferon model promote|rollback|aliases|load|delete
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/model_view.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

using nlohmann::json;

struct AliasOptions {
  std::string model;
  std::string alias = "default";
};

json AliasJson(const v1::ModelAlias& alias) {
  return {
      {"alias", alias.alias()},
      {"model", alias.model()},
      {"earlier_models", std::vector(alias.earlier_models().begin(), alias.earlier_models().end())},
      {"update_time", FormatTimeUtc(rpc::FromProto(alias.update_time()))}};
}

int Moved(CommandContext& context, const Result<v1::ModelAlias>& alias) {
  if (!alias) return context.console.FailedCall(alias.error());
  context.console.Print(fmt::format("Alias {} points to {}{}", alias->alias(), alias->model(),
                                    alias->earlier_models_size() > 0
                                        ? fmt::format(", before to {}", alias->earlier_models(0))
                                        : std::string()));
  context.console.PrintJson(AliasJson(*alias));
  return kOk;
}

int Promote(CommandContext& context, const AliasOptions& options) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  return Moved(context,
               (*trainer)->PromoteModel(ModelName(options.model), options.alias, context.stop));
}

int RollBack(CommandContext& context, const AliasOptions& options) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto aliases = (*trainer)->ListModelAliases(context.stop);
  if (!aliases) return context.console.FailedCall(aliases.error());
  const auto found = std::ranges::find_if(
      *aliases, [&](const v1::ModelAlias& alias) { return alias.alias() == options.alias; });
  // What it points to now goes along, so that a call that is tried again moves it once.
  return Moved(context,
               (*trainer)->RollBackModel(
                   options.alias, found == aliases->end() ? "" : found->model(), context.stop));
}

int List(CommandContext& context) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto aliases = (*trainer)->ListModelAliases(context.stop);
  if (!aliases) return context.console.FailedCall(aliases.error());
  Table table{{{"ALIAS"}, {"MODEL"}, {"EARLIER"}, {"MOVED"}}, {}};
  json list = json::array();
  for (const v1::ModelAlias& alias : *aliases) {
    table.rows.push_back({alias.alias(), alias.model(),
                          fmt::format("{}", fmt::join(alias.earlier_models(), ", ")),
                          FormatTime(rpc::FromProto(alias.update_time()))});
    list.push_back(AliasJson(alias));
  }
  if (aliases->empty()) {
    context.console.Print("No aliases. 'inferon model promote MODEL' makes one.");
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"aliases", list}});
  return kOk;
}

int Load(CommandContext& context, const std::string& id) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const auto model = (*trainer)->LoadModel(ModelName(id), context.stop);
  if (!model) return context.console.FailedCall(model.error());
  context.console.Print(fmt::format("{} is loaded and has answered once", model->name()));
  context.console.PrintJson({{"model", model->name()}});
  return kOk;
}

int Delete(CommandContext& context, const std::string& id) {
  const auto trainer = context.Trainer();
  if (!trainer) return context.console.FailedCall(trainer.error());
  const Status deleted = (*trainer)->DeleteModel(ModelName(id), context.stop);
  if (!deleted) return context.console.FailedCall(deleted.error());
  context.console.Print(fmt::format("{} is deleted", ModelName(id)));
  context.console.PrintJson({{"model", ModelName(id)}, {"deleted", true}});
  return kOk;
}

void AddModelArgument(CLI::App& command, std::string& model, const char* text) {
  command.add_option("model", model, text)->required();
}

}  // namespace

void AddAliasCommands(CLI::App& models, CommandContext& context) {
  const auto options = std::make_shared<AliasOptions>();
  CLI::App& promote = *models.add_subcommand("promote", "Load a model, then point an alias to it");
  AddModelArgument(promote, options->model, "Model: its id, or another alias");
  CLI::App& rollback = *models.add_subcommand("rollback", "Point an alias to the model before");
  for (CLI::App* command : {&promote, &rollback}) {
    command
        ->add_option("--alias", options->alias,
                     "Alias; 'default' is what queries without --model mean")
        ->capture_default_str();
  }
  OnSelected(promote, context, [&context, options] { return Promote(context, *options); });
  OnSelected(rollback, context, [&context, options] { return RollBack(context, *options); });
  CLI::App& list = *models.add_subcommand("aliases", "All aliases and what they point to");
  OnSelected(list, context, [&context] { return List(context); });
  CLI::App& load = *models.add_subcommand(
      "load", "Load a model into the trainer's memory, so that the next query does not wait");
  AddModelArgument(load, options->model, "Model: its id, or an alias");
  OnSelected(load, context, [&context, options] { return Load(context, options->model); });
  CLI::App& remove = *models.add_subcommand(
      "delete", "Remove a model for good; refused while an alias points to it");
  AddModelArgument(remove, options->model, "Model: its id");
  OnSelected(remove, context, [&context, options] { return Delete(context, options->model); });
}

}  // namespace inferon::cli
