// inferon events, inferon top, inferon gc
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/time_options.h"

namespace inferon::cli {
namespace {

using std::chrono::duration;

constexpr std::uint32_t kEventPage = 1000;
constexpr std::chrono::seconds kFollowPause{1};

struct EventOptions {
  std::uint64_t after = 0;
  std::string project;
  bool follow = false;
};

struct TopOptions {
  double every = 2;
  bool once = false;
};

struct GarbageOptions {
  std::string older_than;
  bool dry_run = false;
};

nlohmann::json EventJson(const rpc::JobEvent& event) {
  return {{"sequence", event.sequence}, {"time", FormatTimeUtc(event.time)},
          {"kind", event.kind},         {"resource", event.resource},
          {"message", event.message},   {"actor", event.actor}};
}

// With --json one object an event, so that a follower can read them as they come.
void PrintEvent(Console& console, const rpc::JobEvent& event) {
  console.Print(fmt::format("{:>8}  {}  {:<20}  {}{}{}{}{}", event.sequence, FormatTime(event.time),
                            event.kind, event.resource, event.message.empty() ? "" : "  ",
                            event.message, event.actor.empty() ? "" : "  by ", event.actor));
  console.PrintJson(EventJson(event));
}

int Events(CommandContext& context, const EventOptions& options) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const std::string project = options.project.empty() ? "" : "projects/" + options.project;
  std::uint64_t after = options.after;
  for (;;) {
    const auto events = (*scheduler)->ListEvents(project, after, kEventPage, context.stop);
    if (!events && context.stop.stop_requested()) return kInterrupted;
    if (!events) return context.console.FailedCall(events.error());
    for (const rpc::JobEvent& event : *events) PrintEvent(context.console, event);
    if (!events->empty()) after = events->back().sequence;
    if (events->size() == kEventPage) continue;
    if (!options.follow) return kOk;
    if (!context.clock.SleepFor(kFollowPause, context.stop)) return kInterrupted;
  }
}

struct Snapshot {
  SteadyTime time;
  WallTime wall;
  std::vector<rpc::WorkerInfo> workers;
  std::vector<rpc::ProjectInfo> projects;
};

Result<Snapshot> Look(CommandContext& context, rpc::SchedulerClient& scheduler,
                      rpc::OperatorClient& operators) {
  auto workers = scheduler.ListWorkers(context.stop);
  if (!workers) return tl::unexpected(workers.error());
  auto projects = operators.ListProjects(context.stop);
  if (!projects) return tl::unexpected(projects.error());
  return Snapshot{context.clock.Now(), context.clock.WallNow(), std::move(*workers),
                  std::move(*projects)};
}

// Experiments a second of each worker between two snapshots.
std::map<std::string, double> Rates(const Snapshot& before, const Snapshot& now) {
  std::map<std::string, double> done;
  for (const auto& worker : before.workers) {
    done[worker.name] = static_cast<double>(worker.experiments_done);
  }
  const double seconds = duration<double>(now.time - before.time).count();
  std::map<std::string, double> rates;
  for (const rpc::WorkerInfo& worker : now.workers) {
    const double more = static_cast<double>(worker.experiments_done) -
                        (done.contains(worker.name) ? done[worker.name] : 0);
    rates[worker.name] = seconds > 0 ? more / seconds : 0;
  }
  return rates;
}

nlohmann::json TopJson(const Snapshot& now, const std::map<std::string, double>& rates) {
  nlohmann::json workers = nlohmann::json::array();
  double total = 0;
  for (const rpc::WorkerInfo& worker : now.workers) {
    total += rates.at(worker.name);
    workers.push_back({{"name", worker.name},
                       {"state", worker.state},
                       {"health", worker.health},
                       {"leases", worker.leases},
                       {"experiments_per_s", rates.at(worker.name)}});
  }
  nlohmann::json projects = nlohmann::json::array();
  std::uint64_t jobs = 0;
  std::uint64_t experiments = 0;
  for (const rpc::ProjectInfo& project : now.projects) {
    jobs += project.open_jobs;
    experiments += project.queued_experiments;
    projects.push_back({{"name", project.name},
                        {"open_jobs", project.open_jobs},
                        {"queued_experiments", project.queued_experiments},
                        {"shards_leased", project.shards_leased},
                        {"decayed_seconds", project.decayed_seconds}});
  }
  return {
      {"time", FormatTimeUtc(now.wall)}, {"open_jobs", jobs},  {"queued_experiments", experiments},
      {"experiments_per_s", total},      {"workers", workers}, {"projects", projects}};
}

// The whole view, for a terminal and for --once.
void PrintView(Console& console, const nlohmann::json& top) {
  console.Print(fmt::format("{} open jobs, {} experiments queued, {:.0f} experiments/s",
                            top.at("open_jobs").get<std::uint64_t>(),
                            FormatCount(top.at("queued_experiments").get<std::uint64_t>()),
                            top.at("experiments_per_s").get<double>()));
  Table workers{{{"WORKER"}, {"STATE"}, {"HEALTH"}, {"LEASES", true}, {"EXPERIMENTS/S", true}}, {}};
  for (const auto& worker : top.at("workers")) {
    workers.rows.push_back({worker.at("name"), worker.at("state"), worker.at("health"),
                            std::to_string(worker.at("leases").get<std::uint32_t>()),
                            fmt::format("{:.1f}", worker.at("experiments_per_s").get<double>())});
  }
  console.Print(workers);
  Table projects{{{"PROJECT"}, {"JOBS", true}, {"EXPERIMENTS", true}, {"LEASED", true}}, {}};
  for (const auto& project : top.at("projects")) {
    projects.rows.push_back({project.at("name"),
                             std::to_string(project.at("open_jobs").get<std::uint64_t>()),
                             FormatCount(project.at("queued_experiments").get<std::uint64_t>()),
                             std::to_string(project.at("shards_leased").get<std::uint32_t>())});
  }
  console.Print(projects);
}

// One line, for a pipe.
void PrintLine(Console& console, const nlohmann::json& top) {
  std::map<std::string, int> states;
  for (const auto& worker : top.at("workers")) ++states[worker.at("state")];
  std::string line = fmt::format(
      "{} jobs={} experiments={} rate={:.1f}/s", top.at("time").get<std::string>(),
      top.at("open_jobs").get<std::uint64_t>(), top.at("queued_experiments").get<std::uint64_t>(),
      top.at("experiments_per_s").get<double>());
  for (const auto& [state, count] : states) line += fmt::format(" {}={}", state, count);
  console.Print(line);
}

int Top(CommandContext& context, const TopOptions& options) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto operators = context.Operator();
  if (!operators) return context.console.FailedCall(operators.error());
  Result<Snapshot> before = Look(context, **scheduler, **operators);
  if (!before) return context.console.FailedCall(before.error());
  const duration<double> pause(options.once ? std::min(1.0, options.every) : options.every);
  const auto wait = std::chrono::duration_cast<std::chrono::nanoseconds>(pause);
  while (context.clock.SleepFor(wait, context.stop)) {
    Result<Snapshot> now = Look(context, **scheduler, **operators);
    if (!now && context.stop.stop_requested()) break;
    if (!now) return context.console.FailedCall(now.error());
    const nlohmann::json top = TopJson(*now, Rates(*before, *now));
    const bool live = context.output.terminal && !options.once;
    if (live) context.console.Print("\033[H\033[2J");
    if (live || options.once) {
      PrintView(context.console, top);
    } else {
      PrintLine(context.console, top);
    }
    context.console.PrintJson(top);
    if (options.once) return kOk;
    before = std::move(now);
  }
  return kInterrupted;
}

