// Workers for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "client/cli/console.h"
#include "common/rpc/operator_client.h"

namespace inferon::cli {

// Given an id or a whole name: workers/{worker}.
std::string WorkerName(const std::string& given);

nlohmann::json WorkerJson(const rpc::WorkerInfo& worker);
nlohmann::json ReservationJson(const rpc::ReservationInfo& reservation);
Table ReservationTable(const std::vector<rpc::ReservationInfo>& reservations);
// One worker with what it holds, its reservations and checks.
void PrintWorker(Console& console, const rpc::WorkerDetails& details);

}  // namespace inferon::cli
