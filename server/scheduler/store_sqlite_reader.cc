#include "server/scheduler/store_sqlite_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace inferon::scheduler {
namespace {

using sqlite::Database;
using sqlite::Statement;

#define INFERON_JOB_COLUMNS                                                                     \
  "id, project, request_id, content_sha256, title, state, experiments, experiments_done, "      \
  "experiments_failed, shards, shards_open, shards_leased, create_time, start_time, end_time, " \
  "last_error, profile_sha256, chip, neuron, run, substrate, substrate_seconds, seed, trials, " \
  "priority, shard_size, dimension, points"
#define INFERON_SHARD_COLUMNS                                                                    \
  "id, job, first, count, state, fence, failed_fence, attempts, not_before_ms, worker, sha256, " \
  "segment, offset, bytes, error"

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
  return shard;
}

template <typename T, typename FromRow>
std::vector<T> All(Statement& rows, const FromRow& from_row) {
  std::vector<T> result;
  while (rows.Step()) result.push_back(from_row(rows));
  return result;
}

std::vector<CurrentStep> StepsFromBlob(std::string_view blob) {
  std::vector<CurrentStep> steps(blob.size() / (3 * sizeof(double)));
  const char* at = blob.data();
  const auto next = [&at] {
    double value;
    std::memcpy(&value, at, sizeof(value));
    at += sizeof(value);
    return value;
  };
  for (CurrentStep& step : steps) {
    step.start_us = next();
    step.stop_us = next();
    step.scale = next();
  }
  return steps;
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

  QueueSize Queue() override {
    Statement row = database_.Prepare(
        "SELECT count(*), coalesce(sum(experiments - experiments_done - experiments_failed), 0) "
        "FROM job WHERE state < 3");
    INFERON_CHECK(row.Step());
    return {row.UInt(0), row.UInt(1)};
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

  std::vector<Candidate> Candidates(std::int64_t now_ms) override {
    Statement rows = database_.Prepare(
        "SELECT id, project, priority, substrate, chip, (SELECT s.id FROM shard s WHERE "
        "s.job = job.id AND s.state = 1 AND s.not_before_ms <= ? ORDER BY s.first LIMIT 1) "
        "FROM job WHERE state < 3 ORDER BY id");
    rows.Bind(now_ms);
    std::vector<Candidate> result;
    while (rows.Step()) {
      if (rows.IsNull(5)) continue;
      result.push_back({rows.UInt(0), rows.Text(1), static_cast<std::int32_t>(rows.Int(2)),
                        rows.Text(3), rows.Text(4), rows.UInt(5)});
    }
    return result;
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
    Statement row = database_.Prepare(
        "SELECT profile_toml, steps, duration_us, grid_step_us FROM job_spec WHERE job = ?");
    INFERON_CHECK(row.Bind(job).Step());
    spec.profile_toml = row.Text(0);
    spec.protocol = {StepsFromBlob(row.Bytes(1)), row.Real(2), row.Real(3)};
    spec.sets = ReadSets(job, head->dimension, first_set, sets);
    return spec;
  }

  std::vector<Event> Events(const EventFilter& filter, std::uint64_t after,
                            std::uint32_t limit) override {
    constexpr char kColumns[] =
        "SELECT sequence, time, kind, project, job, resource, message "
        "FROM event WHERE ";
    Statement rows = database_.Prepare(
        filter.job != 0
            ? fmt::format("{}job = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3", kColumns)
            : fmt::format("{}project = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3", kColumns));
    if (filter.job != 0) {
      rows.Bind(filter.job, after, limit);
    } else {
      rows.Bind(filter.project, after, limit);
    }
    return All<Event>(rows, [](const Statement& row) {
      return Event{
          row.UInt(0), FromMicros(row.Int(1)), row.Text(2), row.Text(3), row.UInt(4), row.Text(5),
          row.Text(6)};
    });
  }

  std::vector<WorkerRecord> Workers() override {
    Statement rows = database_.Prepare(
        "SELECT id, session, substrate, mode, chip, calibration_id, version, shards_done, "
        "experiments_done, substrate_seconds, last_seen FROM worker ORDER BY id");
    return All<WorkerRecord>(rows, [](const Statement& row) {
      return WorkerRecord{row.Text(0),
                          row.Text(1),
                          {row.Text(2), row.Text(3), row.Text(4), row.Text(5), row.Text(6)},
                          row.UInt(7),
                          row.UInt(8),
                          row.Real(9),
                          FromMicros(row.Int(10))};
    });
  }

  std::vector<SegmentEnd> SegmentEnds() override {
    Statement rows = database_.Prepare(
        "SELECT segment, max(offset + bytes) FROM shard WHERE state = 3 GROUP BY segment");
    return All<SegmentEnd>(rows, [](const Statement& row) {
      return SegmentEnd{static_cast<std::uint32_t>(row.Int(0)), row.UInt(1)};
    });
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
