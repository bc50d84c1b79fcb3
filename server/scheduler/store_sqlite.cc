#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "common/sqlite/sqlite.h"
#include "server/scheduler/state.h"
#include "server/scheduler/store.h"
#include "server/scheduler/store_sqlite_operations.h"
#include "server/scheduler/store_sqlite_reader.h"
#include "server/scheduler/store_sqlite_schema.h"

namespace inferon::scheduler {
namespace {

using sqlite::Database;
using sqlite::Statement;

class SqliteStore : public Store {
 public:
  explicit SqliteStore(const std::filesystem::path& file)
      : file_(file), database_(file, sqlite::Access::kWrite), view_(MakeSqliteReader(database_)) {}

  // Version of the schema after the migrations.
  int Migrate() { return sqlite::Migrate(database_, SchemaHistory()); }

  void Begin() override { database_.Prepare("BEGIN IMMEDIATE").Run(); }
  void Commit() override { database_.Prepare("COMMIT").Run(); }
  void Rollback() override {
    try {
      database_.Execute("ROLLBACK");
    } catch (const sqlite::Failure&) {
      // SQLite has rolled back by itself already (full disk, input or output error).
    }
  }
  void BeginPart() override { database_.Prepare("SAVEPOINT part").Run(); }
  void EndPart() override { database_.Prepare("RELEASE part").Run(); }
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

  JobId AddJob(const Job& job, const JobSpec& spec, const std::vector<std::string>& keys) override {
    const std::vector<Range> shards = CutIntoShards(spec.Experiments(), spec.shard_size);
    INFERON_CHECK(keys.empty() || keys.size() == shards.size());
    database_
        .Prepare(
            "INSERT INTO job(project, request_id, content_sha256, title, state, experiments, "
            "shards, shards_open, create_time, profile_sha256, chip, neuron, run, substrate, "
            "seed, trials, priority, shard_size, dimension, points, pin_worker, pin_calibration, "
            "max_run_seconds, reuse) "
            "VALUES(?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .Bind(job.project, job.request_id, job.content_sha256, job.title, spec.Experiments(),
              shards.size(), shards.size(), ToMicros(job.create_time), job.profile_sha256,
              spec.device.chip, spec.device.neuron, spec.device.run, spec.substrate, spec.seed,
              spec.trials, spec.priority, spec.shard_size, spec.sets.dimension,
              spec.protocol.Points(), spec.placement.worker, spec.placement.calibration_id,
              spec.max_run_seconds, spec.reuse ? 1 : 0)
        .Run();
    const auto id = static_cast<JobId>(database_.LastInsertId());
    AddSpec(id, job.profile_sha256, spec);
    for (std::size_t i = 0; i < shards.size(); ++i) {
      AddShard(id, shards[i].first, shards[i].count, {}, keys.empty() ? "" : keys[i]);
    }
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

  void SetPaused(JobId job, bool paused) override {
    Count("UPDATE job SET paused = ?2 WHERE id = ?1", job, paused ? 1 : 0);
  }

  void SetJobError(JobId job, const std::string& error) override {
    Count("UPDATE job SET last_error = ?2 WHERE id = ?1", job, error);
  }

  void AddRunSeconds(JobId job, double seconds) override {
    Count("UPDATE job SET run_seconds = run_seconds + ?2 WHERE id = ?1", job, seconds);
  }

  void PurgeJob(JobId job, WallTime now) override {
    for (const char* sql :
         {"DELETE FROM shard WHERE job = ?", "DELETE FROM job_codes WHERE job = ?",
          "DELETE FROM job_spec WHERE job = ?", "DELETE FROM event WHERE job = ?"}) {
      database_.Prepare(sql).Bind(job).Run();
    }
    Count("UPDATE job SET purge_time = ?2 WHERE id = ?1 AND state > 2", job, ToMicros(now));
    database_
        .Prepare(
            "DELETE FROM profile WHERE sha256 = (SELECT profile_sha256 FROM job WHERE id = ?) AND "
            "NOT EXISTS (SELECT 1 FROM job WHERE profile_sha256 = sha256 AND purge_time IS NULL)")
        .Bind(job)
        .Run();
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
                             "bytes = ?, calibration_id = ? "
                             "WHERE id = ? AND fence = ? AND state = 2")
                         .Bind(result.sha256, result.location.segment, result.location.offset,
                               result.location.bytes, result.calibration_id, shard, fence)
                         .Run();
    if (rows == 0) return false;
    Count(
        "UPDATE job SET shards_leased = shards_leased - 1, shards_open = shards_open - 1, "
        "experiments_done = experiments_done + (SELECT count FROM shard WHERE id = ?1), "
        "substrate_seconds = substrate_seconds + ?2, experiments_reused = experiments_reused + "
        "CASE WHEN ?3 THEN (SELECT count FROM shard WHERE id = ?1) ELSE 0 END "
        "WHERE id = (SELECT job FROM shard WHERE id = ?1)",
        shard, result.substrate_seconds, result.reused ? 1 : 0);
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
                  const ShardCounts& rest) override {
    const std::optional<Shard> whole = view_->GetShard(shard);
    if (!whole || !Leave(shard, fence, how, ShardState::kReady)) return false;
    const std::uint32_t half = FirstHalf(whole->count);
    INFERON_CHECK(half > 0);
    Count("UPDATE shard SET count = ?2, reuse_key = '' WHERE id = ?1", shard, half);
    AddShard(whole->job, whole->first + half, whole->count - half, rest, "");
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
            "INSERT INTO event(time, kind, project, job, resource, message, actor) "
            "VALUES(?, ?, ?, ?, ?, ?, ?)")
        .Bind(ToMicros(event.time), event.kind, event.project, event.job, event.resource,
              event.message, event.actor)
        .Run();
  }

