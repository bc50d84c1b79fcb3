// inferon worker list|show|drain|resume|reserve|maintenance|reservations|release|canary
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/experiment_options.h"
#include "client/cli/format.h"
#include "client/cli/time_options.h"
#include "client/cli/worker_view.h"
#include "client/library/codes_file.h"

namespace inferon::cli {
namespace {

struct WorkerOptions {
  std::string worker;
  std::string reason;
};

struct ReserveOptions {
  std::string worker;
  std::string project;
  std::string from = "now";
  std::string to;
  std::string reason;
};

struct CanaryOptions {
  std::string file;
  ExperimentOptions experiment;
  std::uint32_t trials = 1;
  std::uint64_t seed = 0;
  std::string every = "1h";
  std::uint32_t baseline_checks = 5;
  double limit_sigmas = 4;
};

int List(CommandContext& context) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto workers = (*scheduler)->ListWorkers(context.stop);
  if (!workers) return context.console.FailedCall(workers.error());
  Table table{{{"WORKER"},
               {"STATE"},
               {"HEALTH"},
               {"SUBSTRATE"},
               {"MODE"},
               {"LEASES", true},
               {"SHARDS", true},
               {"EXPERIMENTS", true},
               {"SUBSTRATE TIME", true},
               {"LAST SEEN"}},
              {}};
  nlohmann::json list = nlohmann::json::array();
  for (const rpc::WorkerInfo& worker : *workers) {
    table.rows.push_back({worker.name, worker.state, worker.health, worker.substrate, worker.mode,
                          std::to_string(worker.leases), FormatCount(worker.shards_done),
                          FormatCount(worker.experiments_done),
                          FormatDuration(worker.substrate_seconds), FormatTime(worker.last_seen)});
    list.push_back(WorkerJson(worker));
  }
  if (workers->empty()) {
    context.console.Print("The scheduler knows no workers. Start one with 'inferon up'.");
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"workers", list}});
  return kOk;
}

int Show(CommandContext& context, const WorkerOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto details = (*scheduler)->GetWorker(WorkerName(options.worker), context.stop);
  if (!details) return context.console.FailedCall(details.error());
  PrintWorker(context.console, *details);
  nlohmann::json object = WorkerJson(details->worker);
  object["shards"] = nlohmann::json::array();
  for (const rpc::HeldShardInfo& shard : details->shards) {
    object["shards"].push_back({{"job", shard.job},
                                {"first_index", shard.first_index},
                                {"count", shard.count},
                                {"held_seconds", shard.held_seconds}});
  }
  object["reservations"] = nlohmann::json::array();
  for (const auto& one : details->reservations) {
    object["reservations"].push_back(ReservationJson(one));
  }
  object["checks"] = nlohmann::json::array();
  for (const rpc::HealthCheckInfo& check : details->checks) {
    object["checks"].push_back({{"time", FormatTimeUtc(check.time)},
                                {"verdict", check.verdict},
                                {"message", check.message},
                                {"calibration_id", check.calibration_id}});
  }
  context.console.PrintJson(object);
  return kOk;
}

int Drain(CommandContext& context, const WorkerOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto worker =
      (*scheduler)->DrainWorker(WorkerName(options.worker), options.reason, context.stop);
  if (!worker) return context.console.FailedCall(worker.error());
  context.console.Print(fmt::format("{} is drained: it finishes {} shards and takes no more.",
                                    worker->name, worker->leases));
  context.console.PrintJson(WorkerJson(*worker));
  return kOk;
}

int Resume(CommandContext& context, const WorkerOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto worker = (*scheduler)->ResumeWorker(WorkerName(options.worker), context.stop);
  if (!worker) return context.console.FailedCall(worker.error());
  context.console.Print(fmt::format("{} takes work again.", worker->name));
  context.console.PrintJson(WorkerJson(*worker));
  return kOk;
}

Result<rpc::ReservationInfo> MakeReservation(const ReserveOptions& options, WallTime now) {
  const Result<WallTime> from = ParseTime(options.from, now);
  if (!from) return tl::unexpected(from.error());
  const Result<WallTime> to = ParseTime(options.to, now);
  if (!to) return tl::unexpected(to.error());
  return rpc::ReservationInfo{
      .worker = WorkerName(options.worker),
      .project = options.project.empty() ? "" : "projects/" + options.project,
      .start = *from,
      .end = *to,
      .reason = options.reason};
}

