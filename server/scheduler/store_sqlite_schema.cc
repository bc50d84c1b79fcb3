#include "server/scheduler/store_sqlite_schema.h"

namespace inferon::scheduler {
namespace {

// Times are microseconds since 1970 (UTC); 64-bit unsigned numbers are stored by their bits. States
// are the numbers of types.h: job 1 pending, 2 running, 3 succeeded, 4 failed, 5 cancelled; shard
// 1 ready, 2 leased, 3 done, 4 dead. Codes lie in blocks of 1024 sets, so that a shard reads its
// own alone.
constexpr char kVersion1[] = R"sql(
CREATE TABLE server(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  epoch INTEGER NOT NULL) STRICT;
INSERT INTO server VALUES(1, 0);

CREATE TABLE job(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  request_id TEXT NOT NULL,
  content_sha256 TEXT NOT NULL,
  title TEXT NOT NULL,
  state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 5),
  experiments INTEGER NOT NULL CHECK(experiments > 0),
  experiments_done INTEGER NOT NULL DEFAULT 0,
  experiments_failed INTEGER NOT NULL DEFAULT 0,
  shards INTEGER NOT NULL,
  shards_open INTEGER NOT NULL CHECK(shards_open >= 0),
  shards_leased INTEGER NOT NULL DEFAULT 0 CHECK(shards_leased BETWEEN 0 AND shards_open),
  create_time INTEGER NOT NULL,
  start_time INTEGER,
  end_time INTEGER,
  last_error TEXT NOT NULL DEFAULT '',
  profile_sha256 TEXT NOT NULL,
  chip TEXT NOT NULL,
  neuron INTEGER NOT NULL,
  run INTEGER NOT NULL,
  substrate TEXT NOT NULL,
  substrate_seconds REAL NOT NULL DEFAULT 0,
  seed INTEGER NOT NULL,
  trials INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  shard_size INTEGER NOT NULL,
  dimension INTEGER NOT NULL,
  points INTEGER NOT NULL,
  UNIQUE(project, request_id),
  CHECK(experiments_done + experiments_failed <= experiments)) STRICT;
CREATE INDEX job_open ON job(id) WHERE state < 3;
CREATE INDEX job_project ON job(project, id);

CREATE TABLE job_spec(
  job INTEGER PRIMARY KEY REFERENCES job(id),
  profile_toml TEXT NOT NULL,
  steps BLOB NOT NULL,
  duration_us REAL NOT NULL,
  grid_step_us REAL NOT NULL) STRICT;

CREATE TABLE job_codes(
  job INTEGER NOT NULL REFERENCES job(id),
  block INTEGER NOT NULL,
  codes BLOB NOT NULL,
  PRIMARY KEY(job, block)) STRICT;

CREATE TABLE shard(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL REFERENCES job(id),
  first INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK(count > 0),
  state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 4),
  fence INTEGER NOT NULL DEFAULT 0,
  failed_fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  not_before_ms INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  sha256 TEXT NOT NULL DEFAULT '',
  segment INTEGER NOT NULL DEFAULT 0,
  offset INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  UNIQUE(job, first),
  CHECK(state <> 3 OR (segment > 0 AND bytes > 0 AND sha256 <> ''))) STRICT;
CREATE INDEX shard_ready ON shard(job, first) WHERE state = 1;
CREATE INDEX shard_leased ON shard(id) WHERE state = 2;
CREATE INDEX shard_waiting ON shard(id) WHERE not_before_ms > 0;

CREATE TABLE event(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  project TEXT NOT NULL,
  job INTEGER NOT NULL,
  resource TEXT NOT NULL,
  message TEXT NOT NULL) STRICT;
CREATE INDEX event_job ON event(job, sequence);
CREATE INDEX event_project ON event(project, sequence);

CREATE TABLE worker(
  id TEXT PRIMARY KEY,
  session TEXT NOT NULL,
  substrate TEXT NOT NULL,
  mode TEXT NOT NULL,
  chip TEXT NOT NULL,
  calibration_id TEXT NOT NULL,
  version TEXT NOT NULL,
  shards_done INTEGER NOT NULL,
  experiments_done INTEGER NOT NULL,
  substrate_seconds REAL NOT NULL,
  last_seen INTEGER NOT NULL) STRICT;

CREATE TRIGGER job_begins BEFORE INSERT ON job WHEN NEW.state <> 1
BEGIN SELECT RAISE(ABORT, 'a new job is pending'); END;
CREATE TRIGGER job_moves BEFORE UPDATE OF state ON job WHEN NOT(
  (OLD.state = 1 AND NEW.state IN (2, 5)) OR (OLD.state = 2 AND NEW.state IN (3, 4, 5)))
BEGIN SELECT RAISE(ABORT, 'a job cannot move so'); END;
CREATE TRIGGER shard_begins BEFORE INSERT ON shard WHEN NEW.state <> 1
BEGIN SELECT RAISE(ABORT, 'a new shard is ready'); END;
CREATE TRIGGER shard_moves BEFORE UPDATE OF state ON shard WHEN NOT(
  (OLD.state = 1 AND NEW.state = 2) OR (OLD.state = 2 AND NEW.state IN (1, 3, 4)))
