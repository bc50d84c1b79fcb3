PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
CREATE TABLE event(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  project TEXT NOT NULL,
  job INTEGER NOT NULL,
  resource TEXT NOT NULL,
  message TEXT NOT NULL, actor TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO event VALUES(1,3400000000000000,'job.created','default',1,'projects/default/jobs/1','8 experiments in 2 shards','');
INSERT INTO event VALUES(2,3400000000000000,'worker.registered','',0,'workers/w1','emulator','');
INSERT INTO event VALUES(3,3400000000000000,'job.running','default',1,'projects/default/jobs/1','workers/w1','');
INSERT INTO event VALUES(4,3400000000000000,'shard.leased','default',1,'projects/default/jobs/1/experiments/0-3','workers/w1','');
INSERT INTO event VALUES(5,3400000000000000,'shard.done','default',1,'projects/default/jobs/1/experiments/0-3','workers/w1','');
INSERT INTO event VALUES(6,3400000000000000,'shard.leased','default',1,'projects/default/jobs/1/experiments/4-7','workers/w1','');
INSERT INTO event VALUES(7,3400000000000000,'shard.done','default',1,'projects/default/jobs/1/experiments/4-7','workers/w1','');
INSERT INTO event VALUES(8,3400000000000000,'job.succeeded','default',1,'projects/default/jobs/1','8 done, 0 failed','');
INSERT INTO event VALUES(9,3400000000000000,'job.created','default',2,'projects/default/jobs/2','12 experiments in 3 shards','');
INSERT INTO event VALUES(10,3400000000000000,'job.running','default',2,'projects/default/jobs/2','workers/w1','');
INSERT INTO event VALUES(11,3400000000000000,'shard.leased','default',2,'projects/default/jobs/2/experiments/0-3','workers/w1','');
INSERT INTO event VALUES(12,3400000000000000,'shard.done','default',2,'projects/default/jobs/2/experiments/0-3','workers/w1','');
INSERT INTO event VALUES(13,3400000000000000,'shard.leased','default',2,'projects/default/jobs/2/experiments/4-7','workers/w1','');
INSERT INTO event VALUES(14,3400000000000000,'shard.retry','default',2,'projects/default/jobs/2/experiments/4-7','no link','');
INSERT INTO event VALUES(15,3400000000000000,'shard.leased','default',2,'projects/default/jobs/2/experiments/8-11','workers/w1','');
INSERT INTO event VALUES(16,3400000000000000,'job.created','default',3,'projects/default/jobs/3','4 experiments in 1 shards','');
INSERT INTO event VALUES(17,3400000000000000,'job.cancelled','default',3,'projects/default/jobs/3','0 experiments done','');
INSERT INTO event VALUES(18,3400000000000000,'job.created','other',4,'projects/other/jobs/4','4 experiments in 1 shards','');
INSERT INTO event VALUES(19,3400000000000000,'worker.registered','',0,'workers/w2','emulator','');
INSERT INTO event VALUES(20,3400000000000000,'job.running','other',4,'projects/other/jobs/4','workers/w2','');
INSERT INTO event VALUES(21,3400000000000000,'shard.leased','other',4,'projects/other/jobs/4/experiments/0-3','workers/w2','');
INSERT INTO event VALUES(22,3400000000000000,'shard.dead','other',4,'projects/other/jobs/4/experiments/0-3','settings refused','');
INSERT INTO event VALUES(23,3400000000000000,'job.failed','other',4,'projects/other/jobs/4','0 done, 4 failed','');
INSERT INTO event VALUES(24,3400000000000000,'job.created','default',5,'projects/default/jobs/5','12 experiments in 3 shards','');
CREATE TABLE health_check(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  worker TEXT NOT NULL,
  chart TEXT NOT NULL,
  time INTEGER NOT NULL,
  verdict INTEGER NOT NULL CHECK(verdict BETWEEN 1 AND 4),
  message TEXT NOT NULL,
  calibration_id TEXT NOT NULL,
  features BLOB NOT NULL) STRICT;
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
  points INTEGER NOT NULL, pin_worker TEXT NOT NULL DEFAULT '', pin_calibration TEXT NOT NULL DEFAULT '', paused INTEGER NOT NULL DEFAULT 0, max_run_seconds REAL NOT NULL DEFAULT 0, run_seconds REAL NOT NULL DEFAULT 0, reuse INTEGER NOT NULL DEFAULT 0, experiments_reused INTEGER NOT NULL DEFAULT 0, experiments_suspect INTEGER NOT NULL DEFAULT 0, purge_time INTEGER,
  UNIQUE(project, request_id),
  CHECK(experiments_done + experiments_failed <= experiments)) STRICT;
