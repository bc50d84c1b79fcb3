// Opening a data folder: what can be wrong with it, and what to do then.
#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "common/sqlite/sqlite.h"
#include "server/scheduler/core.h"

namespace inferon::scheduler {
namespace {

auto NotWritable(const std::filesystem::path& folder, const std::string& why) {
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("the data folder {} cannot be written: {}", folder.string(), why),
              "Give the scheduler's user the right to write there, or choose another folder");
}

auto Explain(const std::filesystem::path& folder, const std::system_error& error) {
  switch (error.code().value()) {
    case ENOSPC:
    case EDQUOT:
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("the disk is full: {} ({})", folder.string(), error.what()),
                  "Free space on the disk of the data folder and start again; nothing is lost");
    default:
      return NotWritable(folder, error.what());
  }
}

auto Explain(const std::filesystem::path& folder, const sqlite::Failure& error) {
  if (error.not_permitted()) return NotWritable(folder, error.what());
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("the database in {} {}: {}", folder.string(),
                          error.damaged() ? "is damaged" : "cannot be opened", error.what()),
              "Restore the data folder from a backup (docs/operations.md), or move it away and "
              "start with an empty one");
}

Result<std::unique_ptr<Core>> Open(const std::filesystem::path& folder, const Limits& limits,
                                   Clock& clock, Disk& disk) {
  std::filesystem::create_directories(folder);
  Result<FileLock> lock = FileLock::Acquire(folder / "lock");
  if (!lock) {
    return Fail(lock.error().code,
                fmt::format("another scheduler uses the data folder {}", folder.string()),
                "Stop it, or choose another folder");
  }
  Result<std::unique_ptr<Store>> store = OpenSqliteStore(folder / "scheduler.db");
  if (!store) return tl::unexpected(store.error());
  return std::make_unique<Core>(std::move(*store), folder, limits, clock, std::move(*lock), disk);
}

}  // namespace

Result<std::unique_ptr<Core>> OpenCore(const std::filesystem::path& folder, const Limits& limits,
                                       Clock& clock, Disk& disk) {
  try {
    return Open(folder, limits, clock, disk);
  } catch (const std::system_error& error) {
    return Explain(folder, error);
  } catch (const sqlite::Failure& error) {
    return Explain(folder, error);
  }
}

}  // namespace inferon::scheduler
