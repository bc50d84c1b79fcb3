#include "server/scheduler/store_sqlite_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>

#include "common/base/check.h"
#include "server/scheduler/store_sqlite_operations.h"

namespace inferon::scheduler {
namespace {

using sqlite::Database;
using sqlite::Statement;

#define INFERON_JOB_COLUMNS                                                                     \
  "id, project, request_id, content_sha256, title, state, experiments, experiments_done, "      \
  "experiments_failed, shards, shards_open, shards_leased, create_time, start_time, end_time, " \
  "last_error, profile_sha256, chip, neuron, run, substrate, substrate_seconds, seed, trials, " \
  "priority, shard_size, dimension, points, pin_worker, pin_calibration, paused, "              \
  "max_run_seconds, run_seconds, reuse, experiments_reused, experiments_suspect, purge_time"
#define INFERON_SHARD_COLUMNS                                                                    \
  "id, job, first, count, state, fence, failed_fence, attempts, not_before_ms, worker, sha256, " \
  "segment, offset, bytes, error, losses, calibration_id, suspect, reuse_key"

// Words between single blanks.
std::vector<std::string> SplitWords(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::optional<WallTime> OptionalTime(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return FromMicros(row.Int(column));
}

Job JobFromRow(const Statement& row) {
  Job job;
  int c = 0;
  job.id = row.UInt(c++);
  job.project = row.Text(c++);
  job.request_id = row.Text(c++);
  job.content_sha256 = row.Text(c++);
  job.title = row.Text(c++);
  job.state = static_cast<JobState>(row.Int(c++));
  job.experiments = row.UInt(c++);
  job.experiments_done = row.UInt(c++);
  job.experiments_failed = row.UInt(c++);
  job.shards = static_cast<std::uint32_t>(row.Int(c++));
  job.shards_open = static_cast<std::uint32_t>(row.Int(c++));
  job.shards_leased = static_cast<std::uint32_t>(row.Int(c++));
  job.create_time = FromMicros(row.Int(c++));
  job.start_time = OptionalTime(row, c++);
  job.end_time = OptionalTime(row, c++);
  job.last_error = row.Text(c++);
  job.profile_sha256 = row.Text(c++);
  job.device.chip = row.Text(c++);
  job.device.neuron = static_cast<std::uint32_t>(row.Int(c++));
  job.device.run = static_cast<std::uint32_t>(row.Int(c++));
  job.substrate = row.Text(c++);
  job.substrate_seconds = row.Real(c++);
  job.seed = row.UInt(c++);
  job.trials = static_cast<std::uint32_t>(row.Int(c++));
  job.priority = static_cast<std::int32_t>(row.Int(c++));
  job.shard_size = static_cast<std::uint32_t>(row.Int(c++));
  job.dimension = static_cast<std::uint32_t>(row.Int(c++));
  job.points = static_cast<std::uint32_t>(row.Int(c++));
  job.placement.worker = row.Text(c++);
  job.placement.calibration_id = row.Text(c++);
  job.paused = row.Int(c++) != 0;
  job.max_run_seconds = row.Real(c++);
  job.run_seconds = row.Real(c++);
  job.reuse = row.Int(c++) != 0;
  job.experiments_reused = row.UInt(c++);
  job.experiments_suspect = row.UInt(c++);
  job.purge_time = OptionalTime(row, c++);
  return job;
}

Shard ShardFromRow(const Statement& row) {
  Shard shard;
  int c = 0;
  shard.id = row.UInt(c++);
  shard.job = row.UInt(c++);
  shard.first = row.UInt(c++);
  shard.count = static_cast<std::uint32_t>(row.Int(c++));
  shard.state = static_cast<ShardState>(row.Int(c++));
  shard.fence = row.UInt(c++);
  shard.failed_fence = row.UInt(c++);
  shard.attempts = static_cast<std::uint32_t>(row.Int(c++));
  shard.not_before_ms = row.Int(c++);
  shard.worker = row.Text(c++);
  shard.sha256 = row.Text(c++);
  shard.location.segment = static_cast<std::uint32_t>(row.Int(c++));
  shard.location.offset = row.UInt(c++);
  shard.location.bytes = row.UInt(c++);
  shard.error = row.Text(c++);
  shard.losses = static_cast<std::uint32_t>(row.Int(c++));
  shard.calibration_id = row.Text(c++);
  shard.suspect = row.Int(c++) != 0;
  shard.reuse_key = row.Text(c++);
  return shard;
}

WorkerRecord WorkerFromRow(const Statement& row) {
  WorkerRecord worker;
  int c = 0;
  worker.id = row.Text(c++);
  worker.session = row.Text(c++);
  Capabilities& can = worker.capabilities;
  can.substrate = row.Text(c++);
  can.mode = row.Text(c++);
  can.chip = row.Text(c++);
  can.calibration_id = row.Text(c++);
  can.version = row.Text(c++);
  worker.shards_done = row.UInt(c++);
  worker.experiments_done = row.UInt(c++);
  worker.substrate_seconds = row.Real(c++);
  worker.last_seen = FromMicros(row.Int(c++));
  for (const std::string& neuron : SplitWords(row.Text(c++))) {
    can.neurons.push_back(static_cast<std::uint32_t>(std::stoul(neuron)));
  }
  can.profile_sha256 = SplitWords(row.Text(c++));
  can.switch_seconds = row.Real(c++);
  worker.drained = row.Int(c++) != 0;
  worker.drain_reason = row.Text(c++);
  worker.health = static_cast<WorkerHealth>(row.Int(c++));
  worker.good_checks = row.UInt(c++);
  worker.health_message = row.Text(c++);
  worker.health_time = OptionalTime(row, c++);
  worker.good_fence = row.UInt(c++);
  return worker;
}

template <typename T, typename FromRow>
std::vector<T> All(Statement& rows, const FromRow& from_row) {
  std::vector<T> result;
  while (rows.Step()) result.push_back(from_row(rows));
  return result;
}

class SqliteReader : public StoreReader {
 public:
  explicit SqliteReader(Database& database) : database_(database) {}

  std::optional<Job> GetJob(JobId job) override {
    Statement row = database_.Prepare("SELECT " INFERON_JOB_COLUMNS " FROM job WHERE id = ?");
    if (!row.Bind(job).Step()) return std::nullopt;
    return JobFromRow(row);
  }

  std::optional<Job> FindRequest(const std::string& project,
                                 const std::string& request_id) override {
    Statement row = database_.Prepare("SELECT " INFERON_JOB_COLUMNS
                                      " FROM job WHERE project = ? AND request_id = ?");
    if (!row.Bind(project, request_id).Step()) return std::nullopt;
    return JobFromRow(row);
  }

  std::vector<Job> ListJobs(const std::string& project, JobId before,
                            std::uint32_t limit) override {
    Statement rows = database_.Prepare("SELECT " INFERON_JOB_COLUMNS
                                       " FROM job WHERE project = ?1 AND (?2 = 0 OR id < ?2) "
                                       "ORDER BY id DESC LIMIT ?3");
    return All<Job>(rows.Bind(project, before, limit), JobFromRow);
  }

  std::vector<Job> OpenJobs() override {
    Statement rows =
        database_.Prepare("SELECT " INFERON_JOB_COLUMNS " FROM job WHERE state < 3 ORDER BY id");
    return All<Job>(rows, JobFromRow);
  }

  std::vector<OpenJobCount> CountOpenJobs() override {
    Statement rows = database_.Prepare(
        "SELECT project, state, paused, count(*) FROM job WHERE state < 3 "
        "GROUP BY project, state, paused ORDER BY project, state, paused");
    return All<OpenJobCount>(rows, [](const Statement& row) {
      return OpenJobCount{row.Text(0), static_cast<JobState>(row.Int(1)), row.Int(2) != 0,
                          row.UInt(3)};
    });
  }

  std::optional<Shard> GetShard(ShardId shard) override {
    Statement row = database_.Prepare("SELECT " INFERON_SHARD_COLUMNS " FROM shard WHERE id = ?");
    if (!row.Bind(shard).Step()) return std::nullopt;
    return ShardFromRow(row);
  }

  std::vector<Shard> ShardsFrom(JobId job, std::uint64_t index, std::uint32_t limit) override {
    // Shards do not overlap, so the one that holds `index` is the last that begins at or before it.
    Statement rows = database_.Prepare(
        "SELECT " INFERON_SHARD_COLUMNS
        " FROM shard WHERE job = ?1 AND first >= coalesce("
        "(SELECT max(first) FROM shard WHERE job = ?1 AND first <= ?2), 0) AND first + count > ?2 "
        "ORDER BY first LIMIT ?3");
    return All<Shard>(rows.Bind(job, index, limit), ShardFromRow);
  }

  std::vector<Shard> LeasedShards() override {
    Statement rows = database_.Prepare("SELECT " INFERON_SHARD_COLUMNS
                                       " FROM shard WHERE state = 2 ORDER BY id");
    return All<Shard>(rows, ShardFromRow);
  }

  ReadyShard NextReady(JobId job, std::int64_t now_ms) override {
    Statement row = database_.Prepare(
        "SELECT " INFERON_SHARD_COLUMNS
        " FROM shard WHERE job = ? AND state = 1 AND not_before_ms <= ? ORDER BY first LIMIT 1");
    if (row.Bind(job, now_ms).Step()) return {ShardFromRow(row), 0};
    Statement wait =
        database_.Prepare("SELECT min(not_before_ms) FROM shard WHERE job = ? AND state = 1");
    wait.Bind(job).Step();
    return {std::nullopt, wait.IsNull(0) ? 0 : wait.Int(0)};
  }

  std::optional<Shard> FindReusable(const std::string& project,
                                    const std::string& reuse_key) override {
    Statement row = database_.Prepare(
        "SELECT " INFERON_SHARD_COLUMNS
        " FROM shard WHERE reuse_key = ?2 AND reuse_key <> '' AND state = 3 AND suspect = 0 AND "
        "(SELECT project FROM job WHERE job.id = shard.job) = ?1 ORDER BY id LIMIT 1");
    if (!row.Bind(project, reuse_key).Step()) return std::nullopt;
    return ShardFromRow(row);
  }

  JobSpec GetSpec(JobId job, std::uint64_t first_set, std::uint64_t sets) override {
    const std::optional<Job> head = GetJob(job);
    INFERON_CHECK(head.has_value());
    JobSpec spec;
    spec.trials = head->trials;
    spec.device = head->device;
    spec.seed = head->seed;
    spec.substrate = head->substrate;
    spec.shard_size = head->shard_size;
    spec.priority = head->priority;
    spec.placement = head->placement;
    spec.max_run_seconds = head->max_run_seconds;
    spec.reuse = head->reuse;
    Statement row = database_.Prepare(
        "SELECT toml, steps, duration_us, grid_step_us FROM job_spec, profile "
        "WHERE job = ? AND sha256 = ?");
    INFERON_CHECK(row.Bind(job, head->profile_sha256).Step());
    spec.profile_toml = row.Text(0);
    spec.protocol = {StepsFromBlob(row.Bytes(1)), row.Real(2), row.Real(3)};
    spec.sets = ReadSets(job, head->dimension, first_set, sets);
    return spec;
  }

  std::vector<Event> Events(const EventFilter& filter, std::uint64_t after,
                            std::uint32_t limit) override {
    constexpr char kColumns[] =
        "SELECT sequence, time, kind, project, job, resource, message, actor FROM event WHERE ";
    const char* where = filter.job != 0          ? "job = ?1"
                        : filter.project.empty() ? "?1 = ''"
                                                 : "project = ?1";
    Statement rows = database_.Prepare(
        fmt::format("{}{} AND sequence > ?2 ORDER BY sequence LIMIT ?3", kColumns, where));
    if (filter.job != 0) {
      rows.Bind(filter.job, after, limit);
    } else {
      rows.Bind(filter.project, after, limit);
    }
    return All<Event>(rows, [](const Statement& row) {
      return Event{row.UInt(0), FromMicros(row.Int(1)),
                   row.Text(2), row.Text(3),
                   row.UInt(4), row.Text(5),
                   row.Text(6), row.Text(7)};
    });
  }

  std::vector<WorkerRecord> Workers() override {
    Statement rows = database_.Prepare(
        "SELECT id, session, substrate, mode, chip, calibration_id, version, shards_done, "
        "experiments_done, substrate_seconds, last_seen, neurons, profiles, switch_seconds, "
        "drained, drain_reason, "
        "health, good_checks, health_message, health_time, good_fence FROM worker ORDER BY id");
    return All<WorkerRecord>(rows, WorkerFromRow);
  }

  std::vector<SegmentEnd> SegmentEnds() override {
    Statement rows = database_.Prepare(
        "SELECT segment, max(offset + bytes) FROM shard WHERE state = 3 GROUP BY segment");
    return All<SegmentEnd>(rows, [](const Statement& row) {
      return SegmentEnd{static_cast<std::uint32_t>(row.Int(0)), row.UInt(1)};
    });
  }

  std::vector<ProjectRecord> Projects() override { return ReadProjects(database_); }
  std::vector<UsageRow> Usage(std::int64_t from_hour) override {
    return ReadUsage(database_, from_hour);
  }
  std::vector<Reservation> Reservations() override { return ReadReservations(database_); }
  std::vector<Canary> Canaries() override { return ReadCanaries(database_); }
  std::vector<HealthCheck> Baseline(const std::string& chart) override {
    return ReadBaseline(database_, chart);
  }
  std::vector<HealthCheck> Checks(const std::string& worker, std::uint32_t limit) override {
    return ReadChecks(database_, worker, limit);
  }

  std::vector<Job> Purgeable(WallTime ended_before, std::uint32_t limit) override {
    Statement rows = database_.Prepare(
        "SELECT " INFERON_JOB_COLUMNS
        " FROM job WHERE end_time IS NOT NULL AND purge_time IS NULL AND end_time < ? "
        "ORDER BY end_time, id LIMIT ?");
    return All<Job>(rows.Bind(ToMicros(ended_before), limit), JobFromRow);
  }

  std::vector<SegmentUse> SegmentsOf(const std::vector<JobId>& jobs) override {
    const std::set<JobId> chosen(jobs.begin(), jobs.end());
    Statement rows = database_.Prepare("SELECT DISTINCT segment, job FROM shard WHERE state = 3");
    std::set<std::uint32_t> freed;
    std::set<std::uint32_t> needed;
    while (rows.Step()) {
      const auto segment = static_cast<std::uint32_t>(rows.Int(0));
      (chosen.contains(rows.UInt(1)) ? freed : needed).insert(segment);
    }
    std::vector<SegmentUse> result;
    for (const std::uint32_t segment : freed) result.push_back({segment, needed.contains(segment)});
    return result;
  }

 private:
  ParameterSets ReadSets(JobId job, std::size_t dimension, std::uint64_t first,
                         std::uint64_t count) {
    ParameterSets sets{dimension, {}};
    if (count == 0) return sets;
    sets.codes.reserve(count * dimension);
    Statement rows = database_.Prepare(
        "SELECT block, codes FROM job_codes WHERE job = ? AND block BETWEEN ? AND ? "
        "ORDER BY block");
    rows.Bind(job, first / kBlockSets, (first + count - 1) / kBlockSets);
    while (rows.Step()) {
      const std::uint64_t begin = rows.UInt(0) * kBlockSets;  // First set of the block.
      const std::string_view bytes = rows.Bytes(1);
      const std::size_t row_bytes = dimension * sizeof(std::uint16_t);
      const std::uint64_t from = std::max(first, begin) - begin;
      const std::uint64_t to = std::min(first + count - begin, bytes.size() / row_bytes);
      const std::size_t old = sets.codes.size();
      sets.codes.resize(old + (to - from) * dimension);
      std::memcpy(sets.codes.data() + old, bytes.data() + from * row_bytes,
                  (to - from) * row_bytes);
    }
    INFERON_CHECK(sets.size() == count);
    return sets;
  }

  Database& database_;
};

// Base first, so that the connection is there before, and goes after, the reader of it.
struct Connection {
  explicit Connection(const std::filesystem::path& file) : database(file, sqlite::Access::kRead) {}
  Database database;
};

class OwningReader : private Connection, public SqliteReader {
 public:
  explicit OwningReader(const std::filesystem::path& file)
      : Connection(file), SqliteReader(database) {}
};

}  // namespace

std::int64_t ToMicros(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

WallTime FromMicros(std::int64_t micros) {
  return WallTime(
      std::chrono::duration_cast<WallTime::duration>(std::chrono::microseconds(micros)));
}

std::unique_ptr<StoreReader> MakeSqliteReader(Database& database) {
  return std::make_unique<SqliteReader>(database);
}

std::unique_ptr<StoreReader> OpenSqliteReader(const std::filesystem::path& file) {
  return std::make_unique<OwningReader>(file);
}

}  // namespace inferon::scheduler
