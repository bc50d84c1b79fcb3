#include "server/scheduler/core_metrics.h"

#include <algorithm>
#include <map>
#include <string>

#include "server/scheduler/core.h"
#include "server/scheduler/writer_statistics.h"

namespace inferon::scheduler {
namespace {

const char* Name(WorkerState state) {
  constexpr const char* kNames[] = {"idle", "busy", "draining", "offline"};
  return kNames[static_cast<int>(state) - static_cast<int>(WorkerState::kIdle)];
}

const char* Name(WorkerHealth health) {
  constexpr const char* kNames[] = {"unknown", "good", "suspect", "bad"};
  return kNames[static_cast<int>(health)];
}

void CollectProjects(const std::vector<ProjectView>& projects, MetricSink& sink) {
  for (const ProjectView& project : projects) {
    const Labels labels{{"project", project.record.id}};
    sink.Gauge("inferon_queued_experiments", "Experiments neither done nor failed", labels,
               static_cast<double>(project.queued_experiments));
    sink.Gauge("inferon_leased_shards", "Shards that workers hold", labels, project.shards_leased);
    sink.Gauge("inferon_substrate_seconds_day", "Substrate time charged in the last 24 hours",
               labels, project.day_seconds);
  }
}

// Zeros too: a series that ends looks like a scrape that failed.
void CollectJobs(Core& core, const std::vector<ProjectView>& projects, MetricSink& sink) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> jobs;
  for (const ProjectView& project : projects) {
    for (const char* state : {"paused", "pending", "running"}) jobs[{project.record.id, state}] = 0;
  }
  for (const OpenJobCount& count : core.CountOpenJobs()) {
    if (count.project == kHealthProject) continue;
    const char* state = count.paused                        ? "paused"
                        : count.state == JobState::kRunning ? "running"
                                                            : "pending";
    jobs[{count.project, state}] += count.jobs;
  }
  for (const auto& [key, number] : jobs) {
    sink.Gauge("inferon_open_jobs", "Jobs that wait, run or are paused",
               {{"project", key.first}, {"state", key.second}}, static_cast<double>(number));
  }
}

void CollectWorkers(Core& core, MetricSink& sink) {
  const auto workers = core.ListWorkers();
  if (!workers) return;
  std::map<std::pair<std::string, std::string>, double> count;
  double oldest = 0;
  for (const WorkerView& worker : *workers) {
    ++count[{Name(worker.state), Name(worker.record.health)}];
    const Labels labels{{"worker", worker.record.id}};
    sink.Counter("inferon_worker_experiments_total", "Experiments committed by the worker", labels,
                 static_cast<double>(worker.record.experiments_done));
    sink.Counter("inferon_worker_substrate_seconds_total", "Substrate time used by the worker",
                 labels, worker.record.substrate_seconds);
    if (worker.leases == 0) continue;
    const auto details = core.GetWorker(worker.record.id);
    if (!details) continue;
    for (const HeldShard& shard : details->shards) oldest = std::max(oldest, shard.held_seconds);
  }
  for (const auto& [key, workers_in] : count) {
    sink.Gauge("inferon_workers", "Workers by state and health",
               {{"state", key.first}, {"health", key.second}}, workers_in);
  }
  sink.Gauge("inferon_oldest_lease_seconds", "Time since the oldest lease was given", {}, oldest);
}

}  // namespace

void CollectMetrics(Core& core, MetricSink& sink) {
  if (const auto projects = core.ListProjects()) {
    CollectProjects(*projects, sink);
    CollectJobs(core, *projects, sink);
  }
  CollectWorkers(core, sink);
  const WriterStatistics& writer = ProcessWriterStatistics();
  sink.Distribution("inferon_commit_changes", "Changes in a transaction", {},
                    writer.changes.Read());
  sink.Distribution("inferon_commit_seconds", "Time of syncing and committing a transaction", {},
                    writer.commit_seconds.Read());
}

}  // namespace inferon::scheduler
