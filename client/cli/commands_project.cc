// inferon project create|set|show|list
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"

namespace inferon::cli {
namespace {

// What is not given stays as it is.
struct ProjectOptions {
  std::string project;
  std::optional<double> weight;
  std::optional<std::uint64_t> max_queued;
  std::optional<double> max_seconds;
  std::optional<std::uint32_t> max_submits;
  std::optional<std::string> description;
};

std::string ProjectName(const std::string& given) {
  return given.find('/') == std::string::npos ? "projects/" + given : given;
}

nlohmann::json ProjectJson(const rpc::ProjectInfo& project) {
  const rpc::ProjectSettings& settings = project.settings;
  return {{"name", project.name},
          {"weight", settings.weight},
          {"max_queued_experiments", settings.max_queued_experiments},
          {"max_substrate_seconds_per_day", settings.max_substrate_seconds_per_day},
          {"max_submits_per_minute", settings.max_submits_per_minute},
          {"description", settings.description},
          {"create_time", FormatTimeUtc(project.create_time)},
          {"open_jobs", project.open_jobs},
          {"queued_experiments", project.queued_experiments},
          {"shards_leased", project.shards_leased},
          {"substrate_seconds_day", project.substrate_seconds_day},
          {"decayed_seconds", project.decayed_seconds}};
}

// "120 of 500", or without the limit.
std::string OfLimit(const std::string& value, bool limited, const std::string& limit) {
  return limited ? fmt::format("{} of {}", value, limit) : value;
}

void Print(Console& console, const std::vector<rpc::ProjectInfo>& projects) {
  Table table{{{"PROJECT"},
               {"WEIGHT", true},
               {"JOBS", true},
               {"EXPERIMENTS", true},
               {"LEASED", true},
               {"SUBSTRATE TIME/DAY", true},
               {"SHARE", true},
               {"DESCRIPTION"}},
              {}};
  double sum = 0;
  for (const auto& project : projects) sum += project.decayed_seconds;
  for (const rpc::ProjectInfo& project : projects) {
    const rpc::ProjectSettings& settings = project.settings;
    table.rows.push_back(
        {project.name, fmt::format("{}", settings.weight), FormatCount(project.open_jobs),
         OfLimit(FormatCount(project.queued_experiments), settings.max_queued_experiments > 0,
                 FormatCount(settings.max_queued_experiments)),
         std::to_string(project.shards_leased),
         OfLimit(FormatDuration(project.substrate_seconds_day),
                 settings.max_substrate_seconds_per_day > 0,
                 FormatDuration(settings.max_substrate_seconds_per_day)),
         sum > 0 ? fmt::format("{:.0f} %", 100 * project.decayed_seconds / sum) : "-",
         settings.description});
  }
  console.Print(table);
}

int List(CommandContext& context) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto projects = (*scheduler)->ListProjects(context.stop);
  if (!projects) return context.console.FailedCall(projects.error());
  nlohmann::json list = nlohmann::json::array();
  for (const rpc::ProjectInfo& project : *projects) list.push_back(ProjectJson(project));
  if (projects->empty()) {
    context.console.Print("No projects. The first job of one creates it.");
  } else {
    Print(context.console, *projects);
  }
  context.console.PrintJson({{"projects", list}});
  return kOk;
}

int Answer(CommandContext& context, const Result<rpc::ProjectInfo>& project) {
  if (!project) return context.console.FailedCall(project.error());
  Print(context.console, {*project});
  context.console.PrintJson(ProjectJson(*project));
  return kOk;
}

void Apply(const ProjectOptions& options, rpc::ProjectSettings& settings) {
  if (options.weight) settings.weight = *options.weight;
  if (options.max_queued) settings.max_queued_experiments = *options.max_queued;
  if (options.max_seconds) settings.max_substrate_seconds_per_day = *options.max_seconds;
  if (options.max_submits) settings.max_submits_per_minute = *options.max_submits;
  if (options.description) settings.description = *options.description;
}

int Create(CommandContext& context, const ProjectOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  rpc::ProjectSettings settings;
  Apply(options, settings);
  return Answer(context,
                (*scheduler)->CreateProject(ProjectName(options.project), settings, context.stop));
}

int Set(CommandContext& context, const ProjectOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const std::string name = ProjectName(options.project);
  const auto before = (*scheduler)->GetProject(name, context.stop);
  if (!before) return context.console.FailedCall(before.error());
  rpc::ProjectSettings settings = before->settings;
  Apply(options, settings);
  return Answer(context, (*scheduler)->UpdateProject(name, settings, context.stop));
}

int Show(CommandContext& context, const ProjectOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  return Answer(context, (*scheduler)->GetProject(ProjectName(options.project), context.stop));
}

void AddNamed(CLI::App& projects, CommandContext& context, const std::string& verb,
              const std::string& help, int (*run)(CommandContext&, const ProjectOptions&),
              bool settings) {
  auto options = std::make_shared<ProjectOptions>();
  CLI::App& command = *projects.add_subcommand(verb, help);
  command.option_defaults()->always_capture_default(false);
  command.add_option("project", options->project, "Project: its id, or its whole name")->required();
  if (settings) {
    command.add_option("--weight", options->weight, "Share of the workers beside other projects")
        ->check(CLI::Range(0.001, 1000.0));
    command.add_option("--max-queued", options->max_queued,
                       "Experiments that wait or run at a time; 0: no limit");
    command
        .add_option("--max-seconds-per-day", options->max_seconds,
                    "Substrate time of 24 hours after which its jobs wait; 0: no limit")
        ->check(CLI::Range(0.0, 1e12));
    command.add_option("--max-submits-per-minute", options->max_submits,
                       "Jobs submitted in a minute; 0: no limit");
    command.add_option("--description", options->description, "For people");
  }
  OnSelected(command, context, [&context, options, run] { return run(context, *options); });
}

}  // namespace

void AddProjectCommands(CLI::App& app, CommandContext& context) {
  CLI::App& projects = *app.add_subcommand("project", "Who shares the workers, and how");
  projects.require_subcommand(1);
  AddNamed(projects, context, "create", "Create a project", Create, true);
  AddNamed(projects, context, "set", "Change a project; what is not given stays", Set, true);
  AddNamed(projects, context, "show", "One project", Show, false);
  CLI::App& list = *projects.add_subcommand("list", "Projects with their queues and shares");
  OnSelected(list, context, [&context] { return List(context); });
}

}  // namespace inferon::cli
