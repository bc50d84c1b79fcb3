// Reading half of the SQLite store; used by the writer on its own connection and by each reader.
#pragma once

#include <filesystem>
#include <memory>

#include "common/sqlite/sqlite.h"
#include "server/scheduler/store.h"

namespace inferon::scheduler {

// Sets in a row of job_codes.
inline constexpr std::uint64_t kBlockSets = 1024;

std::int64_t ToMicros(WallTime time);
WallTime FromMicros(std::int64_t micros);

// Reads through a connection that outlives it.
std::unique_ptr<StoreReader> MakeSqliteReader(sqlite::Database& database);
// Reads through its own read-only connection.
std::unique_ptr<StoreReader> OpenSqliteReader(const std::filesystem::path& file);

}  // namespace inferon::scheduler
