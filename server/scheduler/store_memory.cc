#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "common/base/check.h"
#include "server/scheduler/state.h"
#include "server/scheduler/store.h"

namespace inferon::scheduler {
namespace {

struct State {
  std::uint64_t epoch = 0;
  std::map<JobId, Job> jobs;
  std::map<JobId, std::shared_ptr<const JobSpec>> specs;
  std::map<ShardId, Shard> shards;
  std::vector<std::shared_ptr<const Event>> events;  // Shared between copies of the state.
  std::map<std::string, WorkerRecord> workers;
  std::map<std::string, ProjectRecord> projects;
  std::map<std::pair<std::string, std::int64_t>, double> usage;
  std::map<std::uint64_t, Reservation> reservations;
  std::uint64_t last_reservation = 0;
  std::map<std::string, Canary> canaries;
  std::vector<HealthCheck> checks;
  std::uint64_t last_event = 0;
  ShardId last_shard = 0;
};
using StateSource = std::function<std::shared_ptr<const State>()>;

class MemoryReader : public StoreReader {
 public:
  explicit MemoryReader(StateSource source) : source_(std::move(source)) {}

  std::optional<Job> GetJob(JobId job) override {
    const auto state = source_();
    const auto found = state->jobs.find(job);
    if (found == state->jobs.end()) return std::nullopt;
    return found->second;
  }

  std::optional<Job> FindRequest(const std::string& project,
                                 const std::string& request_id) override {
    const auto state = source_();
    for (const auto& [id, job] : state->jobs) {
      if (job.project == project && job.request_id == request_id) return job;
    }
    return std::nullopt;
  }

  std::vector<Job> ListJobs(const std::string& project, JobId before,
                            std::uint32_t limit) override {
    const auto state = source_();
    std::vector<Job> jobs;
    for (auto at = state->jobs.rbegin(); at != state->jobs.rend() && jobs.size() < limit; ++at) {
      const bool wanted = before == 0 || at->first < before;
      if (wanted && at->second.project == project) jobs.push_back(at->second);
    }
    return jobs;
  }

  std::vector<Job> OpenJobs() override {
    std::vector<Job> jobs;
    const auto state = source_();
    for (const auto& [id, job] : state->jobs) {
      if (!HasEnded(job.state)) jobs.push_back(job);
    }
    return jobs;
  }

