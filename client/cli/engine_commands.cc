#include "client/cli/engine_commands.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/progress.h"
#include "client/library/remote_engine.h"

namespace inferon::cli {
namespace {

class ConsoleScreen : public commands::Screen {
 public:
  explicit ConsoleScreen(CommandContext& context) : context_(context) {}

  void Print(const std::string& line) override { context_.console.Print(line); }

  void PrintTable(const std::vector<std::string>& titles,
                  const std::vector<std::vector<std::string>>& rows) override {
    Table table;
    for (const std::string& title : titles) {
      const bool right = title.starts_with('>');
      table.columns.push_back({right ? title.substr(1) : title, right});
    }
    table.rows = rows;
    context_.console.Print(table);
  }

  void PrintJson(const nlohmann::json& object) override { context_.console.PrintJson(object); }
  void Warn(const std::string& text) override { context_.console.Warn(text); }

  void Progress(const std::string& title, const std::string& unit, std::uint64_t done,
                std::uint64_t total, const std::string& note) override {
    if (!progress_) progress_.emplace(context_.console, context_.clock, title, unit);
    progress_->Update(done, total, note);
  }

  void EndProgress() override {
    if (progress_) progress_->Finish();
    progress_.reset();
  }

 private:
  CommandContext& context_;
  std::optional<cli::Progress> progress_;
};

}  // namespace

int RunOnTrainer(CommandContext& context, const commands::Command& command) {
  auto options = context.TrainerOptions();
  if (!options) return context.console.FailedCall(options.error());
  const std::unique_ptr<InferenceEngine> engine = client::MakeRemoteEngine(*options);
  ConsoleScreen screen(context);
  commands::Context inner{*engine, screen, context.stop};
  const commands::Outcome outcome = command(inner);
  if (outcome) return kOk;
  const commands::Failure& failure = outcome.error();
  return failure.input ? context.console.FailedInput(failure.error)
                       : context.console.FailedCall(failure.error);
}

commands::OnSelected OnTrainer(CommandContext& context) {
  return [&context](CLI::App& app, commands::Command command) {
    OnSelected(app, context,
               [&context, command = std::move(command)] { return RunOnTrainer(context, command); });
  };
}

void AddDataSetCommands(CLI::App& app, CommandContext& context) {
  commands::AddDataSetCommands(app, OnTrainer(context));
}

}  // namespace inferon::cli