  std::uint64_t MarkSuspect(const std::string& worker, Fence above) override {
    // Counted by job before they are marked; results taken over from these are no better.
    database_.Execute("CREATE TEMP TABLE IF NOT EXISTS marked(id INTEGER PRIMARY KEY)");
    database_.Execute("DELETE FROM marked");
    database_
        .Prepare(
            "INSERT INTO marked SELECT id FROM shard "
            "WHERE worker = ? AND fence > ? AND state = 3 AND suspect = 0 "
            "AND (SELECT project FROM job WHERE job.id = shard.job) <> ?")
        .Bind(worker, above, kHealthProject)
        .Run();
    database_.Execute(
        "INSERT OR IGNORE INTO marked SELECT s.id FROM marked JOIN shard m ON m.id = marked.id "
        "JOIN shard s ON s.reuse_key = m.reuse_key AND s.segment = m.segment AND "
        "s.offset = m.offset WHERE m.reuse_key <> '' AND s.reuse_key <> '' AND s.state = 3 "
        "AND s.suspect = 0");
    database_.Execute(
        "UPDATE job SET experiments_suspect = experiments_suspect + marks.experiments FROM "
        "(SELECT job, sum(count) AS experiments FROM shard WHERE id IN (SELECT id FROM marked) "
        "GROUP BY job) AS marks WHERE job.id = marks.job");
    database_.Execute("UPDATE shard SET suspect = 1 WHERE id IN (SELECT id FROM marked)");
    Statement sum = database_.Prepare(
        "SELECT coalesce(sum(count), 0) FROM shard WHERE id IN (SELECT id FROM marked)");
    sum.Step();
    return sum.UInt(0);
  }

  void PutWorker(const WorkerRecord& worker) override {
    const Capabilities& can = worker.capabilities;
    const std::string neurons = fmt::format("{}", fmt::join(can.neurons, " "));
    const std::string profiles = fmt::format("{}", fmt::join(can.profile_sha256, " "));
    const std::int64_t health_time = worker.health_time ? ToMicros(*worker.health_time) : 0;
    database_
        .Prepare(
            "INSERT OR REPLACE INTO worker(id, session, substrate, mode, chip, calibration_id, "
            "version, shards_done, experiments_done, substrate_seconds, last_seen, neurons, "
            "profiles, switch_seconds, drained, drain_reason, health, good_checks, "
            "health_message, health_time, good_fence) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
            "?, ?, ?, "
            "?, ?, ?, ?, nullif(?, 0), ?)")
        .Bind(worker.id, worker.session, can.substrate, can.mode, can.chip, can.calibration_id,
              can.version, worker.shards_done, worker.experiments_done, worker.substrate_seconds,
              ToMicros(worker.last_seen), neurons, profiles, can.switch_seconds,
              worker.drained ? 1 : 0, worker.drain_reason, static_cast<int>(worker.health),
              worker.good_checks, worker.health_message, health_time, worker.good_fence)
        .Run();
  }

