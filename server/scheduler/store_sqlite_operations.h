// Rows of what operators decide and the scheduler keeps account of: projects, charges,
// reservations, canaries, health checks. Used by both halves of the SQLite store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite/sqlite.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// Steps of a protocol as little-endian doubles start, stop, scale.
std::vector<double> StepsToDoubles(const Protocol& protocol);
std::vector<CurrentStep> StepsFromBlob(std::string_view blob);

template <typename T>
sqlite::Blob AsBlob(const T* values, std::size_t count) {
  return {{reinterpret_cast<const char*>(values), count * sizeof(T)}};
}

std::vector<ProjectRecord> ReadProjects(sqlite::Database& database);
std::vector<UsageRow> ReadUsage(sqlite::Database& database, std::int64_t from_hour);
std::vector<Reservation> ReadReservations(sqlite::Database& database);
std::vector<Canary> ReadCanaries(sqlite::Database& database);
std::vector<HealthCheck> ReadBaseline(sqlite::Database& database, const std::string& chart);
std::vector<HealthCheck> ReadChecks(sqlite::Database& database, const std::string& worker,
                                    std::uint32_t limit);

void WriteProject(sqlite::Database& database, const ProjectRecord& project);
void WriteUsage(sqlite::Database& database, const UsageRow& row);
std::uint64_t WriteReservation(sqlite::Database& database, const Reservation& reservation);
void WriteCanary(sqlite::Database& database, const Canary& canary);
void WriteCheck(sqlite::Database& database, const HealthCheck& check);

}  // namespace inferon::scheduler