int Reserve(CommandContext& context, const ReserveOptions& options) {
  const auto wanted = MakeReservation(options, context.clock.WallNow());
  if (!wanted) return context.console.FailedInput(wanted.error());
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto made = (*scheduler)->CreateReservation(*wanted, context.stop);
  if (!made) return context.console.FailedCall(made.error());
  context.console.Print(ReservationTable({*made}));
  context.console.PrintJson(ReservationJson(*made));
  return kOk;
}

int Reservations(CommandContext& context) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto all = (*scheduler)->ListReservations(context.stop);
  if (!all) return context.console.FailedCall(all.error());
  nlohmann::json list = nlohmann::json::array();
  for (const rpc::ReservationInfo& one : *all) list.push_back(ReservationJson(one));
  if (all->empty()) {
    context.console.Print("No reservations.");
  } else {
    context.console.Print(ReservationTable(*all));
  }
  context.console.PrintJson({{"reservations", list}});
  return kOk;
}

int Release(CommandContext& context, std::uint64_t id) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  if (const Status done = (*scheduler)->DeleteReservation(id, context.stop); !done) {
    return context.console.FailedCall(done.error());
  }
  context.console.Print(fmt::format("Reservation {} is gone.", id));
  context.console.PrintJson({{"released", id}});
  return kOk;
}

Result<rpc::CanaryInfo> MakeCanary(const CanaryOptions& options) {
  rpc::CanaryInfo canary{.substrate = options.experiment.substrate};
  const Result<double> every = ParseSpan(options.every);
  if (!every) return tl::unexpected(every.error());
  Result<Profile> profile = FindProfile(options.experiment.profile);
  if (!profile) return tl::unexpected(profile.error());
  Result<ParameterSets> sets = client::ReadCodesFile(options.file, profile->ParameterNames());
  if (!sets) return tl::unexpected(sets.error());
  Result<Protocol> protocol = MakeProtocol(options.experiment.protocol);
  if (!protocol) return tl::unexpected(protocol.error());
  canary.spec.sets = std::move(*sets);
  canary.spec.trials = options.trials;
  canary.spec.profile_toml = profile->text;
  canary.spec.protocol = std::move(*protocol);
  canary.spec.device = options.experiment.device;
  canary.spec.seed = options.seed;
  canary.spec.substrate = canary.substrate;
  canary.interval_seconds = *every;
  canary.baseline_checks = options.baseline_checks;
  canary.limit_sigmas = options.limit_sigmas;
  return canary;
}

nlohmann::json CanaryJson(const rpc::CanaryInfo& canary) {
  return {{"substrate", canary.substrate},
          {"sets", canary.spec.sets.size()},
          {"trials", canary.spec.trials},
          {"interval_seconds", canary.interval_seconds},
          {"baseline_checks", canary.baseline_checks},
          {"limit_sigmas", canary.limit_sigmas},
          {"revision", canary.revision}};
}

int SetCanary(CommandContext& context, const Result<rpc::CanaryInfo>& wanted) {
  if (!wanted) return context.console.FailedInput(wanted.error());
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto canary = (*scheduler)->SetCanary(*wanted, context.stop);
  if (!canary) return context.console.FailedCall(canary.error());
  const bool cleared = wanted->spec.sets.size() == 0;
  context.console.Print(
      cleared
          ? fmt::format("Workers of {} are checked no more.", canary->substrate)
          : fmt::format("Workers of {} are checked now and every {}; the first {} checks become "
                        "the stored values.",
                        canary->substrate, FormatDuration(canary->interval_seconds),
                        canary->baseline_checks));
  context.console.PrintJson(CanaryJson(*canary));
  return kOk;
}

int ListCanaries(CommandContext& context) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto all = (*scheduler)->ListCanaries(context.stop);
  if (!all) return context.console.FailedCall(all.error());
  Table table{{{"SUBSTRATE"}, {"SETS", true}, {"TRIALS", true}, {"EVERY", true}, {"SIGMAS", true}},
              {}};
  nlohmann::json list = nlohmann::json::array();
  for (const rpc::CanaryInfo& one : *all) {
    table.rows.push_back({one.substrate, std::to_string(one.spec.sets.size()),
                          std::to_string(one.spec.trials), FormatDuration(one.interval_seconds),
                          fmt::format("{}", one.limit_sigmas)});
    list.push_back(CanaryJson(one));
  }
  if (all->empty()) {
    context.console.Print("No canaries.");
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"canaries", list}});
  return kOk;
}

