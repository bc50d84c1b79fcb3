// inferon profile list|show: no server is needed.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/experiment_options.h"
#include "common/neuron/parameters.h"

namespace inferon::cli {
namespace {

struct ShowOptions {
  std::string profile;
  bool toml = false;
};

std::string_view UnitOf(Parameter parameter) {
  if (IsVoltage(parameter) || parameter == Parameter::kDeltaT) return "mV";
  return parameter == Parameter::kB ? "pA" : "nS";
}

bool IsFree(const Profile& profile, Parameter parameter) {
  return std::find(profile.free.begin(), profile.free.end(), parameter) != profile.free.end();
}

std::string Describe(const Protocol& protocol) {
  std::vector<std::string> steps;
  for (const CurrentStep& step : protocol.steps) {
    steps.push_back(fmt::format("{:g}:{:g}:{:g}", step.start_us, step.stop_us, step.scale));
  }
  return fmt::format("{} us on a grid of {:g} us, steps {}", protocol.duration_us,
                     protocol.grid_step_us,
                     steps.empty() ? "none" : fmt::to_string(fmt::join(steps, ", ")));
}

nlohmann::json ProtocolJson(const Protocol& protocol) {
  nlohmann::json steps = nlohmann::json::array();
  for (const CurrentStep& step : protocol.steps) {
    steps.push_back({step.start_us, step.stop_us, step.scale});
  }
  return {{"steps", steps},
          {"duration_us", protocol.duration_us},
          {"grid_step_us", protocol.grid_step_us}};
}

// Values as the map gives them, without couplings.
nlohmann::json ParameterJson(const Profile& profile, Parameter parameter) {
  nlohmann::json json = {{"name", ParameterName(parameter)},
                         {"unit", UnitOf(parameter)},
                         {"free", IsFree(profile, parameter)}};
  if (IsFree(profile, parameter)) {
    json["lowest"] = profile.Value(parameter, 0);
    json["highest"] = profile.Value(parameter, kMaxCode);
  } else {
    const double code = profile.fixed_code[static_cast<std::size_t>(parameter)];
    json["code"] = code;
    json["value"] = profile.Value(parameter, code);
  }
  return json;
}

nlohmann::json ProfileJson(const Profile& profile) {
  nlohmann::json parameters = nlohmann::json::array();
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    if (HasParameter(profile, parameter)) parameters.push_back(ParameterJson(profile, parameter));
  }
  return {{"name", profile.name},
          {"sha256", profile.sha256},
          {"free", profile.ParameterNames()},
          {"parameters", parameters},
          {"protocol", ProtocolJson(profile.protocol)}};
}

int List(CommandContext& context) {
  Table table{{{"PROFILE"}, {"FREE PARAMETERS"}, {"PROTOCOL"}}, {}};
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& name : BuiltInProfileNames()) {
    const Result<Profile> profile = BuiltInProfile(name);
    if (!profile) return context.console.FailedInput(profile.error());
    table.rows.push_back({name, fmt::format("{}", fmt::join(profile->ParameterNames(), ", ")),
                          Describe(profile->protocol)});
    list.push_back(ProfileJson(*profile));
  }
  context.console.Print(table);
  context.console.PrintJson({{"profiles", list}});
  return kOk;
}

Table ParameterTable(const Profile& profile) {
  Table table{{{"PARAMETER"}, {"CODE", true}, {"VALUE", true}, {"UNIT"}}, {}};
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    if (!HasParameter(profile, parameter)) continue;
    const double fixed = profile.fixed_code[static_cast<std::size_t>(i)];
    const bool free = IsFree(profile, parameter);
    table.rows.push_back({std::string(ParameterName(parameter)),
                          free ? fmt::format("0..{}", kMaxCode) : fmt::format("{:g}", fixed),
                          free ? fmt::format("{:g}..{:g}", profile.Value(parameter, 0),
                                             profile.Value(parameter, kMaxCode))
                               : fmt::format("{:g}", profile.Value(parameter, fixed)),
                          std::string(UnitOf(parameter))});
  }
  return table;
}

int Show(CommandContext& context, const ShowOptions& options) {
  const Result<Profile> profile = FindProfile(options.profile);
  if (!profile) return context.console.FailedInput(profile.error());
  nlohmann::json json = ProfileJson(*profile);
  if (options.toml) {
    context.console.Print(profile->text);
    json["toml"] = profile->text;
  } else {
    context.console.Print(fmt::format("{}, SHA-256 {}", profile->name, profile->sha256));
    context.console.Print("Protocol: " + Describe(profile->protocol) + ".");
    context.console.Print(ParameterTable(*profile));
  }
  context.console.PrintJson(json);
  return kOk;
}

}  // namespace

void AddProfileCommands(CLI::App& app, CommandContext& context) {
  CLI::App& profiles = *app.add_subcommand("profile", "Look at profiles, check your own");
  profiles.require_subcommand(1);
  CLI::App& list = *profiles.add_subcommand("list", "The built-in profiles");
  OnSelected(list, context, [&context] { return List(context); });
  const auto options = std::make_shared<ShowOptions>();
  CLI::App& show = *profiles.add_subcommand(
      "show", "What a profile says; a file with a mistake is refused, naming key and line");
  show.add_option("profile", options->profile, "Built-in profile or TOML file")
      ->type_name("NAME|FILE")
      ->required();
  show.add_flag("--toml", options->toml, "Print its text, to begin one of your own");
  OnSelected(show, context, [&context, options] { return Show(context, *options); });
}

}  // namespace inferon::cli