  void PutProject(const ProjectRecord& project) override { WriteProject(database_, project); }
  void PutCanary(const Canary& canary) override { WriteCanary(database_, canary); }
  std::uint64_t AddReservation(const Reservation& reservation) override {
    return WriteReservation(database_, reservation);
  }
  void AddUsage(const UsageRow& row) override { WriteUsage(database_, row); }
  void AddCheck(const HealthCheck& check) override { WriteCheck(database_, check); }
  bool DeleteCanary(const std::string& substrate) override {
    return database_.Prepare("DELETE FROM canary WHERE substrate = ?").Bind(substrate).Run() > 0;
  }
  bool DeleteReservation(std::uint64_t id) override {
    return database_.Prepare("DELETE FROM reservation WHERE id = ?").Bind(id).Run() > 0;
  }
  void Trim(std::int64_t before_hour, std::uint32_t checks) override {
    database_.Prepare("DELETE FROM usage WHERE hour < ?").Bind(before_hour).Run();
    database_
        .Prepare(
            "DELETE FROM health_check AS old WHERE verdict <> 1 AND (SELECT count(*) FROM "
            "health_check new WHERE new.worker = old.worker AND new.id > old.id) >= ?")
        .Bind(checks)
        .Run();
  }

  std::uint32_t Forget(WallTime before, std::uint32_t limit) override {
    const int heads =
        database_
            .Prepare(
                "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE purge_time IS NOT NULL "
                "AND purge_time < ? ORDER BY purge_time LIMIT ?)")
            .Bind(ToMicros(before), limit)
            .Run();
    // Events come in the order of time: those that may go are the first ones.
    database_
        .Prepare(
            "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event ORDER BY sequence "
            "LIMIT ?) AND time < ? AND NOT EXISTS (SELECT 1 FROM job WHERE id = event.job AND "
            "end_time IS NULL)")
        .Bind(limit, ToMicros(before))
        .Run();
    return static_cast<std::uint32_t>(heads);
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
                             "UPDATE shard SET state = ?1, attempts = ?2, losses = ?8, "
                             "not_before_ms = ?3, "
                             "error = CASE WHEN ?4 = '' THEN error ELSE ?4 END, "
                             "failed_fence = CASE WHEN ?5 THEN fence ELSE failed_fence END "
                             "WHERE id = ?6 AND fence = ?7 AND state = 2")
                         .Bind(static_cast<int>(to), how.attempts, how.not_before_ms, how.error,
                               how.reported ? 1 : 0, shard, fence, how.losses)
                         .Run();
    if (rows == 0) return false;
    if (!how.error.empty()) {
      Count("UPDATE job SET last_error = ?2 WHERE id = (SELECT job FROM shard WHERE id = ?1)",
            shard, how.error);
    }
    return true;
  }

  void AddShard(JobId job, std::uint64_t first, std::uint32_t count, const ShardCounts& counts,
                const std::string& key) {
    database_
        .Prepare(
            "INSERT INTO shard(job, first, count, state, attempts, losses, reuse_key) "
            "VALUES(?, ?, ?, 1, ?, ?, ?)")
        .Bind(job, first, count, counts.attempts, counts.losses, key)
        .Run();
  }

  void AddSpec(JobId job, const std::string& profile_sha256, const JobSpec& spec) {
    database_.Prepare("INSERT OR IGNORE INTO profile VALUES(?, ?)")
        .Bind(profile_sha256, spec.profile_toml)
        .Run();
    const std::vector<double> steps = StepsToDoubles(spec.protocol);
    database_.Prepare("INSERT INTO job_spec VALUES(?, ?, ?, ?)")
        .Bind(job, AsBlob(steps.data(), steps.size()), spec.protocol.duration_us,
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