  std::vector<OpenJobCount> CountOpenJobs() override {
    std::map<std::tuple<std::string, JobState, bool>, std::uint64_t> counts;
    for (const Job& job : OpenJobs()) ++counts[{job.project, job.state, job.paused}];
    std::vector<OpenJobCount> result;
    for (const auto& [key, jobs] : counts) {
      result.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), jobs});
    }
    return result;
  }

  std::optional<Shard> GetShard(ShardId shard) override {
    const auto state = source_();
    const auto found = state->shards.find(shard);
    if (found == state->shards.end()) return std::nullopt;
    return found->second;
  }

  std::vector<Shard> ShardsFrom(JobId job, std::uint64_t index, std::uint32_t limit) override {
    std::vector<Shard> shards = ShardsWhere(
        [&](const Shard& shard) { return shard.job == job && shard.first + shard.count > index; });
    std::sort(shards.begin(), shards.end(),
              [](const Shard& a, const Shard& b) { return a.first < b.first; });
    if (shards.size() > limit) shards.resize(limit);
    return shards;
  }

  std::vector<Shard> LeasedShards() override {
    return ShardsWhere([](const Shard& shard) { return shard.state == ShardState::kLeased; });
  }

  ReadyShard NextReady(JobId job, std::int64_t now_ms) override {
    ReadyShard next;
    for (const Shard& shard : ShardsFrom(job, 0, ~0u)) {
      if (shard.state != ShardState::kReady) continue;
      if (shard.not_before_ms <= now_ms) return {shard, 0};
      const bool sooner = next.wait_ms == 0 || shard.not_before_ms < next.wait_ms;
      if (sooner) next.wait_ms = shard.not_before_ms;
    }
    return next;
  }

  std::optional<Shard> FindReusable(const std::string& project,
                                    const std::string& reuse_key) override {
    const auto state = source_();
    for (const auto& [id, shard] : state->shards) {
      const bool same = !reuse_key.empty() && shard.reuse_key == reuse_key;
      const bool good = shard.state == ShardState::kDone && !shard.suspect;
      if (same && good && state->jobs.at(shard.job).project == project) return shard;
    }
    return std::nullopt;
  }

  JobSpec GetSpec(JobId job, std::uint64_t first_set, std::uint64_t sets) override {
    const auto state = source_();
    JobSpec spec = *state->specs.at(job);
    const std::size_t dimension = spec.sets.dimension;
    INFERON_CHECK(first_set + sets <= spec.sets.size());
    const auto begin = spec.sets.codes.begin();
    spec.sets.codes = std::vector<std::uint16_t>(
        begin + static_cast<std::ptrdiff_t>(first_set * dimension),
        begin + static_cast<std::ptrdiff_t>((first_set + sets) * dimension));
    return spec;
  }

  std::vector<Event> Events(const EventFilter& filter, std::uint64_t after,
                            std::uint32_t limit) override {
    const auto state = source_();
    std::vector<Event> events;
    for (const auto& one : state->events) {
      const Event& event = *one;
      const bool wanted = filter.job != 0
                              ? event.job == filter.job
                              : filter.project.empty() || event.project == filter.project;
      if (wanted && event.sequence > after && events.size() < limit) events.push_back(event);
    }
    return events;
  }

  std::vector<WorkerRecord> Workers() override {
    const auto state = source_();
    std::vector<WorkerRecord> workers;
    for (const auto& [id, worker] : state->workers) workers.push_back(worker);
    return workers;
  }

  std::vector<SegmentEnd> SegmentEnds() override {
    std::map<std::uint32_t, std::uint64_t> ends;
    const auto state = source_();
    for (const auto& [id, shard] : state->shards) {
      if (shard.state != ShardState::kDone) continue;
      std::uint64_t& end = ends[shard.location.segment];
      end = std::max(end, shard.location.offset + shard.location.bytes);
    }
    std::vector<SegmentEnd> result;
    for (const auto& [segment, bytes] : ends) result.push_back({segment, bytes});
    return result;
  }

  std::vector<ProjectRecord> Projects() override { return Values(source_()->projects); }
  std::vector<Canary> Canaries() override { return Values(source_()->canaries); }

  std::vector<UsageRow> Usage(std::int64_t from_hour) override {
    std::vector<UsageRow> usage;
    const auto state = source_();
    for (const auto& [key, seconds] : state->usage) {
      if (key.second >= from_hour) usage.push_back({key.first, key.second, seconds});
    }
    return usage;
  }

  std::vector<Reservation> Reservations() override {
    std::vector<Reservation> all = Values(source_()->reservations);
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.start < b.start; });
    return all;
  }

  std::vector<HealthCheck> Baseline(const std::string& chart) override {
    std::vector<HealthCheck> checks;
    const auto state = source_();
    for (const HealthCheck& check : state->checks) {
      if (check.chart == chart && check.verdict == Verdict::kBaseline) checks.push_back(check);
    }
    return checks;
  }

  std::vector<HealthCheck> Checks(const std::string& worker, std::uint32_t limit) override {
    std::vector<HealthCheck> checks;
    const auto state = source_();
    for (auto at = state->checks.rbegin(); at != state->checks.rend(); ++at) {
      if (at->worker == worker && checks.size() < limit) checks.push_back(*at);
    }
    return checks;
  }

  std::vector<Job> Purgeable(WallTime ended_before, std::uint32_t limit) override {
    std::vector<Job> jobs;
    const auto state = source_();
    for (const auto& [id, job] : state->jobs) {
      if (job.end_time && *job.end_time < ended_before && !job.purge_time) jobs.push_back(job);
    }
    std::stable_sort(jobs.begin(), jobs.end(),
                     [](const Job& a, const Job& b) { return *a.end_time < *b.end_time; });
    if (jobs.size() > limit) jobs.resize(limit);
    return jobs;
  }

  std::vector<SegmentUse> SegmentsOf(const std::vector<JobId>& jobs) override {
    std::map<std::uint32_t, SegmentUse> uses;
    const auto state = source_();
    const auto chosen = [&](const Shard& shard) {
      return std::find(jobs.begin(), jobs.end(), shard.job) != jobs.end();
    };
    for (const auto& [id, shard] : state->shards) {
      const std::uint32_t segment = shard.location.segment;
      if (shard.state == ShardState::kDone && chosen(shard)) uses[segment].segment = segment;
    }
    for (const auto& [id, shard] : state->shards) {
      const auto use = uses.find(shard.location.segment);
      if (shard.state == ShardState::kDone && !chosen(shard) && use != uses.end()) {
        use->second.needed = true;
      }
    }
    return Values(uses);
  }

 private:
  template <typename Key, typename Value>
  static std::vector<Value> Values(const std::map<Key, Value>& map) {
    std::vector<Value> values;
    for (const auto& [key, value] : map) values.push_back(value);
    return values;
  }

  template <typename Wanted>
  std::vector<Shard> ShardsWhere(const Wanted& wanted) {
    const auto state = source_();
    std::vector<Shard> shards;
    for (const auto& [id, shard] : state->shards) {
      if (wanted(shard)) shards.push_back(shard);
    }
    return shards;
  }

  StateSource source_;
};

