#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

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
  std::vector<Event> events;
  std::map<std::string, WorkerRecord> workers;
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

  QueueSize Queue() override {
    QueueSize size;
    for (const auto& [id, job] : source_()->jobs) {
      if (HasEnded(job.state)) continue;
      ++size.jobs;
      size.experiments += job.experiments - job.experiments_done - job.experiments_failed;
    }
    return size;
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

  std::vector<Candidate> Candidates(std::int64_t now_ms) override {
    std::vector<Candidate> result;
    for (const auto& [id, job] : source_()->jobs) {
      if (HasEnded(job.state)) continue;
      for (const Shard& shard : ShardsFrom(id, 0, ~0u)) {
        if (shard.state != ShardState::kReady || shard.not_before_ms > now_ms) continue;
        result.push_back({id, job.project, job.priority, job.substrate, job.device.chip, shard.id});
        break;
      }
    }
    return result;
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
    for (const Event& event : state->events) {
      const bool wanted =
          filter.job != 0 ? event.job == filter.job : event.project == filter.project;
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

 private:
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

  JobId AddJob(const Job& head, const JobSpec& spec) override {
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
    working_.jobs[id] = job;
    working_.specs[id] = std::make_shared<JobSpec>(spec);
    for (const Range& range : ranges) AddShard(id, range.first, range.count, 0);
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
    Job& job = working_.jobs.at(shard->job);
    job.experiments_done += shard->count;
    job.substrate_seconds += result.substrate_seconds;
    return true;
  }

  bool ReturnShard(ShardId id, Fence fence, const ShardReturn& how) override {
    return Leave(id, fence, how, ShardState::kReady);
  }

  bool SplitShard(ShardId id, Fence fence, const ShardReturn& how,
                  std::uint32_t rest_attempts) override {
    if (!Leave(id, fence, how, ShardState::kReady)) return false;
    Shard& shard = working_.shards.at(id);
    const std::uint32_t whole = shard.count;
    shard.count = FirstHalf(whole);
    INFERON_CHECK(shard.count > 0);
    Job& job = working_.jobs.at(shard.job);
    ++job.shards;
    ++job.shards_open;
    AddShard(shard.job, shard.first + shard.count, whole - shard.count, rest_attempts);
    return true;
  }

  bool KillShard(ShardId id, Fence fence, const ShardReturn& how) override {
    if (!Leave(id, fence, how, ShardState::kDead)) return false;
    const Shard& shard = working_.shards.at(id);
    working_.jobs.at(shard.job).experiments_failed += shard.count;
    return true;
  }

  void AddEvent(const Event& event) override {
    working_.events.push_back(event);
    working_.events.back().sequence = working_.events.size();
  }

  void PutWorker(const WorkerRecord& worker) override { working_.workers[worker.id] = worker; }

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
    shard->not_before_ms = how.not_before_ms;
    if (how.reported) shard->failed_fence = fence;
    if (!how.error.empty()) {
      shard->error = how.error;
      working_.jobs.at(shard->job).last_error = how.error;
    }
    return true;
  }

  void AddShard(JobId job, std::uint64_t first, std::uint32_t count, std::uint32_t attempts) {
    Shard shard;
    shard.id = working_.shards.empty() ? 1 : working_.shards.rbegin()->first + 1;
    shard.job = job;
    shard.first = first;
    shard.count = count;
    shard.attempts = attempts;
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
