#include "client/cli/cluster/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/library/health.h"

namespace inferon::cli {
namespace {

constexpr std::chrono::milliseconds kTimeout{3'000};
constexpr std::uint32_t kJobsLookedAt = 200;

// What the servers know; each part is missing where its server does not answer.
struct Overview {
  std::vector<ProcessHealth> processes;
  std::optional<std::vector<rpc::JobInfo>> jobs;  // The newest of the default project.
  std::optional<std::vector<rpc::WorkerInfo>> workers;
  std::optional<std::vector<v1::Study>> studies;
};

template <typename T>
std::optional<T> Known(Result<T> result) {
  return result ? std::optional<T>(std::move(*result)) : std::nullopt;
}

Overview Gather(const CommandContext& context, const ClusterFolder& folder) {
  Overview overview;
  if (folder.Supervisor()) overview.processes = Look(context, folder);
  if (auto options = context.SchedulerOptions()) {
    options->retry = rpc::NoRetry();
    options->timeout = kTimeout;
    const auto scheduler = rpc::MakeSchedulerClient(*options);
    auto page = scheduler->ListJobs("default", kJobsLookedAt, "", context.stop);
    if (page) overview.jobs = std::move(page->jobs);
    if (page) overview.workers = Known(scheduler->ListWorkers(context.stop));
  }
  if (auto options = context.TrainerOptions()) {
    options->retry = rpc::NoRetry();
    options->timeout = kTimeout;
    const auto trainer = client::MakeTrainerClient(*options);
    overview.studies = Known(trainer->ListStudies(context.stop));
  }
  return overview;
}

struct QueueFigures {
  std::uint64_t pending = 0;
  std::uint64_t running = 0;
  std::uint64_t experiments = 0;  // Of jobs that have not ended.
  std::uint64_t done = 0;
};

QueueFigures Count(const std::vector<rpc::JobInfo>& jobs) {
  QueueFigures figures;
  for (const rpc::JobInfo& job : jobs) {
    if (rpc::HasEnded(job.state)) continue;
    ++(job.state == rpc::JobState::kPending ? figures.pending : figures.running);
    figures.experiments += job.experiments;
    figures.done += job.experiments_done + job.experiments_failed;
  }
  return figures;
}

const v1::StudyStep* CurrentStep(const v1::Study& study) {
  for (const v1::StudyStep& step : study.steps()) {
    if (step.has_start_time() && !step.has_end_time()) return &step;
  }
  return nullptr;
}

std::vector<v1::Study> Running(const std::vector<v1::Study>& studies) {
  std::vector<v1::Study> running;
  std::copy_if(studies.begin(), studies.end(), std::back_inserter(running),
               [](const v1::Study& study) { return study.state() == v1::STUDY_STATE_RUNNING; });
  return running;
}

void PrintQueue(Console& console, const Overview& overview) {
  if (overview.jobs) {
    const QueueFigures queue = Count(*overview.jobs);
    console.Print(fmt::format("Queue: {} jobs running, {} pending; {} of {} experiments done.",
                              queue.running, queue.pending, FormatCount(queue.done),
                              FormatCount(queue.experiments)));
  }
  if (overview.workers) {
    const auto in = [&](const char* state) {
      return std::count_if(overview.workers->begin(), overview.workers->end(),
                           [&](const rpc::WorkerInfo& worker) { return worker.state == state; });
    };
    console.Print(fmt::format("Workers: {} busy, {} idle, {} draining, {} offline.", in("busy"),
                              in("idle"), in("draining"), in("offline")));
  }
}

void PrintStudies(Console& console, const Overview& overview) {
  if (!overview.studies) return;
  const std::vector<v1::Study> running = Running(*overview.studies);
  if (running.empty()) {
    console.Print(fmt::format("Studies: none running, {} in all.", overview.studies->size()));
    return;
  }
  Table table{{{"STUDY"}, {"STEP"}, {"DONE", true}, {"NOTE"}}, {}};
  for (const v1::Study& study : running) {
    const v1::StudyStep* step = CurrentStep(study);
    const std::string done = step == nullptr
                                 ? ""
                                 : fmt::format("{}/{} {}", FormatCount(step->done()),
                                               FormatCount(step->total()), step->unit());
    table.rows.push_back({study.name(), step == nullptr ? "" : step->title(), done,
                          step == nullptr ? "" : step->note()});
  }
  console.Print(table);
}

nlohmann::json Json(const Overview& overview, bool up, const ClusterFolder& folder) {
  nlohmann::json json{{"up", up},
                      {"data", folder.data().string()},
                      {"processes", ProcessesJson(overview.processes)},
                      {"queue", nullptr},
                      {"workers", nullptr},
                      {"studies", nullptr}};
  if (overview.jobs) {
    const QueueFigures queue = Count(*overview.jobs);
    json["queue"] = {{"jobs_running", queue.running},
                     {"jobs_pending", queue.pending},
                     {"experiments", queue.experiments},
                     {"experiments_done", queue.done}};
  }
  if (overview.workers) {
    json["workers"] = nlohmann::json::array();
    for (const rpc::WorkerInfo& worker : *overview.workers) {
      json["workers"].push_back(
          {{"name", worker.name}, {"state", worker.state}, {"leases", worker.leases}});
    }
  }
  if (overview.studies) {
    json["studies"] = nlohmann::json::array();
    for (const v1::Study& study : Running(*overview.studies)) {
      const v1::StudyStep* step = CurrentStep(study);
      json["studies"].push_back({{"name", study.name()},
                                 {"step", step == nullptr ? "" : step->id()},
                                 {"done", step == nullptr ? 0 : step->done()},
                                 {"total", step == nullptr ? 0 : step->total()}});
    }
  }
  return json;
}

}  // namespace

Table ProcessTable(const std::vector<ProcessHealth>& processes, const Clock& clock) {
  Table table{{{"PROCESS"},
               {"PID", true},
               {"STATE"},
               {"HEALTH"},
               {"RESTARTS", true},
               {"UP", true},
               {"ADDRESS"}},
              {}};
  const auto now = std::chrono::system_clock::to_time_t(clock.WallNow());
  for (const ProcessHealth& one : processes) {
    const ProcessInfo& process = one.process;
    const bool running = process.pid != 0;
    const auto up = static_cast<double>(std::max<std::int64_t>(0, now - process.started_at));
    table.rows.push_back({process.name, running ? std::to_string(process.pid) : "-", process.state,
                          one.health, std::to_string(process.restarts),
                          running ? FormatDuration(up) : "-", one.address});
  }
  return table;
}

nlohmann::json ProcessesJson(const std::vector<ProcessHealth>& processes) {
  nlohmann::json list = nlohmann::json::array();
  for (const ProcessHealth& one : processes) {
    list.push_back({{"name", one.process.name},
                    {"pid", one.process.pid},
                    {"state", one.process.state},
                    {"healthy", one.healthy},
                    {"health", one.health},
                    {"restarts", one.process.restarts},
                    {"last_ending", one.process.last_ending},
                    {"address", one.address}});
  }
  return list;
}

int ShowStatus(CommandContext& context) {
  const ClusterFolder folder(context.DataFolder());
  const Overview overview = Gather(context, folder);
  if (overview.processes.empty() && !overview.jobs && !overview.studies) {
    context.console.PrintJson(Json(overview, false, folder));
    context.console.Note(fmt::format("inferon: nothing runs in {}. Start it with 'inferon up'.",
                                     folder.data().string()));
    return kUnreachable;
  }
  if (!overview.processes.empty()) {
    context.console.Print(ProcessTable(overview.processes, context.clock));
  }
  PrintQueue(context.console, overview);
  PrintStudies(context.console, overview);
  for (const ProcessHealth& one : overview.processes) {
    if (one.process.state != "gave up") continue;
    context.console.Warn(fmt::format("the {} was given up after crashes ({}). Look at {}",
                                     one.process.name, one.process.last_ending,
                                     folder.Log(one.process.name).string()));
  }
  const bool healthy = std::all_of(overview.processes.begin(), overview.processes.end(),
                                   [](const ProcessHealth& one) { return one.healthy; });
  context.console.PrintJson(Json(overview, healthy && overview.jobs.has_value(), folder));
  return healthy && overview.jobs ? kOk : kUnreachable;
}

}  // namespace inferon::cli