class MemoryStore : public Store {
 public:
  MemoryStore()
      : committed_(std::make_shared<State>()),
        view_([this] { return std::shared_ptr<const State>(std::shared_ptr<void>(), &working_); }) {
  }

  void Begin() override {
    INFERON_CHECK(!open_);
    open_ = true;
  }
  void Commit() override {
    INFERON_CHECK(open_);
    open_ = false;
    auto copy = std::make_shared<State>(working_);
    std::lock_guard lock(mu_);
    committed_ = std::move(copy);
  }
  void Rollback() override {
    open_ = false;
    std::lock_guard lock(mu_);
    working_ = *committed_;
  }
  void BeginPart() override { part_ = working_; }
  void EndPart() override { INFERON_CHECK(open_); }
  void UndoPart() override { working_ = part_; }

  StoreReader& View() override { return view_; }
  std::unique_ptr<StoreReader> OpenReader() override {
    return std::make_unique<MemoryReader>([this] {
      std::lock_guard lock(mu_);
      return committed_;
    });
  }

  std::uint64_t NextEpoch() override { return ++working_.epoch; }

  std::uint64_t RefenceAll(Fence fence) override {
    std::uint64_t count = 0;
    for (auto& [id, shard] : working_.shards) {
      shard.not_before_ms = 0;
      if (shard.state != ShardState::kLeased) continue;
      Move(shard, ShardState::kReady);
      Raise(shard, fence);
      ++count;
    }
    return count;
  }

