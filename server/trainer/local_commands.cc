#include "server/trainer/local_commands.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/inference/commands/commands.h"
#include "server/trainer/engine/local_engine.h"
#include "server/trainer/plain_screen.h"
#include "server/trainer/torch_estimator_factory.h"

namespace inferon::trainer {
namespace {

// Exit codes: docs/cli.md.
constexpr int kExitInternal = 1;
constexpr int kExitUsage = 2;
constexpr int kExitRefused = 4;
constexpr int kExitInterrupted = 130;

int ExitCodeOf(const commands::Failure& failure) {
  if (failure.error.code == ErrorCode::kCancelled) return kExitInterrupted;
  if (failure.error.code == ErrorCode::kInternal || failure.error.code == ErrorCode::kDataLoss) {
    return kExitInternal;
  }
  return failure.input ? kExitUsage : kExitRefused;
}

int Report(const commands::Failure& failure, bool json) {
  const int code = ExitCodeOf(failure);
  std::cerr << "inferon-trainer: " << failure.error.Text() << "\n";
  if (json) {
    std::cout << nlohmann::json{{"error",
                                 {{"message", failure.error.message},
                                  {"advice", failure.error.advice},
                                  {"exit_code", code}}}}
                     .dump()
              << "\n";
  }
  return code;
}

int Run(const commands::Command& command, const LocalEngineOptions& options, bool json,
        std::stop_token stop) {
  const std::filesystem::path& folder = options.folder;
  std::filesystem::create_directories(folder);
  const auto lock = FileLock::Acquire(folder / "lock");
  if (!lock) {
    return Report({{ErrorCode::kFailedPrecondition,
                    "a trainer works on the folder " + folder.string(),
                    "Ask it with 'inferon', or stop it",
                    {}},
                   false},
                  json);
  }
  const std::unique_ptr<EstimatorFactory> factory = MakeTorchEstimatorFactory();
  Registry registry(folder / "models", *factory);
  const auto engine = MakeLocalEngine(options, registry, *factory, SystemClock());
  const auto screen = MakePlainScreen(std::cout, std::cerr, json, SystemClock());
  commands::Context context{*engine, *screen, stop};
  const commands::Outcome outcome = command(context);
  return outcome ? 0 : Report(outcome.error(), json);
}

// posterior sample|map|logprob, all with the same question.
void AddQueries(CLI::App& group, const commands::OnSelected& on_selected) {
  const auto add =
      [&](const char* name, const char* help, std::uint64_t draws,
          commands::Outcome (*run)(commands::Context&, const commands::QueryOptions&)) {
        const auto options = std::make_shared<commands::QueryOptions>();
        options->draws = draws;
        CLI::App& command = *group.add_subcommand(name, help);
        command.add_option("--model", options->model, "Model (the newest)");
        command.add_option("--observation", options->observation, "One row of numbers: CSV or NPY")
            ->required()
            ->type_name("FILE");
        if (draws > 0) {
          command.add_option("--draws,-n", options->draws, "Draws")->capture_default_str();
          command.add_option("--seed", options->seed, "The same seed gives the same draws")
              ->capture_default_str();
        } else {
          command.add_option("--theta", options->theta, "Parameter sets, one a row: CSV or NPY")
              ->required()
              ->type_name("FILE");
        }
        commands::AddRestrictionOptions(command, options->restriction, run != commands::Map);
        if (run != commands::Map) {
          command.add_option("--out,-o", options->out, "Write the result: .csv or .npy")
              ->type_name("FILE");
        }
        if (run == commands::Sample) {
          command.add_flag("--log-density", options->log_density, "With a last column log_density");
        }
        on_selected(command,
                    [options, run](commands::Context& context) { return run(context, *options); });
      };
  add("sample", "Draws from the posterior", 1000, commands::Sample);
  add("map", "Mode of the posterior, searched from the best draws", 1000, commands::Map);
  add("logprob", "Log density of given parameter sets", 0, commands::LogProb);
}

}  // namespace

void AddLocalCommands(CLI::App& app, LocalFlags& flags, LocalRun& selected) {
  const commands::OnSelected on_selected = [&flags, &selected](CLI::App& command,
                                                               commands::Command body) {
    command.callback([&flags, &selected, body = std::move(body)] {
      selected = [&flags, body](const LocalEngineOptions& options, std::stop_token stop) {
        return Run(body, options, flags.json, std::move(stop));
      };
    });
  };
  app.add_flag("--json", flags.json, "Commands: one JSON object on standard output");
  commands::AddDataSetCommands(app, on_selected);
  CLI::App& models = *app.add_subcommand("model", "Train estimators on data sets");
  models.require_subcommand(1);
  commands::AddTrainCommand(models, on_selected);
  CLI::App& posteriors = *app.add_subcommand("posterior", "Ask which parameters made a row");
  posteriors.require_subcommand(1);
  AddQueries(posteriors, on_selected);
  commands::AddCheckCommand(posteriors, on_selected);
}

}  // namespace inferon::trainer
