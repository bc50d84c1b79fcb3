#include "client/cli/worker_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/format.h"

namespace inferon::cli {

std::string WorkerName(const std::string& given) {
  return given.find('/') == std::string::npos ? "workers/" + given : given;
}

nlohmann::json WorkerJson(const rpc::WorkerInfo& worker) {
  return {{"name", worker.name},
          {"state", worker.state},
          {"health", worker.health},
          {"health_message", worker.health_message},
          {"health_time", worker.health_time ? nlohmann::json(FormatTimeUtc(*worker.health_time))
                                             : nlohmann::json(nullptr)},
          {"drained", worker.drained},
          {"drain_reason", worker.drain_reason},
          {"substrate", worker.substrate},
          {"mode", worker.mode},
          {"chip", worker.chip},
          {"calibration_id", worker.calibration_id},
          {"version", worker.version},
          {"leases", worker.leases},
          {"shards_done", worker.shards_done},
          {"experiments_done", worker.experiments_done},
          {"substrate_seconds", worker.substrate_seconds},
          {"last_seen_time", FormatTimeUtc(worker.last_seen)}};
}

nlohmann::json ReservationJson(const rpc::ReservationInfo& reservation) {
  return {{"id", reservation.id},
          {"worker", reservation.worker},
          {"project", reservation.project},
          {"start_time", FormatTimeUtc(reservation.start)},
          {"end_time", FormatTimeUtc(reservation.end)},
          {"reason", reservation.reason}};
}

Table ReservationTable(const std::vector<rpc::ReservationInfo>& reservations) {
  Table table{{{"RESERVATION", true}, {"WORKER"}, {"FOR"}, {"FROM"}, {"TO"}, {"REASON"}}, {}};
  for (const rpc::ReservationInfo& one : reservations) {
    table.rows.push_back({std::to_string(one.id), one.worker,
                          one.project.empty() ? "maintenance" : one.project, FormatTime(one.start),
                          FormatTime(one.end), one.reason});
  }
  return table;
}

void PrintWorker(Console& console, const rpc::WorkerDetails& details) {
  const rpc::WorkerInfo& worker = details.worker;
  Table table{{{"WORKER"}, {worker.name}}, {}};
  const auto row = [&table](const char* key, std::string value) {
    if (!value.empty()) table.rows.push_back({key, std::move(value)});
  };
  row("state", worker.state);
  if (worker.drained) {
    row("drained", worker.drain_reason.empty() ? "by an operator" : worker.drain_reason);
  }
  row("health",
      worker.health + (worker.health_message.empty() ? "" : ": ") + worker.health_message);
  row("substrate", worker.substrate + (worker.mode.empty() ? "" : ", " + worker.mode));
  row("chip", worker.chip);
  row("calibration", worker.calibration_id);
  row("version", worker.version);
  row("done", fmt::format("{} experiments in {} shards, {} of substrate time",
                          FormatCount(worker.experiments_done), FormatCount(worker.shards_done),
                          FormatDuration(worker.substrate_seconds)));
  row("last seen", FormatTime(worker.last_seen));
  for (const rpc::HeldShardInfo& shard : details.shards) {
    row("holds",
        fmt::format("{}, experiments {} to {}, for {}", shard.job, shard.first_index,
                    shard.first_index + shard.count - 1, FormatDuration(shard.held_seconds)));
  }
  console.Print(table);
  if (!details.reservations.empty()) console.Print(ReservationTable(details.reservations));
  if (details.checks.empty()) return;
  Table checks{{{"CHECKED"}, {"VERDICT"}, {"MESSAGE"}}, {}};
  for (const rpc::HealthCheckInfo& check : details.checks) {
    checks.rows.push_back({FormatTime(check.time), check.verdict, check.message});
  }
  console.Print(checks);
}

}  // namespace inferon::cli
