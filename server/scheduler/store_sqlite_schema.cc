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

}  // namespace

const std::vector<sqlite::Migration>& SchemaHistory() {
  static const std::vector<sqlite::Migration> history = {{1, kVersion1}};
  return history;
}

}  // namespace inferon::scheduler
