#include "server/scheduler/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/scheduler/state.h"

namespace inferon::scheduler {
namespace {

WallTime After(WallTime now, double seconds) {
  return now +
         std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(seconds));
}

// What keeps one worker that fits from the job; nothing where it is free or only busy.
std::optional<WaitReason> Obstacle(const WorkerFacts& worker) {
  const std::string name = WorkerName(worker.id);
  if (worker.state == WorkerState::kOffline) {
    return WaitReason{"OFFLINE", fmt::format("{} is offline", name), "Start it"};
  }
  if (worker.drained || worker.state == WorkerState::kDraining) {
    return WaitReason{
        "DRAINING", fmt::format("{} is drained", name),
        worker.drained ? fmt::format("inferon worker resume {}", worker.id) : "Start it again"};
  }
  if (worker.untrusted) {
    return WaitReason{"HEALTH",
                      fmt::format("{} has not passed its health check{}{}", name,
                                  worker.health_message.empty() ? "" : ": ", worker.health_message),
                      "Look at it, or wait for its next checks"};
  }
  if (worker.reserved) {
    const Reservation& by = *worker.reserved;
    return WaitReason{"RESERVED",
                      fmt::format("{} is kept for {}{}{}", name,
                                  by.project.empty() ? "maintenance" : ProjectName(by.project),
                                  by.reason.empty() ? "" : ": ", by.reason),
                      fmt::format("inferon worker release {}, or wait for its end", by.id)};
  }
  if (worker.refuses) {
    return WaitReason{"HEALTH", fmt::format("{} waits: {}", WorkerName(worker.id), kRefusesText),
                      "Look at its log (a chip's: inferon worker doctor), then start it again"};
  }
  return std::nullopt;
}

// When the job's next shard starts: after the first worker is free and has done its part of what
// goes first; the interval takes the shorter and longer measured times.
void Expect(const ExplainFacts& facts, const std::vector<const WorkerFacts*>& free,
            Explanation& answer) {
  const double ahead = static_cast<double>(facts.own_ahead) + facts.other_ahead;
  answer.experiments_ahead = static_cast<std::uint64_t>(ahead + 0.5);
  double soonest = free.front()->busy_seconds;
  for (const WorkerFacts* worker : free) soonest = std::min(soonest, worker->busy_seconds);
  const bool waits = ahead > 0 || soonest > 0;
  if (waits && !facts.times) return;
  const MeasuredTimes times = facts.times.value_or(MeasuredTimes{});
  const double back_off = static_cast<double>(facts.back_off_ms.value_or(0)) / 1000;
  const double each = ahead / static_cast<double>(free.size());
  const auto start = [&](double seconds, double share) {
    return After(facts.now, std::max(back_off, soonest * share + each * seconds));
  };
  const double low = times.mid > 0 ? times.low / times.mid : 1;
  const double high = times.mid > 0 ? times.high / times.mid : 1;
  answer.expected = start(times.mid, 1);
  answer.earliest = start(times.low, low);
  answer.latest = start(times.high, high);
}

// Reasons that hold the job back by itself, whatever the workers do.
std::optional<WaitReason> OwnObstacle(const ExplainFacts& facts) {
  const Job& job = facts.job;
  const std::string name = JobName(job.project, job.id);
  if (HasEnded(job.state)) {
    return WaitReason{"ENDED", fmt::format("it has {}", Name(job.state)),
                      job.last_error.empty() ? "" : job.last_error};
  }
  if (job.paused) {
    return WaitReason{"PAUSED", "it is paused", fmt::format("inferon job resume {}", name)};
  }
  if (job.shards_leased > 0) {
    return WaitReason{"RUNNING", fmt::format("{} of its shards run now", job.shards_leased), ""};
  }
  return std::nullopt;
}

void AddQueueReasons(const ExplainFacts& facts, bool all_busy, Explanation& answer) {
  if (facts.back_off_ms) {
    answer.reasons.push_back(
        {"BACK_OFF",
         fmt::format("its shards failed ({}) and are tried again in {:.0f} s", facts.job.last_error,
                     static_cast<double>(*facts.back_off_ms) / 1000),
         ""});
  }
  if (!facts.served_before.empty()) {
    answer.reasons.push_back(
        {"SHARE", fmt::format("fair share serves first: {}", facts.served_before),
         fmt::format("inferon project set {} --weight W gives it more", facts.job.project)});
  }
  if (facts.own_ahead > 0) {
    answer.reasons.push_back(
        {"PRIORITY",
         fmt::format("{} experiments of its project's jobs with higher priority or age go first",
                     facts.own_ahead),
         "Submit it with a higher --priority, or pause the others"});
  }
  if (all_busy) {
    answer.reasons.push_back({"BUSY", "every worker that may run it is busy", ""});
  }
}

}  // namespace

Explanation Explain(const ExplainFacts& facts) {
  Explanation answer;
  answer.job = facts.job;
  for (const WorkerFacts& worker : facts.workers) {
    if (worker.mismatch.empty()) answer.workers.push_back(WorkerName(worker.id));
  }
  if (const auto own = OwnObstacle(facts)) {
    answer.reasons.push_back(*own);
    return answer;
  }
  if (facts.over_quota) {
    answer.reasons.push_back(
        {"DAILY_QUOTA",
         fmt::format("its project has used {:.1f} of its {:.1f} substrate seconds a day",
                     facts.day_seconds, facts.quota_seconds),
         "Wait until hours of yesterday fall out of the day, or raise the quota"});
  }
  std::vector<const WorkerFacts*> free;
  std::vector<WaitReason> obstacles;
  for (const WorkerFacts& worker : facts.workers) {
    if (!worker.mismatch.empty()) continue;
    if (const auto obstacle = Obstacle(worker)) {
      obstacles.push_back(*obstacle);
    } else {
      free.push_back(&worker);
    }
  }
  if (facts.workers.empty()) {
    answer.reasons.push_back({"NO_WORKER", "no worker has ever called", "Start one"});
  } else if (answer.workers.empty()) {
    for (const WorkerFacts& worker : facts.workers) {
      answer.reasons.push_back({"WRONG_WORKER",
                                fmt::format("{}: {}", WorkerName(worker.id), worker.mismatch),
                                "Start a worker that fits, or submit the job without this pin"});
    }
  } else if (free.empty()) {
    answer.reasons.insert(answer.reasons.end(), obstacles.begin(), obstacles.end());
  } else {
    const bool all_busy = std::all_of(free.begin(), free.end(),
                                      [](const WorkerFacts* worker) { return worker->leases > 0; });
    AddQueueReasons(facts, all_busy, answer);
    if (!facts.over_quota) Expect(facts, free, answer);
    if (answer.reasons.empty()) {
      answer.reasons.push_back({"NEXT", "it is next; a worker takes it at its next call", ""});
    }
  }
  return answer;
}

}  // namespace inferon::scheduler
