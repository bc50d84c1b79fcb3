#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "common/sqlite/sqlite.h"
#include "server/scheduler/state.h"
#include "server/scheduler/store.h"
#include "server/scheduler/store_sqlite_reader.h"
#include "server/scheduler/store_sqlite_schema.h"

namespace inferon::scheduler {
namespace {

using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;

template <typename T>
Blob AsBlob(const T* values, std::size_t count) {
  return {{reinterpret_cast<const char*>(values), count * sizeof(T)}};
}

class SqliteStore : public Store {
 public:
  explicit SqliteStore(const std::filesystem::path& file)
      : file_(file), database_(file, sqlite::Access::kWrite), view_(MakeSqliteReader(database_)) {}

  // Version of the schema after the migrations.
  int Migrate() { return sqlite::Migrate(database_, SchemaHistory()); }

  void Begin() override { database_.Execute("BEGIN IMMEDIATE"); }
  void Commit() override { database_.Execute("COMMIT"); }
  void Rollback() override {
    try {
      database_.Execute("ROLLBACK");
    } catch (const sqlite::Failure&) {
      // SQLite has rolled back by itself already (full disk, input or output error).
    }
  }
  void BeginPart() override { database_.Execute("SAVEPOINT part"); }
  void EndPart() override { database_.Execute("RELEASE part"); }
  void UndoPart() override { database_.Execute("ROLLBACK TO part; RELEASE part"); }

  StoreReader& View() override { return *view_; }
  std::unique_ptr<StoreReader> OpenReader() override { return OpenSqliteReader(file_); }

  std::uint64_t NextEpoch() override {
    Statement row = database_.Prepare("UPDATE server SET epoch = epoch + 1 RETURNING epoch");
    INFERON_CHECK(row.Step());
    const std::uint64_t epoch = row.UInt(0);
    INFERON_CHECK(!row.Step());
    return epoch;
  }

  std::uint64_t RefenceAll(Fence fence) override {
    database_.Prepare("UPDATE shard SET not_before_ms = 0 WHERE not_before_ms > 0").Run();
    database_.Prepare("UPDATE job SET shards_leased = 0 WHERE state < 3 AND shards_leased > 0")
        .Run();
    return static_cast<std::uint64_t>(
        database_.Prepare("UPDATE shard SET state = 1, fence = ? WHERE state = 2")
            .Bind(fence)
            .Run());
  }

  JobId AddJob(const Job& job, const JobSpec& spec) override {
    const std::vector<Range> shards = CutIntoShards(spec.Experiments(), spec.shard_size);
    database_
        .Prepare(
            "INSERT INTO job(project, request_id, content_sha256, title, state, experiments, "
            "shards, shards_open, create_time, profile_sha256, chip, neuron, run, substrate, "
            "seed, trials, priority, shard_size, dimension, points) "
            "VALUES(?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .Bind(job.project, job.request_id, job.content_sha256, job.title, spec.Experiments(),
              shards.size(), shards.size(), ToMicros(job.create_time), job.profile_sha256,
              spec.device.chip, spec.device.neuron, spec.device.run, spec.substrate, spec.seed,
              spec.trials, spec.priority, spec.shard_size, spec.sets.dimension,
              spec.protocol.Points())
        .Run();
    const auto id = static_cast<JobId>(database_.LastInsertId());
    AddSpec(id, spec);
    for (const Range& range : shards) AddShard(id, range.first, range.count, 0);
    return id;
  }

  void StartJob(JobId job, WallTime now) override {
    const int rows = database_
                         .Prepare(
                             "UPDATE job SET state = 2, start_time = ? "
                             "WHERE id = ? AND state = 1")
                         .Bind(ToMicros(now), job)
                         .Run();
    INFERON_CHECK(rows == 1);
  }

  void EndJob(JobId job, JobState state, WallTime now) override {
    INFERON_CHECK(HasEnded(state));
    const int rows = database_
                         .Prepare(
                             "UPDATE job SET state = ?1, end_time = ?2 WHERE id = ?3 AND "
                             "(state = 2 OR (state = 1 AND ?1 = 5))")
                         .Bind(static_cast<int>(state), ToMicros(now), job)
                         .Run();
    INFERON_CHECK(rows == 1);
  }

  void LeaseShard(ShardId shard, Fence fence, const std::string& worker) override {
    const int rows = database_
                         .Prepare(
                             "UPDATE shard SET state = 2, fence = ?, worker = ?, "
                             "not_before_ms = 0 WHERE id = ? AND state = 1")
                         .Bind(fence, worker, shard)
                         .Run();
    INFERON_CHECK(rows == 1);
    Count(
        "UPDATE job SET shards_leased = shards_leased + 1 "
        "WHERE id = (SELECT job FROM shard WHERE id = ?)",
        shard);
  }

  bool FinishShard(ShardId shard, Fence fence, const ShardResult& result) override {
    const int rows = database_
                         .Prepare(
                             "UPDATE shard SET state = 3, sha256 = ?, segment = ?, offset = ?, "
                             "bytes = ? WHERE id = ? AND fence = ? AND state = 2")
                         .Bind(result.sha256, result.location.segment, result.location.offset,
                               result.location.bytes, shard, fence)
                         .Run();
    if (rows == 0) return false;
    Count(
        "UPDATE job SET shards_leased = shards_leased - 1, shards_open = shards_open - 1, "
        "experiments_done = experiments_done + (SELECT count FROM shard WHERE id = ?1), "
        "substrate_seconds = substrate_seconds + ?2 "
        "WHERE id = (SELECT job FROM shard WHERE id = ?1)",
        shard, result.substrate_seconds);
    return true;
  }