INSERT INTO job VALUES(1,'default','done','b48d12516ffd3f085b23b0218e011c4127e89a7242d42f5d8ea60ce0c4347066','a test',3,8,8,0,2,0,0,3400000000000000,3400000000000000,3400000000000000,'','e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d','emulated-0',0,0,'emulator',1.0,7,1,0,4,7,20,'','',0,0.0,0.0,0,0,0,NULL);
INSERT INTO job VALUES(2,'default','half','c7c966dcc134476b04c255a535162812c5763348c0b8a1a1d4c73f7b91a72ca2','a test',2,12,4,0,3,2,0,3400000000000000,3400000000000000,NULL,'no link','e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d','emulated-0',0,0,'emulator',0.5,7,1,0,4,7,20,'','',0,0.0,0.0,0,0,0,NULL);
INSERT INTO job VALUES(3,'default','cancelled','463b84e59eea5dda8e45435212b9e54c4d9aa24cf566749eef6dc2f1226c698f','a test',5,4,0,0,1,1,0,3400000000000000,NULL,3400000000000000,'','e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d','emulated-0',0,0,'emulator',0.0,7,1,0,4,7,20,'','',0,0.0,0.0,0,0,0,NULL);
INSERT INTO job VALUES(4,'other','dead','463b84e59eea5dda8e45435212b9e54c4d9aa24cf566749eef6dc2f1226c698f','a test',4,4,0,4,1,0,0,3400000000000000,3400000000000000,3400000000000000,'settings refused','e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d','emulated-0',0,0,'emulator',0.0,7,1,0,4,7,20,'','',0,0.0,0.0,0,0,0,NULL);
INSERT INTO job VALUES(5,'default','pending','f5a1e2551da947e0d727541ee4d287404fb874101f7e11e018cffb3544f72b94','a test',1,12,0,0,3,3,0,3400000000000000,NULL,NULL,'','e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d','emulated-0',0,0,'emulator',0.0,-1,3,5,4,7,20,'','',0,0.0,0.0,0,0,0,NULL);
CREATE TABLE job_codes(
  job INTEGER NOT NULL REFERENCES job(id),
  block INTEGER NOT NULL,
  codes BLOB NOT NULL,
  PRIMARY KEY(job, block)) STRICT;
INSERT INTO job_codes VALUES(1,0,X'00000100020003000400050006000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019001a001b001c001d001e001f0020002100220023002400250026002700280029002a002b002c002d002e002f0030003100320033003400350036003700');
INSERT INTO job_codes VALUES(2,0,X'00000100020003000400050006000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019001a001b001c001d001e001f0020002100220023002400250026002700280029002a002b002c002d002e002f0030003100320033003400350036003700380039003a003b003c003d003e003f0040004100420043004400450046004700480049004a004b004c004d004e004f005000510052005300');
INSERT INTO job_codes VALUES(3,0,X'00000100020003000400050006000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019001a001b00');
INSERT INTO job_codes VALUES(4,0,X'00000100020003000400050006000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019001a001b00');
INSERT INTO job_codes VALUES(5,0,X'00000100020003000400050006000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019001a001b00');
CREATE TABLE job_spec(
  job INTEGER PRIMARY KEY REFERENCES job(id),
  steps BLOB NOT NULL,
  duration_us REAL NOT NULL,
  grid_step_us REAL NOT NULL) STRICT;
INSERT INTO job_spec VALUES(1,X'00000000000014400000000000002e40000000000000f03f',20.0,1.0);
INSERT INTO job_spec VALUES(2,X'00000000000014400000000000002e40000000000000f03f',20.0,1.0);
INSERT INTO job_spec VALUES(3,X'00000000000014400000000000002e40000000000000f03f',20.0,1.0);
INSERT INTO job_spec VALUES(4,X'00000000000014400000000000002e40000000000000f03f',20.0,1.0);
INSERT INTO job_spec VALUES(5,X'00000000000014400000000000002e40000000000000f03f',20.0,1.0);
CREATE TABLE project(
  id TEXT PRIMARY KEY,
  weight REAL NOT NULL CHECK(weight > 0),
  max_queued_experiments INTEGER NOT NULL,
  max_seconds_per_day REAL NOT NULL,
  max_submits_per_minute INTEGER NOT NULL,
  description TEXT NOT NULL,
  create_time INTEGER NOT NULL) STRICT;
