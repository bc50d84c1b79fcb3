#include "server/scheduler/queue_index.h"

#include "server/scheduler/state.h"

namespace inferon::scheduler {

void QueueIndex::Enter(const Entry& entry) {
  Project& project = projects_[entry.project];
  project.size.jobs += 1;
  project.size.experiments += entry.experiments;
  total_.jobs += 1;
  total_.experiments += entry.experiments;
  if (entry.ready && !entry.paused) project.ready[entry.requirement].insert(entry.rank);
}

void QueueIndex::Leave(const Entry& entry) {
  const auto found = projects_.find(entry.project);
  Project& project = found->second;
  project.size.jobs -= 1;
  project.size.experiments -= entry.experiments;
  total_.jobs -= 1;
  total_.experiments -= entry.experiments;
  if (const auto ready = project.ready.find(entry.requirement); ready != project.ready.end()) {
    ready->second.erase(entry.rank);
    if (ready->second.empty()) project.ready.erase(ready);
  }
  if (project.size.jobs == 0) projects_.erase(found);
}

void QueueIndex::Put(const Job& job) {
  Entry entry{job.project,
              {-job.priority, job.id},
              RequirementOf(job),
              job.experiments - job.experiments_done - job.experiments_failed,
              job.paused};
  const auto found = jobs_.find(job.id);
  if (found != jobs_.end()) {
    entry.ready = found->second.ready;
    entry.wake_ms = found->second.wake_ms;
    Leave(found->second);
    if (HasEnded(job.state)) {
      waking_.erase({entry.wake_ms, job.id});
      jobs_.erase(found);
      return;
    }
    found->second = std::move(entry);
    Enter(found->second);
  } else if (!HasEnded(job.state)) {
    Enter(jobs_.emplace(job.id, std::move(entry)).first->second);
  }
}

void QueueIndex::Clear() { *this = QueueIndex(); }

void QueueIndex::Park(JobId job, std::int64_t until_ms) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  Entry& entry = found->second;
  Leave(entry);
  waking_.erase({entry.wake_ms, job});
  entry.ready = false;
  entry.wake_ms = until_ms;
  if (until_ms > 0) waking_.insert({until_ms, job});
  Enter(entry);
}

void QueueIndex::Wake(JobId job) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end() || found->second.ready) return;
  Entry& entry = found->second;
  Leave(entry);
  waking_.erase({entry.wake_ms, job});
  entry.ready = true;
  entry.wake_ms = 0;
  Enter(entry);
}

void QueueIndex::WakeDue(std::int64_t now_ms) {
  while (!waking_.empty() && waking_.begin()->first <= now_ms) Wake(waking_.begin()->second);
}

std::vector<std::string> QueueIndex::ReadyProjects() const {
  std::vector<std::string> projects;
  for (const auto& [id, project] : projects_) {
    if (!project.ready.empty()) projects.push_back(id);
  }
  return projects;
}

std::optional<QueuedJob> QueueIndex::FirstJob(
    const std::string& project, const std::function<bool(const Requirement&)>& fits) const {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return std::nullopt;
  std::optional<Rank> best;
  const Requirement* wants = nullptr;
  for (const auto& [requirement, jobs] : found->second.ready) {
    if ((best && *best < *jobs.begin()) || !fits(requirement)) continue;
    best = *jobs.begin();
    wants = &requirement;
  }
  if (!best) return std::nullopt;
  return QueuedJob{best->second, wants};
}

std::optional<JobId> QueueIndex::First(const std::string& project,
                                       const std::function<bool(const Requirement&)>& fits) const {
  const std::optional<QueuedJob> first = FirstJob(project, fits);
  if (!first) return std::nullopt;
  return first->job;
}

QueueSize QueueIndex::OfProject(const std::string& project) const {
  const auto found = projects_.find(project);
  return found == projects_.end() ? QueueSize{} : found->second.size;
}

std::uint64_t QueueIndex::ExperimentsAhead(const Job& job) const {
  std::uint64_t ahead = 0;
  for (const auto& [id, entry] : jobs_) {
    const bool before = entry.rank < Rank{-job.priority, job.id};
    if (entry.project == job.project && before && !entry.paused) ahead += entry.experiments;
  }
  return ahead;
}

std::map<std::string, std::uint64_t> QueueIndex::Waiting() const {
  std::map<std::string, std::uint64_t> waiting;
  for (const auto& [id, entry] : jobs_) {
    if (!entry.paused) waiting[entry.project] += entry.experiments;
  }
  return waiting;
}

}  // namespace inferon::scheduler