int CollectGarbage(CommandContext& context, const GarbageOptions& options) {
  const Result<double> age = ParseSpan(options.older_than);
  if (!age) return context.console.FailedInput(age.error());
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  rpc::GarbageReport sum;
  // A call takes the oldest jobs, a limited number of them; a dry run would see the same again.
  for (;;) {
    const auto report = (*scheduler)->CollectGarbage(*age, options.dry_run, context.stop);
    if (!report) return context.console.FailedCall(report.error());
    sum.jobs.insert(sum.jobs.end(), report->jobs.begin(), report->jobs.end());
    sum.experiments += report->experiments;
    sum.segments += report->segments;
    sum.bytes += report->bytes;
    if (options.dry_run || report->jobs.empty()) break;
  }
  context.console.Print(
      fmt::format("{} the results of {} jobs ({} experiments) and {} segment files ({} bytes).",
                  options.dry_run ? "Would remove" : "Removed", sum.jobs.size(),
                  FormatCount(sum.experiments), sum.segments, FormatCount(sum.bytes)));
  context.console.PrintJson({{"dry_run", options.dry_run},
                             {"jobs", sum.jobs},
                             {"experiments", sum.experiments},
                             {"segments", sum.segments},
                             {"bytes", sum.bytes}});
  return kOk;
}

}  // namespace

void AddUpkeepCommands(CLI::App& app, CommandContext& context) {
  auto events = std::make_shared<EventOptions>();
  CLI::App& list = *app.add_subcommand("events", "Everything that happened, and who did it");
  list.add_option("--after", events->after, "Begin behind this event's number");
  list.add_option("--project", events->project, "Of this project only")->type_name("ID");
  list.add_flag("--follow", events->follow, "Go on with events as they happen");
  OnSelected(list, context, [&context, events] { return Events(context, *events); });

  auto top = std::make_shared<TopOptions>();
  CLI::App& view = *app.add_subcommand("top", "Live view of queue, workers and throughput");
  view.add_option("--every", top->every, "Time between looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("S");
  view.add_flag("--once", top->once, "One look, then end");
  OnSelected(view, context, [&context, top] { return Top(context, *top); });

  auto garbage = std::make_shared<GarbageOptions>();
  CLI::App& gc = *app.add_subcommand("gc", "Remove the results of jobs that ended long ago");
  gc.add_option("--older-than", garbage->older_than, "Time since the job's end: 30d, 12h")
      ->required()
      ->type_name("SPAN");
  gc.add_flag("--dry-run", garbage->dry_run, "Only say what would be removed");
  OnSelected(gc, context, [&context, garbage] { return CollectGarbage(context, *garbage); });
}

}  // namespace inferon::cli
