// inferon worker list
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"

namespace inferon::cli {
namespace {

int List(CommandContext& context) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto workers = (*scheduler)->ListWorkers(context.stop);
  if (!workers) return context.console.FailedCall(workers.error());
  Table table{{{"WORKER"},
               {"STATE"},
               {"SUBSTRATE"},
               {"LEASES", true},
               {"SHARDS", true},
               {"EXPERIMENTS", true},
               {"SUBSTRATE TIME", true},
               {"LAST SEEN"}},
              {}};
  nlohmann::json list = nlohmann::json::array();
  for (const rpc::WorkerInfo& worker : *workers) {
    table.rows.push_back({worker.name, worker.state, worker.substrate,
                          std::to_string(worker.leases), FormatCount(worker.shards_done),
                          FormatCount(worker.experiments_done),
                          FormatDuration(worker.substrate_seconds), FormatTime(worker.last_seen)});
    list.push_back({{"name", worker.name},
                    {"state", worker.state},
                    {"substrate", worker.substrate},
                    {"mode", worker.mode},
                    {"chip", worker.chip},
                    {"version", worker.version},
                    {"leases", worker.leases},
                    {"shards_done", worker.shards_done},
                    {"experiments_done", worker.experiments_done},
                    {"substrate_seconds", worker.substrate_seconds},
                    {"last_seen_time", FormatTimeUtc(worker.last_seen)}});
  }
  if (workers->empty()) {
    context.console.Print("The scheduler knows no workers. Start one with 'inferon up'.");
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"workers", list}});
  return kOk;
}

}  // namespace

void AddWorkerCommands(CLI::App& app, CommandContext& context) {
  CLI::App& workers = *app.add_subcommand("worker", "Look at the workers");
  workers.require_subcommand(1);
  CLI::App& list = *workers.add_subcommand("list", "Workers that the scheduler knows");
  OnSelected(list, context, [&context] { return List(context); });
}

}  // namespace inferon::cli
