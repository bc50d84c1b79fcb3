#include "server/scheduler/store_sqlite_operations.h"

#include <cstring>

#include "server/scheduler/store_sqlite_reader.h"

namespace inferon::scheduler {
namespace {

using sqlite::Database;
using sqlite::Statement;

template <typename T>
std::vector<T> FromBlob(std::string_view blob) {
  std::vector<T> values(blob.size() / sizeof(T));
  std::memcpy(values.data(), blob.data(), values.size() * sizeof(T));
  return values;
}

Canary CanaryFromRow(const Statement& row) {
  Canary canary;
  int c = 0;
  canary.substrate = row.Text(c++);
  canary.revision = static_cast<std::uint32_t>(row.Int(c++));
  canary.interval_seconds = row.Real(c++);
  canary.baseline_checks = static_cast<std::uint32_t>(row.Int(c++));
  canary.limit_sigmas = row.Real(c++);
  JobSpec& spec = canary.spec;
  spec.profile_toml = row.Text(c++);
  spec.protocol.steps = StepsFromBlob(row.Bytes(c++));
  spec.protocol.duration_us = row.Real(c++);
  spec.protocol.grid_step_us = row.Real(c++);
  spec.device.chip = row.Text(c++);
  spec.device.neuron = static_cast<std::uint32_t>(row.Int(c++));
  spec.device.run = static_cast<std::uint32_t>(row.Int(c++));
  spec.seed = row.UInt(c++);
  spec.trials = static_cast<std::uint32_t>(row.Int(c++));
  spec.sets.dimension = row.UInt(c++);
  spec.sets.codes = FromBlob<std::uint16_t>(row.Bytes(c++));
  spec.substrate = canary.substrate;
  return canary;
}

HealthCheck CheckFromRow(const Statement& row) {
  return {row.Text(0), row.Text(1), FromMicros(row.Int(2)),        static_cast<Verdict>(row.Int(3)),
          row.Text(4), row.Text(5), FromBlob<double>(row.Bytes(6))};
}

}  // namespace

std::vector<double> StepsToDoubles(const Protocol& protocol) {
  std::vector<double> steps;
  for (const CurrentStep& step : protocol.steps) {
    steps.insert(steps.end(), {step.start_us, step.stop_us, step.scale});
  }
  return steps;
}

std::vector<CurrentStep> StepsFromBlob(std::string_view blob) {
  const std::vector<double> values = FromBlob<double>(blob);
  std::vector<CurrentStep> steps;
  for (std::size_t i = 0; i + 2 < values.size(); i += 3) {
    steps.push_back({values[i], values[i + 1], values[i + 2]});
  }
  return steps;
}

std::vector<ProjectRecord> ReadProjects(Database& database) {
  Statement rows = database.Prepare(
      "SELECT id, weight, max_queued_experiments, max_seconds_per_day, max_submits_per_minute, "
      "description, create_time FROM project ORDER BY id");
  std::vector<ProjectRecord> projects;
  while (rows.Step()) {
    projects.push_back({rows.Text(0),
                        {rows.Real(1), rows.UInt(2), rows.Real(3),
                         static_cast<std::uint32_t>(rows.Int(4)), rows.Text(5)},
                        FromMicros(rows.Int(6))});
  }
  return projects;
}

std::vector<UsageRow> ReadUsage(Database& database, std::int64_t from_hour) {
  Statement rows = database.Prepare(
      "SELECT project, hour, seconds FROM usage WHERE hour >= ? ORDER BY project, hour");
  rows.Bind(from_hour);
  std::vector<UsageRow> usage;
  while (rows.Step()) usage.push_back({rows.Text(0), rows.Int(1), rows.Real(2)});
  return usage;
}

std::vector<Reservation> ReadReservations(Database& database) {
  Statement rows = database.Prepare(
      "SELECT id, worker, project, start_time, end_time, reason FROM reservation "
      "ORDER BY start_time, id");
  std::vector<Reservation> reservations;
  while (rows.Step()) {
    reservations.push_back({rows.UInt(0), rows.Text(1), rows.Text(2), FromMicros(rows.Int(3)),
                            FromMicros(rows.Int(4)), rows.Text(5)});
  }
  return reservations;
}

std::vector<Canary> ReadCanaries(Database& database) {
  Statement rows = database.Prepare(
      "SELECT substrate, revision, interval_seconds, baseline_checks, limit_sigmas, profile_toml, "
      "steps, duration_us, grid_step_us, chip, neuron, run, seed, trials, dimension, codes "
      "FROM canary ORDER BY substrate");
  std::vector<Canary> canaries;
  while (rows.Step()) canaries.push_back(CanaryFromRow(rows));
  return canaries;
}

std::vector<HealthCheck> ReadBaseline(Database& database, const std::string& chart) {
  Statement rows = database.Prepare(
      "SELECT worker, chart, time, verdict, message, calibration_id, features FROM health_check "
      "WHERE chart = ? AND verdict = 1 ORDER BY id");
  rows.Bind(chart);
  std::vector<HealthCheck> checks;
  while (rows.Step()) checks.push_back(CheckFromRow(rows));
  return checks;
}

std::vector<HealthCheck> ReadChecks(Database& database, const std::string& worker,
                                    std::uint32_t limit) {
  Statement rows = database.Prepare(
      "SELECT worker, chart, time, verdict, message, calibration_id, features FROM health_check "
      "WHERE worker = ? ORDER BY id DESC LIMIT ?");
  rows.Bind(worker, limit);
  std::vector<HealthCheck> checks;
  while (rows.Step()) checks.push_back(CheckFromRow(rows));
  return checks;
}

void WriteProject(Database& database, const ProjectRecord& project) {
  const ProjectSettings& settings = project.settings;
  database.Prepare("INSERT OR REPLACE INTO project VALUES(?, ?, ?, ?, ?, ?, ?)")
      .Bind(project.id, settings.weight, settings.max_queued_experiments,
            settings.max_seconds_per_day, settings.max_submits_per_minute, settings.description,
            ToMicros(project.create_time))
      .Run();
}

void WriteUsage(Database& database, const UsageRow& row) {
  database
      .Prepare(
          "INSERT INTO usage VALUES(?, ?, ?) "
          "ON CONFLICT(project, hour) DO UPDATE SET seconds = seconds + excluded.seconds")
      .Bind(row.project, row.hour, row.seconds)
      .Run();
}

std::uint64_t WriteReservation(Database& database, const Reservation& reservation) {
  database
      .Prepare(
          "INSERT INTO reservation(worker, project, start_time, end_time, reason) "
          "VALUES(?, ?, ?, ?, ?)")
      .Bind(reservation.worker, reservation.project, ToMicros(reservation.start),
            ToMicros(reservation.end), reservation.reason)
      .Run();
  return static_cast<std::uint64_t>(database.LastInsertId());
}

void WriteCanary(Database& database, const Canary& canary) {
  const JobSpec& spec = canary.spec;
  const std::vector<double> steps = StepsToDoubles(spec.protocol);
  database
      .Prepare(
          "INSERT OR REPLACE INTO canary "
          "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .Bind(canary.substrate, canary.revision, canary.interval_seconds, canary.baseline_checks,
            canary.limit_sigmas, spec.profile_toml, AsBlob(steps.data(), steps.size()),
            spec.protocol.duration_us, spec.protocol.grid_step_us, spec.device.chip,
            spec.device.neuron, spec.device.run, spec.seed, spec.trials, spec.sets.dimension,
            AsBlob(spec.sets.codes.data(), spec.sets.codes.size()))
      .Run();
}

void WriteCheck(Database& database, const HealthCheck& check) {
  database
      .Prepare(
          "INSERT INTO health_check(worker, chart, time, verdict, message, calibration_id, "
          "features) VALUES(?, ?, ?, ?, ?, ?, ?)")
      .Bind(check.worker, check.chart, ToMicros(check.time), static_cast<int>(check.verdict),
            check.message, check.calibration_id,
            AsBlob(check.features.data(), check.features.size()))
      .Run();
}

}  // namespace inferon::scheduler