  bool ReturnShard(ShardId shard, Fence fence, const ShardReturn& how) override {
    if (!Leave(shard, fence, how, ShardState::kReady)) return false;
    Count(
        "UPDATE job SET shards_leased = shards_leased - 1 "
        "WHERE id = (SELECT job FROM shard WHERE id = ?)",
        shard);
    return true;
  }

  bool SplitShard(ShardId shard, Fence fence, const ShardReturn& how,
                  std::uint32_t rest_attempts) override {
    const std::optional<Shard> whole = view_->GetShard(shard);
    if (!whole || !Leave(shard, fence, how, ShardState::kReady)) return false;
    const std::uint32_t half = FirstHalf(whole->count);
    INFERON_CHECK(half > 0);
    Count("UPDATE shard SET count = ?2 WHERE id = ?1", shard, half);
    AddShard(whole->job, whole->first + half, whole->count - half, rest_attempts);
    Count(
        "UPDATE job SET shards_leased = shards_leased - 1, shards_open = shards_open + 1, "
        "shards = shards + 1 WHERE id = (SELECT job FROM shard WHERE id = ?)",
        shard);
    return true;
  }

  bool KillShard(ShardId shard, Fence fence, const ShardReturn& how) override {
    if (!Leave(shard, fence, how, ShardState::kDead)) return false;
    Count(
        "UPDATE job SET shards_leased = shards_leased - 1, shards_open = shards_open - 1, "
        "experiments_failed = experiments_failed + (SELECT count FROM shard WHERE id = ?1) "
        "WHERE id = (SELECT job FROM shard WHERE id = ?1)",
        shard);
    return true;
  }

  void AddEvent(const Event& event) override {
    database_
        .Prepare(
            "INSERT INTO event(time, kind, project, job, resource, message) "
            "VALUES(?, ?, ?, ?, ?, ?)")
        .Bind(ToMicros(event.time), event.kind, event.project, event.job, event.resource,
              event.message)
        .Run();
  }

  void PutWorker(const WorkerRecord& worker) override {
    const Capabilities& can = worker.capabilities;
    database_.Prepare("INSERT OR REPLACE INTO worker VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .Bind(worker.id, worker.session, can.substrate, can.mode, can.chip, can.calibration_id,
              can.version, worker.shards_done, worker.experiments_done, worker.substrate_seconds,
              ToMicros(worker.last_seen))
        .Run();
  }

 private:
  template <typename... Values>
  void Count(const char* sql, const Values&... values) {
    const int rows = database_.Prepare(sql).Bind(values...).Run();
    INFERON_CHECK(rows == 1);
  }

  // LEASED -> READY or DEAD under the fence; remembers the error in shard and job.
  bool Leave(ShardId shard, Fence fence, const ShardReturn& how, ShardState to) {
    const int rows = database_
                         .Prepare(
                             "UPDATE shard SET state = ?1, attempts = ?2, not_before_ms = ?3, "
                             "error = CASE WHEN ?4 = '' THEN error ELSE ?4 END, "
                             "failed_fence = CASE WHEN ?5 THEN fence ELSE failed_fence END "
                             "WHERE id = ?6 AND fence = ?7 AND state = 2")
                         .Bind(static_cast<int>(to), how.attempts, how.not_before_ms, how.error,
                               how.reported ? 1 : 0, shard, fence)
                         .Run();
    if (rows == 0) return false;
    if (!how.error.empty()) {
      Count("UPDATE job SET last_error = ?2 WHERE id = (SELECT job FROM shard WHERE id = ?1)",
            shard, how.error);
    }
    return true;
  }

  void AddShard(JobId job, std::uint64_t first, std::uint32_t count, std::uint32_t attempts) {
    database_.Prepare("INSERT INTO shard(job, first, count, state, attempts) VALUES(?, ?, ?, 1, ?)")
        .Bind(job, first, count, attempts)
        .Run();
  }

  void AddSpec(JobId job, const JobSpec& spec) {
    std::vector<double> steps;
    for (const CurrentStep& step : spec.protocol.steps) {
      steps.insert(steps.end(), {step.start_us, step.stop_us, step.scale});
    }
    database_.Prepare("INSERT INTO job_spec VALUES(?, ?, ?, ?, ?)")
        .Bind(job, spec.profile_toml, AsBlob(steps.data(), steps.size()), spec.protocol.duration_us,
              spec.protocol.grid_step_us)
        .Run();
    for (std::size_t first = 0; first < spec.sets.size(); first += kBlockSets) {
      const std::size_t sets = std::min<std::size_t>(kBlockSets, spec.sets.size() - first);
      database_.Prepare("INSERT INTO job_codes VALUES(?, ?, ?)")
          .Bind(job, first / kBlockSets,
                AsBlob(spec.sets[first].data(), sets * spec.sets.dimension))
          .Run();
    }
  }

  std::filesystem::path file_;
  Database database_;
  std::unique_ptr<StoreReader> view_;  // Of database_.
};

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file) {
  auto store = std::make_unique<SqliteStore>(file);
  const int known = SchemaHistory().back().version;
  const int version = store->Migrate();
  if (version > known) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} has schema version {}, and this program knows versions up to {}",
                            file.string(), version, known),
                "Start the newer inferon-scheduler that wrote it, or choose another data folder");
  }
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace inferon::scheduler