BEGIN SELECT RAISE(ABORT, 'a shard cannot move so'); END;
CREATE TRIGGER fence_rises BEFORE UPDATE OF fence ON shard WHEN NEW.fence <= OLD.fence
BEGIN SELECT RAISE(ABORT, 'a fence rises'); END;
)sql";

// Projects and their charges by hour, worker health, reservations, pins, pauses, run time, reuse,
// retention. `losses` begins at 0 for all: what counted as attempts stays one.
constexpr char kVersion2[] = R"sql(
ALTER TABLE job ADD COLUMN pin_worker TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN pin_calibration TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN max_run_seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN run_seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN reuse INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN experiments_reused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN experiments_suspect INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN purge_time INTEGER;
CREATE INDEX job_ended ON job(end_time) WHERE end_time IS NOT NULL AND purge_time IS NULL;

ALTER TABLE shard ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN calibration_id TEXT NOT NULL DEFAULT '';
ALTER TABLE shard ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN reuse_key TEXT NOT NULL DEFAULT '';
CREATE INDEX shard_reuse ON shard(reuse_key) WHERE reuse_key <> '' AND state = 3;
CREATE INDEX shard_worker ON shard(worker, fence) WHERE state = 3;

ALTER TABLE event ADD COLUMN actor TEXT NOT NULL DEFAULT '';

ALTER TABLE worker ADD COLUMN neurons TEXT NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN profiles TEXT NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN switch_seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN drained INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN drain_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN health INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN good_checks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN health_message TEXT NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN health_time INTEGER;
ALTER TABLE worker ADD COLUMN good_fence INTEGER NOT NULL DEFAULT 0;

CREATE TABLE project(
  id TEXT PRIMARY KEY,
  weight REAL NOT NULL CHECK(weight > 0),
  max_queued_experiments INTEGER NOT NULL,
  max_seconds_per_day REAL NOT NULL,
  max_submits_per_minute INTEGER NOT NULL,
  description TEXT NOT NULL,
  create_time INTEGER NOT NULL) STRICT;
INSERT INTO project SELECT project, 1, 0, 0, 0, '', min(create_time) FROM job GROUP BY project;

CREATE TABLE usage(
  project TEXT NOT NULL,
  hour INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY(project, hour)) STRICT;

CREATE TABLE reservation(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  worker TEXT NOT NULL,
  project TEXT NOT NULL,
  start_time INTEGER NOT NULL,
  end_time INTEGER NOT NULL CHECK(end_time > start_time),
  reason TEXT NOT NULL) STRICT;

CREATE TABLE canary(
  substrate TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  interval_seconds REAL NOT NULL,
  baseline_checks INTEGER NOT NULL,
  limit_sigmas REAL NOT NULL,
  profile_toml TEXT NOT NULL,
  steps BLOB NOT NULL,
  duration_us REAL NOT NULL,
  grid_step_us REAL NOT NULL,
  chip TEXT NOT NULL,
  neuron INTEGER NOT NULL,
  run INTEGER NOT NULL,
  seed INTEGER NOT NULL,
  trials INTEGER NOT NULL,
  dimension INTEGER NOT NULL,
  codes BLOB NOT NULL) STRICT;

CREATE TABLE health_check(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  worker TEXT NOT NULL,
  chart TEXT NOT NULL,
  time INTEGER NOT NULL,
  verdict INTEGER NOT NULL CHECK(verdict BETWEEN 1 AND 4),
  message TEXT NOT NULL,
  calibration_id TEXT NOT NULL,
  features BLOB NOT NULL) STRICT;
CREATE INDEX health_check_worker ON health_check(worker, id);
CREATE INDEX health_check_baseline ON health_check(chart, id) WHERE verdict = 1;
)sql";

// Each profile once, and not with every job: most of a small submission's bytes.
constexpr char kVersion3[] = R"sql(
CREATE TABLE profile(
  sha256 TEXT PRIMARY KEY,
  toml TEXT NOT NULL) STRICT;
INSERT OR IGNORE INTO profile SELECT profile_sha256, profile_toml FROM job_spec JOIN job ON id = job;
ALTER TABLE job_spec DROP COLUMN profile_toml;
CREATE INDEX job_profile ON job(profile_sha256) WHERE purge_time IS NULL;
)sql";

// What is removed after a longer time than results is found without a search.
constexpr char kVersion4[] = R"sql(
CREATE INDEX job_purged ON job(purge_time) WHERE purge_time IS NOT NULL;
)sql";

}  // namespace

const std::vector<sqlite::Migration>& SchemaHistory() {
  static const std::vector<sqlite::Migration> history = {
      {1, kVersion1}, {2, kVersion2}, {3, kVersion3}, {4, kVersion4}};
  return history;
}

}  // namespace inferon::scheduler