INSERT INTO project VALUES('default',1.0,0,0.0,0,'',3400000000000000);
INSERT INTO project VALUES('other',1.0,0,0.0,0,'',3400000000000000);
CREATE TABLE reservation(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  worker TEXT NOT NULL,
  project TEXT NOT NULL,
  start_time INTEGER NOT NULL,
  end_time INTEGER NOT NULL CHECK(end_time > start_time),
  reason TEXT NOT NULL) STRICT;
CREATE TABLE server(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  epoch INTEGER NOT NULL) STRICT;
INSERT INTO server VALUES(1,3);
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
  error TEXT NOT NULL DEFAULT '', losses INTEGER NOT NULL DEFAULT 0, calibration_id TEXT NOT NULL DEFAULT '', suspect INTEGER NOT NULL DEFAULT 0, reuse_key TEXT NOT NULL DEFAULT '',
  UNIQUE(job, first),
  CHECK(state <> 3 OR (segment > 0 AND bytes > 0 AND sha256 <> ''))) STRICT;
INSERT INTO shard VALUES(1,1,0,4,3,4294967297,0,0,0,'w1','8d545ba4db6680c9c3b76fb323591666c9746b89931f555af79f282d5785d47f',1,0,383,'',0,'',0,'');
INSERT INTO shard VALUES(2,1,4,4,3,4294967298,0,0,0,'w1','1b535fcdb6ecf02643b8c4df262b19cbc8830f950a9def3d6a9e821267e3f31b',1,383,371,'',0,'',0,'');
INSERT INTO shard VALUES(3,2,0,4,3,4294967299,0,0,0,'w1','8d545ba4db6680c9c3b76fb323591666c9746b89931f555af79f282d5785d47f',1,754,383,'',0,'',0,'');
INSERT INTO shard VALUES(4,2,4,4,1,4294967300,4294967300,1,0,'w1','',0,0,0,'no link',0,'',0,'');
INSERT INTO shard VALUES(5,2,8,4,1,8589934592,0,0,0,'w1','',0,0,0,'',0,'',0,'');
INSERT INTO shard VALUES(6,3,0,4,1,0,0,0,0,'','',0,0,0,'',0,'',0,'');
INSERT INTO shard VALUES(7,4,0,4,4,4294967302,4294967302,1,0,'w2','',0,0,0,'settings refused',0,'',0,'');
INSERT INTO shard VALUES(8,5,0,4,1,0,0,0,0,'','',0,0,0,'',0,'',0,'');
INSERT INTO shard VALUES(9,5,4,4,1,0,0,0,0,'','',0,0,0,'',0,'',0,'');
INSERT INTO shard VALUES(10,5,8,4,1,0,0,0,0,'','',0,0,0,'',0,'',0,'');
CREATE TABLE usage(
  project TEXT NOT NULL,
  hour INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY(project, hour)) STRICT;
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
  last_seen INTEGER NOT NULL, neurons TEXT NOT NULL DEFAULT '', profiles TEXT NOT NULL DEFAULT '', switch_seconds REAL NOT NULL DEFAULT 0, drained INTEGER NOT NULL DEFAULT 0, drain_reason TEXT NOT NULL DEFAULT '', health INTEGER NOT NULL DEFAULT 0, good_checks INTEGER NOT NULL DEFAULT 0, health_message TEXT NOT NULL DEFAULT '', health_time INTEGER, good_fence INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO worker VALUES('w1','aaaaaaaaaaaaaaaa','emulator','emulator','','','test',3,12,1.5,3400000000000000,'','',0.0,0,'',0,0,'',NULL,0);
INSERT INTO worker VALUES('w2','bbbbbbbbbbbbbbbb','emulator','emulator','','','test',0,0,0.0,3400000000000000,'','',0.0,0,'',0,0,'',NULL,0);
CREATE TABLE profile(
  sha256 TEXT PRIMARY KEY,
  toml TEXT NOT NULL) STRICT;
