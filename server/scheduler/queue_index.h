// The open jobs in memory, in the order in which each project's are served: what makes choosing the
// next shard independent of the number of jobs. No clock, no store: a plain structure of the
// writer's thread.
//
// A job is "ready" until the store says that none of its shards is; then it is parked until one
// comes back or a back-off ends. Parking is a hint that saves looking: a ready job may turn out to
// have no shard, but a parked one never has.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/scheduler/placement.h"
#include "server/scheduler/store.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// A job in the index; the requirement lives until the index changes.
struct QueuedJob {
  JobId job = 0;
  const Requirement* requirement = nullptr;
};

class QueueIndex {
 public:
  // Adds a job, or brings its counters, priority and pause up to date; forgets one that has ended.
  void Put(const Job& job);
  void Clear();

  // No shard of it is ready now; at `until_ms` (0: unknown) a back-off ends.
  void Park(JobId job, std::int64_t until_ms);
  // A shard of it has become ready.
  void Wake(JobId job);
  // Wakes the jobs whose back-off has ended.
  void WakeDue(std::int64_t now_ms);

  // Projects with a ready job, by id.
  std::vector<std::string> ReadyProjects() const;
  // The project's first ready job that fits: highest priority, then oldest. Asks once for each
  // distinct requirement.
  std::optional<QueuedJob> FirstJob(const std::string& project,
                                    const std::function<bool(const Requirement&)>& fits) const;
  std::optional<JobId> First(const std::string& project,
                             const std::function<bool(const Requirement&)>& fits) const;

  // Of all jobs, and of a project's.
  const QueueSize& total() const { return total_; }
  QueueSize OfProject(const std::string& project) const;
  // Experiments of the project's jobs that are served before this one.
  std::uint64_t ExperimentsAhead(const Job& job) const;
  // Experiments, neither done nor failed, of jobs that are not paused, by project.
  std::map<std::string, std::uint64_t> Waiting() const;

 private:
  using Rank = std::pair<std::int32_t, JobId>;  // (-priority, id).
  struct Entry {
    std::string project;
    Rank rank;
    Requirement requirement;
    std::uint64_t experiments = 0;  // Neither done nor failed.
    bool paused = false;
    bool ready = true;
    std::int64_t wake_ms = 0;  // 0: none.
  };
  struct Project {
    std::map<Requirement, std::set<Rank>> ready;
    QueueSize size;
  };
  void Enter(const Entry& entry);
  void Leave(const Entry& entry);

  std::unordered_map<JobId, Entry> jobs_;
  std::map<std::string, Project> projects_;
  std::set<std::pair<std::int64_t, JobId>> waking_;
  QueueSize total_;
};

}  // namespace inferon::scheduler