void AddNamed(CLI::App& workers, CommandContext& context, const std::string& verb,
              const std::string& help, int (*run)(CommandContext&, const WorkerOptions&),
              bool takes_reason) {
  auto options = std::make_shared<WorkerOptions>();
  CLI::App& command = *workers.add_subcommand(verb, help);
  command.add_option("worker", options->worker, "Worker: its id, or its whole name")->required();
  if (takes_reason) command.add_option("--reason", options->reason, "Reason for people");
  OnSelected(command, context, [&context, options, run] { return run(context, *options); });
}

void AddReserve(CLI::App& workers, CommandContext& context, bool maintenance) {
  auto options = std::make_shared<ReserveOptions>();
  CLI::App& command =
      maintenance
          ? *workers.add_subcommand("maintenance", "Keep everybody from a worker for a time")
          : *workers.add_subcommand("reserve", "Keep a worker for one project for a time");
  command.add_option("worker", options->worker, "Worker: its id, or its whole name")->required();
  if (!maintenance) {
    command.add_option("--project", options->project, "Project")->required()->type_name("ID");
  }
  command.add_option("--from", options->from, "Begin: 2026-01-31T14:05[Z], now, +2h")
      ->type_name("TIME");
  command.add_option("--to", options->to, "End: 2026-01-31T14:05[Z], +2h")
      ->required()
      ->type_name("TIME");
  command.add_option("--reason", options->reason, "Reason for people");
  OnSelected(command, context, [&context, options] { return Reserve(context, *options); });
}

void AddCanary(CLI::App& workers, CommandContext& context) {
  CLI::App& canary = *workers.add_subcommand("canary", "Parameter sets that check the workers");
  canary.require_subcommand(1);
  auto options = std::make_shared<CanaryOptions>();
  CLI::App& set = *canary.add_subcommand("set", "Check the workers of a substrate with these sets");
  set.add_option("file", options->file, "CSV: a line of parameter names, then codes 0..1022")
      ->required()
      ->type_name("FILE");
  set.add_option("--trials", options->trials, "Trials of each parameter set")
      ->check(CLI::Range(1u, 1000u));
  set.add_option("--seed", options->seed, "Seed of every check");
  set.add_option("--every", options->every, "Time between checks of a worker")->type_name("SPAN");
  set.add_option("--baseline-checks", options->baseline_checks,
                 "Checks whose values become the stored ones")
      ->check(CLI::Range(2u, 100u));
  set.add_option("--limit-sigmas", options->limit_sigmas, "Width of the control chart")
      ->check(CLI::Range(1.0, 100.0));
  AddExperimentOptions(set, options->experiment);
  OnSelected(set, context,
             [&context, options] { return SetCanary(context, MakeCanary(*options)); });
  CLI::App& list = *canary.add_subcommand("list", "Canaries that are set");
  OnSelected(list, context, [&context] { return ListCanaries(context); });
  auto substrate = std::make_shared<std::string>();
  CLI::App& clear = *canary.add_subcommand("clear", "Check the workers of a substrate no more");
  clear.add_option("substrate", *substrate, "Kind of substrate")->required();
  OnSelected(clear, context, [&context, substrate] {
    return SetCanary(context, rpc::CanaryInfo{.substrate = *substrate});
  });
}

}  // namespace

void AddWorkerCommands(CLI::App& app, CommandContext& context) {
  CLI::App& workers = *app.add_subcommand("worker", "Look at the workers and operate them");
  workers.require_subcommand(1);
  CLI::App& list = *workers.add_subcommand("list", "Workers that the scheduler knows");
  OnSelected(list, context, [&context] { return List(context); });
  AddNamed(workers, context, "show", "One worker", Show, false);
  AddNamed(workers, context, "drain", "Let a worker finish and give it no more", Drain, true);
  AddNamed(workers, context, "resume", "Let a drained worker take work again", Resume, false);
  AddReserve(workers, context, false);
  AddReserve(workers, context, true);
  CLI::App& reservations = *workers.add_subcommand("reservations", "Reservations and maintenance");
  OnSelected(reservations, context, [&context] { return Reservations(context); });
  auto id = std::make_shared<std::uint64_t>(0);
  CLI::App& release = *workers.add_subcommand("release", "End a reservation or a maintenance");
  release.add_option("reservation", *id, "Its number")->required();
  OnSelected(release, context, [&context, id] { return Release(context, *id); });
  AddCanary(workers, context);
  AddDeviceCommands(workers, context);
}

}  // namespace inferon::cli