INSERT INTO profile VALUES('e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d',replace('# The emulated AdEx neuron of the paper "Amortized Inference of Neuron Parameters on Analog\n# Neuromorphic Hardware" (arXiv 2602.10763): seven free parameters, the others fixed.\n#\n# Certainty of the figures: [documented] stands in public documentation or code of BrainScaleS-2;\n# [inferred] follows from such figures with some freedom; [chosen] is ours, so that the uniform\n# prior gives 1..70 spikes in about 2 % of its draws, as the paper''s chip did.\n#\n# Physical value of a code: offset + slope * code; units are nS, mV and, for b, pA. 1 us here is\n# 1 ms of biology. Every key is required and no other is allowed.\nschema_version = 1\nname = "adex-paper"\ndescription = "AdEx neuron of the paper, emulated"\n\n# Order of the codes in a parameter set. [inferred] from the paper''s figures.\nfree = ["g_l", "v_t", "delta_t", "v_r", "a", "b", "g_tau_w"]\n\n# Codes of the parameters that are not free.\n[fixed]\nv_l = 400     # [chosen] 400 mV, 333 counts\nv_th = 780    # [chosen] 780 mV, 650 counts\n\n# Leak conductance: about 1.2 nS a code [documented within 50 %]; the floor is a parasitic leak\n# [inferred], so that code 0 is safe. tau_m = 1.9 to 460 us.\n[map.g_l]\noffset = 5.0\nslope = 1.2\nfloor = 2.0\n\n# Voltages, 1.2 mV a count of the read-out [inferred]. Ranges [chosen]: the chip''s exponential\n# threshold reaches from just above rest to above v_th, the reset over most of the read-out.\n[map.v_l]\noffset = 0.0\nslope = 1.0\n\n[map.v_t]\noffset = 422.0\nslope = 0.40\n\n[map.v_r]\noffset = 250.0\nslope = 0.45\n\n[map.v_th]\noffset = 0.0\nslope = 1.0\n\n# Slope of the exponential current: 3 to 49 mV. [chosen]\n[map.delta_t]\noffset = 3.0\nslope = 0.045\nfloor = 2.0\n\n# Adaptation. a: up to 204 nS, b: up to 9.2 nA a spike. [chosen]\n[map.a]\noffset = 0.0\nslope = 0.2\nfloor = 0.0\n\n[map.b]\noffset = 0.0\nslope = 9.0\nfloor = 0.0\n\n# tau_w = adaptation_capacitance_pf / g_tau_w, about 18 300 us / code; one figure of the group gives\n# 12 400 us / code. [inferred]\n[map.g_tau_w]\noffset = 1.0\nslope = 1.2\nfloor = 0.5\n\n[neuron]\ncapacitance_pf = 2.3              # [documented] at the largest setting\nadaptation_capacitance_pf = 22.0  # [chosen] see g_tau_w\nrefractory_us = 0.5               # [inferred]\nstimulus_na = 11.0                # [chosen]\nreset = "hold"                    # or "conductance" with reset_tau_us\n\n[exponential]\nform = "independent"              # or "textbook"; the chip''s does not scale with the leak\ng_ns = 40.0                       # [chosen]\nlimit_na = 400.0                  # [chosen]; that it saturates is documented\n\n[integration]\nstep_us = 0.1\nsettle_us = 200.0                 # rest before the recording\nmax_exponent = 8.0\n\n# Read-out by the MADC: 10 bit; 1 count is about 1.2 mV [inferred], the usable range 200..680\n# [documented]; it saturates at both ends.\n[madc]\ngain = 0.8333333333333334\noffset = 0.0\nmin = 200.0\nmax = 680.0\nnoise_counts = 1.5                # [documented] below 2\n\n[mismatch]\nvoltage_mv = 12.0                 # [documented] about 10 counts, uncalibrated\nrelative = 0.1                    # [documented] about 10 % in rate\n\n[drift]\ncodes = 1.0                       # [inferred] between runs\n\n[jitter]\ncodes = 1.5                       # [inferred] 1 to 3 codes each time a DAC is written\n\n# Membrane noise; together with the read-out''s about 3 counts. [documented]\n[noise]\nmembrane_mv = 3.0\ntau_us = 0.0\n','\n',char(10)));
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('job',5);
INSERT INTO sqlite_sequence VALUES('shard',10);
INSERT INTO sqlite_sequence VALUES('event',24);
CREATE INDEX job_open ON job(id) WHERE state < 3;
CREATE INDEX job_project ON job(project, id);
CREATE INDEX shard_ready ON shard(job, first) WHERE state = 1;
CREATE INDEX shard_leased ON shard(id) WHERE state = 2;
CREATE INDEX shard_waiting ON shard(id) WHERE not_before_ms > 0;
CREATE INDEX event_job ON event(job, sequence);
CREATE INDEX event_project ON event(project, sequence);
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
CREATE INDEX job_ended ON job(end_time) WHERE end_time IS NOT NULL AND purge_time IS NULL;
CREATE INDEX shard_reuse ON shard(reuse_key) WHERE reuse_key <> '' AND state = 3;
CREATE INDEX shard_worker ON shard(worker, fence) WHERE state = 3;
CREATE INDEX health_check_worker ON health_check(worker, id);
CREATE INDEX health_check_baseline ON health_check(chart, id) WHERE verdict = 1;
CREATE INDEX job_profile ON job(profile_sha256) WHERE purge_time IS NULL;
COMMIT;
PRAGMA user_version=3;
