// inferon token create|list|revoke: the file of tokens, on the servers' own machine.
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
#include "client/cli/time_options.h"
#include "common/access/token_file.h"

namespace inferon::cli {
namespace {

struct TokenOptions {
  std::string file;
  std::string role;
  std::string name;
  std::vector<std::string> projects;
  std::vector<std::string> workers;
  bool all_projects = false;
  std::string expires = "90d";
  std::string out;
  std::string id;
  bool forget = false;
};

std::filesystem::path FileOf(const CommandContext& context, const TokenOptions& options) {
  return options.file.empty() ? context.DataFolder() / "tokens.json"
                              : std::filesystem::path(options.file);
}

std::string WithPrefix(const char* collection, const std::string& given) {
  return given.find('/') == std::string::npos ? fmt::format("{}/{}", collection, given) : given;
}

Result<TokenRecord> RecordOf(const TokenOptions& options, WallTime now) {
  TokenRecord record;
  record.role = ParseRole(options.role).value();
  record.label = options.name;
  record.created = now;
  for (const auto& project : options.projects) {
    record.scope.push_back(WithPrefix("projects", project));
  }
  for (const auto& worker : options.workers) record.scope.push_back(WithPrefix("workers", worker));
  const bool of_projects = record.role == Role::kViewer || record.role == Role::kSubmitter;
  if (of_projects && options.projects.empty() != options.all_projects) {
    return InvalidArgument(fmt::format("a {}'s token needs its projects", options.role),
                           "Give --project ID, once for each, or --all-projects");
  }
  if (options.expires != "never") {
    const Result<double> span = ParseSpan(options.expires);
    if (!span) return tl::unexpected(span.error());
    record.expires = now + std::chrono::seconds(static_cast<std::int64_t>(*span));
  }
  if (Status ok = CheckToken(record); !ok) return tl::unexpected(ok.error());
  return record;
}

// "good", "expired" or "revoked".
const char* StateOf(const TokenRecord& record, WallTime now) {
  if (record.revoked) return "revoked";
  return record.expires && *record.expires <= now ? "expired" : "good";
}

nlohmann::json TokenJson(const TokenRecord& record, WallTime now) {
  nlohmann::json json{{"id", record.id},
                      {"name", record.label},
                      {"role", RoleName(record.role)},
                      {"for", record.scope},
                      {"state", StateOf(record, now)},
                      {"created", FormatTimeUtc(record.created)},
                      {"expires", nullptr}};
  if (record.expires) json["expires"] = FormatTimeUtc(*record.expires);
  return json;
}

int Create(CommandContext& context, const TokenOptions& options) {
  const WallTime now = context.clock.WallNow();
  const Result<TokenRecord> record = RecordOf(options, now);
  if (!record) return context.console.FailedInput(record.error());
  const NewToken token = MakeToken(*record);
  // The secret first: a token that nobody has must not be good.
  if (!options.out.empty()) {
    if (Status written = WriteSecretFile(options.out, token.text + "\n"); !written) {
      return context.console.FailedInput(written.error());
    }
  }
  const Status added = ChangeTokenFile(FileOf(context, options), [&](auto& tokens) -> Status {
    tokens.push_back(token.record);
    return {};
  });
  if (!added) return context.console.FailedInput(added.error());
  nlohmann::json json = TokenJson(token.record, now);
  if (options.out.empty()) {
    context.console.Print(token.text);
    json["token"] = token.text;
    context.console.Note(
        "inferon: this is shown once. Put it into a file that only its user can read.");
  } else {
    context.console.Print(
        fmt::format("Token {} of {} is in {}.", token.record.id, token.record.label, options.out));
  }
  context.console.PrintJson(json);
  return kOk;
}

int List(CommandContext& context, const TokenOptions& options) {
  const WallTime now = context.clock.WallNow();
  const auto tokens = ReadTokenFile(FileOf(context, options));
  if (!tokens) return context.console.FailedInput(tokens.error());
  Table table{{{"TOKEN"}, {"NAME"}, {"ROLE"}, {"FOR"}, {"STATE"}, {"EXPIRES"}}, {}};
  nlohmann::json list = nlohmann::json::array();
  for (const TokenRecord& record : *tokens) {
    const std::string scope =
        record.scope.empty() ? "all" : fmt::format("{}", fmt::join(record.scope, ", "));
    table.rows.push_back({record.id, record.label, std::string(RoleName(record.role)), scope,
                          StateOf(record, now),
                          record.expires ? FormatTime(*record.expires) : "never"});
    list.push_back(TokenJson(record, now));
  }
  context.console.Print(table);
  context.console.PrintJson({{"tokens", list}});
  return kOk;
}

int Revoke(CommandContext& context, const TokenOptions& options) {
  const auto named = [&](const TokenRecord& record) { return record.id == options.id; };
  const Status done = ChangeTokenFile(FileOf(context, options), [&](auto& tokens) -> Status {
    const auto found = std::ranges::find_if(tokens, named);
    if (found == tokens.end()) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no token '{}'", options.id),
                  "See 'inferon token list'");
    }
    if (!found->revoked) found->revoked = context.clock.WallNow();
    if (options.forget) tokens.erase(found);
    return {};
  });
  if (!done) return context.console.FailedInput(done.error());
  context.console.Print(fmt::format("Token {} is revoked.", options.id));
  context.console.PrintJson({{"revoked", options.id}});
  return kOk;
}

CLI::App& AddCommand(CLI::App& group, const char* verb, const char* help, TokenOptions& options) {
  CLI::App& command = *group.add_subcommand(verb, help);
  command
      .add_option("--tokens", options.file, "File of tokens; else tokens.json in the data folder")
      ->envname("INFERON_TOKENS")
      ->type_name("FILE");
  return command;
}

void AddCreate(CLI::App& group, CommandContext& context) {
  auto options = std::make_shared<TokenOptions>();
  CLI::App& create = AddCommand(group, "create", "Make a token and show it, once", *options);
  create.add_option("--role", options->role, "What it allows")
      ->required()
      ->check(CLI::IsMember({"viewer", "submitter", "operator", "worker"}));
  create.add_option("--name", options->name, "Whose it is; shown in the audit log")->required();
  create.add_option("--project", options->projects, "Project that it is for; may be repeated")
      ->type_name("ID");
  create.add_flag("--all-projects", options->all_projects, "For all projects");
  create.add_option("--worker", options->workers, "Worker that it is for; may be repeated")
      ->type_name("ID");
  create.add_option("--expires", options->expires, "Time that it is good for: 12h, 90d, never")
      ->type_name("SPAN");
  create.add_option("--out", options->out, "New file for the token, readable by you alone")
      ->type_name("FILE");
  OnSelected(create, context, [&context, options] { return Create(context, *options); });
}

}  // namespace

void AddTokenCommands(CLI::App& app, CommandContext& context) {
  CLI::App& group = *app.add_subcommand("token", "Who may call the servers, and as what");
  group.require_subcommand(1);
  AddCreate(group, context);
  auto listed = std::make_shared<TokenOptions>();
  CLI::App& list = AddCommand(group, "list", "Tokens with their roles", *listed);
  OnSelected(list, context, [&context, listed] { return List(context, *listed); });
  auto revoked = std::make_shared<TokenOptions>();
  CLI::App& revoke = AddCommand(group, "revoke", "Make a token worthless at once", *revoked);
  revoke.add_option("id", revoked->id, "Token's id")->required();
  revoke.add_flag("--forget", revoked->forget, "Also remove it from the file");
  OnSelected(revoke, context, [&context, revoked] { return Revoke(context, *revoked); });
}

}  // namespace inferon::cli