  JobId AddJob(const Job& head, const JobSpec& spec,
               const std::vector<std::string>& keys) override {
    const JobId id = working_.jobs.empty() ? 1 : working_.jobs.rbegin()->first + 1;
    const std::vector<Range> ranges = CutIntoShards(spec.Experiments(), spec.shard_size);
    Job job = head;
    job.id = id;
    job.state = JobState::kPending;
    job.experiments = spec.Experiments();
    job.shards = job.shards_open = static_cast<std::uint32_t>(ranges.size());
    job.device = spec.device;
    job.substrate = spec.substrate;
    job.seed = spec.seed;
    job.trials = spec.trials;
    job.priority = spec.priority;
    job.shard_size = spec.shard_size;
    job.dimension = static_cast<std::uint32_t>(spec.sets.dimension);
    job.points = static_cast<std::uint32_t>(spec.protocol.Points());
    job.placement = spec.placement;
    job.max_run_seconds = spec.max_run_seconds;
    job.reuse = spec.reuse;
    working_.jobs[id] = job;
    working_.specs[id] = std::make_shared<JobSpec>(spec);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      AddShard(id, ranges[i].first, ranges[i].count, {}, keys.empty() ? "" : keys[i]);
    }
    return id;
  }

  void StartJob(JobId id, WallTime now) override {
    Job& job = working_.jobs.at(id);
    Move(job, JobState::kRunning);
    job.start_time = now;
  }

  void EndJob(JobId id, JobState state, WallTime now) override {
    INFERON_CHECK(HasEnded(state));
    Job& job = working_.jobs.at(id);
    Move(job, state);
    job.end_time = now;
  }

  void SetPaused(JobId id, bool paused) override { working_.jobs.at(id).paused = paused; }
  void SetJobError(JobId id, const std::string& error) override {
    working_.jobs.at(id).last_error = error;
  }
  void AddRunSeconds(JobId id, double seconds) override {
    working_.jobs.at(id).run_seconds += seconds;
  }

  void PurgeJob(JobId id, WallTime now) override {
    Job& job = working_.jobs.at(id);
    INFERON_CHECK(HasEnded(job.state));
    std::erase_if(working_.shards, [&](const auto& one) { return one.second.job == id; });
    std::erase_if(working_.events, [&](const auto& event) { return event->job == id; });
    working_.specs.erase(id);
    job.purge_time = now;
  }

  void LeaseShard(ShardId id, Fence fence, const std::string& worker) override {
    Shard& shard = working_.shards.at(id);
    Move(shard, ShardState::kLeased);
    Raise(shard, fence);
    shard.worker = worker;
    shard.not_before_ms = 0;
  }

  bool FinishShard(ShardId id, Fence fence, const ShardResult& result) override {
    Shard* shard = Leased(id, fence);
    if (shard == nullptr) return false;
    Move(*shard, ShardState::kDone);
    shard->sha256 = result.sha256;
    shard->location = result.location;
    shard->calibration_id = result.calibration_id;
    Job& job = working_.jobs.at(shard->job);
    job.experiments_done += shard->count;
    job.substrate_seconds += result.substrate_seconds;
    if (result.reused) job.experiments_reused += shard->count;
    return true;
  }

  bool ReturnShard(ShardId id, Fence fence, const ShardReturn& how) override {
    return Leave(id, fence, how, ShardState::kReady);
  }

  bool SplitShard(ShardId id, Fence fence, const ShardReturn& how,
                  const ShardCounts& rest) override {
    if (!Leave(id, fence, how, ShardState::kReady)) return false;
    Shard& shard = working_.shards.at(id);
    const std::uint32_t whole = shard.count;
    shard.count = FirstHalf(whole);
    INFERON_CHECK(shard.count > 0);
    Job& job = working_.jobs.at(shard.job);
    ++job.shards;
    ++job.shards_open;
    shard.reuse_key.clear();
    AddShard(shard.job, shard.first + shard.count, whole - shard.count, rest, "");
    return true;
  }

  bool KillShard(ShardId id, Fence fence, const ShardReturn& how) override {
    if (!Leave(id, fence, how, ShardState::kDead)) return false;
    const Shard& shard = working_.shards.at(id);
    working_.jobs.at(shard.job).experiments_failed += shard.count;
    return true;
  }

  void AddEvent(const Event& event) override {
    auto numbered = std::make_shared<Event>(event);
    numbered->sequence = ++working_.last_event;
    working_.events.push_back(std::move(numbered));
  }

  std::uint64_t MarkSuspect(const std::string& worker, Fence above) override {
    std::uint64_t count = 0;
    const auto mark = [&](const auto& wanted) {
      for (auto& [id, shard] : working_.shards) {
        if (shard.state != ShardState::kDone || shard.suspect || !wanted(shard)) continue;
        shard.suspect = true;
        working_.jobs.at(shard.job).experiments_suspect += shard.count;
        count += shard.count;
      }
    };
    std::set<std::pair<std::string, std::uint64_t>> places;
    mark([&](const Shard& shard) {
      const bool found = shard.worker == worker && shard.fence > above &&
                         working_.jobs.at(shard.job).project != kHealthProject;
      if (found && !shard.reuse_key.empty()) {
        places.insert({shard.reuse_key, shard.location.offset});
      }
      return found;
    });
    mark([&](const Shard& shard) {
      return places.contains({shard.reuse_key, shard.location.offset});
    });
    return count;
  }

  void PutWorker(const WorkerRecord& worker) override { working_.workers[worker.id] = worker; }
  void PutProject(const ProjectRecord& project) override {
    working_.projects[project.id] = project;
  }
  void PutCanary(const Canary& canary) override { working_.canaries[canary.substrate] = canary; }
  std::uint64_t AddReservation(const Reservation& reservation) override {
    const std::uint64_t id = ++working_.last_reservation;
    working_.reservations[id] = reservation;
    working_.reservations[id].id = id;
    return id;
  }
  void AddUsage(const UsageRow& row) override {
    working_.usage[{row.project, row.hour}] += row.seconds;
  }
  void AddCheck(const HealthCheck& check) override { working_.checks.push_back(check); }
  bool DeleteCanary(const std::string& substrate) override {
    return working_.canaries.erase(substrate) > 0;
  }
  bool DeleteReservation(std::uint64_t id) override { return working_.reservations.erase(id) > 0; }
  void Trim(std::int64_t before_hour, std::uint32_t checks) override {
    std::erase_if(working_.usage, [&](const auto& one) { return one.first.second < before_hour; });
    std::map<std::string, std::uint32_t> newer;
    for (std::size_t i = working_.checks.size(); i-- > 0;) {
      const HealthCheck& check = working_.checks[i];
      const bool old = newer[check.worker]++ >= checks;
      if (old && check.verdict != Verdict::kBaseline) {
        working_.checks.erase(working_.checks.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  std::uint32_t Forget(WallTime before, std::uint32_t limit) override {
    std::multimap<WallTime, JobId> heads;
    for (const auto& [id, job] : working_.jobs) {
      if (job.purge_time && *job.purge_time < before) heads.emplace(*job.purge_time, id);
    }
    std::uint32_t removed = 0;
    for (const auto& [time, id] : heads) {
      if (removed == limit) break;
      working_.jobs.erase(id);
      ++removed;
    }
    const auto first = working_.events.begin();
    const auto end = first + std::min<std::ptrdiff_t>(std::ssize(working_.events), limit);
    const auto kept = std::remove_if(first, end, [&](const auto& event) {
      const auto job = working_.jobs.find(event->job);
      const bool open = job != working_.jobs.end() && !job->second.end_time;
      return event->time < before && !open;
    });
    working_.events.erase(kept, end);
    return removed;
  }

 private:
  void Move(Job& job, JobState to) {
    INFERON_CHECK(CanMove(job.state, to));
    job.state = to;
  }

  // Moves the shard and the counters of its job.
  void Move(Shard& shard, ShardState to) {
    INFERON_CHECK(CanMove(shard.state, to));
    Job& job = working_.jobs.at(shard.job);
    if (shard.state == ShardState::kLeased) --job.shards_leased;
    if (to == ShardState::kLeased) ++job.shards_leased;
    if (!IsOpen(to)) --job.shards_open;
    shard.state = to;
  }

  static void Raise(Shard& shard, Fence fence) {
    INFERON_CHECK(fence > shard.fence);
    shard.fence = fence;
  }

  Shard* Leased(ShardId id, Fence fence) {
    const auto found = working_.shards.find(id);
    if (found == working_.shards.end()) return nullptr;
    Shard& shard = found->second;
    return shard.state == ShardState::kLeased && shard.fence == fence ? &shard : nullptr;
  }

  bool Leave(ShardId id, Fence fence, const ShardReturn& how, ShardState to) {
    Shard* shard = Leased(id, fence);
    if (shard == nullptr) return false;
    Move(*shard, to);
    shard->attempts = how.attempts;
    shard->losses = how.losses;
    shard->not_before_ms = how.not_before_ms;
    if (how.reported) shard->failed_fence = fence;
    if (!how.error.empty()) {
      shard->error = how.error;
      working_.jobs.at(shard->job).last_error = how.error;
    }
    return true;
  }

  void AddShard(JobId job, std::uint64_t first, std::uint32_t count, const ShardCounts& counts,
                const std::string& key) {
    Shard shard;
    shard.id = ++working_.last_shard;
    shard.job = job;
    shard.first = first;
    shard.count = count;
    shard.attempts = counts.attempts;
    shard.losses = counts.losses;
    shard.reuse_key = key;
    working_.shards[shard.id] = shard;
  }

  State working_;  // Of the writing thread, as are part_ and open_.
  State part_;
  bool open_ = false;
  std::mutex mu_;
  std::shared_ptr<const State> committed_;  // Guarded by mu_; shared with readers under way.
  MemoryReader view_;
};

}  // namespace

std::unique_ptr<Store> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace inferon::scheduler
