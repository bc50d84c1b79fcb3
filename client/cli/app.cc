#include "client/cli/app.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/help_formatter.h"
#include "client/cli/suggestion.h"
#include "common/rpc/security_options.h"

namespace inferon::cli {
namespace {

constexpr char kFooter[] =
    "Every command takes --data, --scheduler, --trainer and --json.\n\n"
    "Begin with:  inferon up   inferon study run   inferon study report\n"
    "Exit codes:  0 ok, 1 internal failure, 2 usage, 3 server not reachable, 4 refused by the\n"
    "             server, 5 the job or study ended failed or cancelled, 130 interrupted\n";

void AddGlobalOptions(CLI::App& app, CommandContext& context) {
  app.set_version_flag("--version", "inferon " INFERON_VERSION, "Print the version");
  app.add_flag("--json", context.output.json, "Print one JSON object instead of a table");
  app.add_option("--data", context.global.data,
                 "Data folder of the local servers ($INFERON_DATA, else ~/.local/share/inferon)")
      ->type_name("FOLDER");
  app.add_option("--scheduler", context.global.scheduler,
                 "Address of the scheduler, instead of the data folder's")
      ->envname("INFERON_SCHEDULER")
      ->type_name("ADDRESS");
  app.add_option("--trainer", context.global.trainer,
                 "Address of the trainer, instead of the data folder's")
      ->envname("INFERON_TRAINER")
      ->type_name("ADDRESS");
  rpc::AddClientSecurityOptions(app, context.global.security);
}

void AddCommands(CLI::App& app, CommandContext& context) {
  AddClusterCommands(app, context);
  AddStudyCommands(app, context);
  AddModelCommands(app, context);
  AddDataSetCommands(app, context);
  AddPosteriorCommands(app, context);
  AddJobCommands(app, context);
  AddWorkerCommands(app, context);
  AddProjectCommands(app, context);
  AddTokenCommands(app, context);
  AddUpkeepCommands(app, context);
  AddRecordingCommands(app, context);
  AddProfileCommands(app, context);
}

// The innermost command that was recognised.
const CLI::App& Innermost(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::string FullName(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : FullName(*parent) + " " + command.get_name();
}

// Words that could have been meant instead of an unknown one.
std::vector<std::string> KnownWords(const CLI::App& command, bool option) {
  std::vector<std::string> words;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    if (option) {
      for (const CLI::Option* known : app->get_options()) {
        for (const std::string& name : known->get_lnames()) words.push_back("--" + name);
      }
    } else if (app == &command) {
      for (const CLI::App* known : app->get_subcommands([](const CLI::App*) { return true; })) {
        if (!known->get_group().empty()) words.push_back(known->get_name());
      }
    }
  }
  return words;
}

Error UnknownWord(const CLI::App& command, const std::string& word) {
  const bool option = !word.empty() && word.front() == '-';
  const bool expects_command =
      !command.get_subcommands([](const CLI::App*) { return true; }).empty();
  const char* kind = option ? "option" : expects_command ? "command" : "argument";
  const std::string guess = Suggest(word, KnownWords(command, option));
  std::string advice = guess.empty() ? "" : fmt::format("Did you mean '{}'? ", guess);
  advice += fmt::format("See '{} --help'", FullName(command));
  return {ErrorCode::kInvalidArgument,
          fmt::format("unknown {} '{}' of '{}'", kind, word, FullName(command)),
          advice,
          {}};
}

// The parser's message as ours: what is wrong, then what to do.
Error ExplainParseError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = Innermost(app);
  const std::vector<std::string> rest = app.remaining(true);
  if (!rest.empty()) return UnknownWord(command, rest.front());
  std::string what = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
      !command.get_subcommands([](const CLI::App*) { return true; }).empty()) {
    what = fmt::format("'{}' needs a command", FullName(command));
  }
  while (!what.empty() && (what.back() == '.' || what.back() == '\n')) what.pop_back();
  return {ErrorCode::kInvalidArgument, what, fmt::format("See '{} --help'", FullName(command)), {}};
}

// The third place where exceptions are mapped (beside RPC handlers and substrates).
int RunSelected(CommandContext& context) {
  try {
    return context.selected();
  } catch (const std::exception& error) {
    return context.console.Failed({ErrorCode::kInternal, error.what(), {}, {}}, kInternal);
  }
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment,
                   std::ostream& out, std::ostream& err) {
  CommandContext context(environment, out, err);
  CLI::App app("Infer the parameters of neurons from their membrane traces.", "inferon");
  app.footer("--json, --data, --scheduler and --trainer work here too: see 'inferon --help'.\n");
  app.formatter(std::make_shared<HelpFormatter>());
  app.fallthrough();
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  AddGlobalOptions(app, context);
  AddCommands(app, context);
  app.footer(kFooter);  // Commands have inherited the shorter one.
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success, out, err);
  } catch (const CLI::ParseError& error) {
    return context.console.Failed(ExplainParseError(app, error), kUsage);
  }
  return RunSelected(context);
}

}  // namespace inferon::cli
