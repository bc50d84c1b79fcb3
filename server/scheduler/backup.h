// A copy of a data folder that may be in use.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/result.h"

namespace inferon::scheduler {

struct BackupReport {
  std::uint64_t jobs = 0;
  std::uint64_t shards = 0;  // With results; each was read and compared with its SHA-256.
  std::uint64_t bytes = 0;   // Of their segment files.
};

// Starts of the server that a backup's fences are ahead of: what a lost server may have made
// between backup and loss.
inline constexpr std::uint64_t kEpochsAhead = 100'000;

// Copies database and segments of `folder` to `target`, which must not exist. The copy is of one
// moment; the folder appears under its name only when it is complete and checked. kNotFound where
// `folder` holds no database, kFailedPrecondition where `target` exists or the schema is newer,
// kDataLoss where results are damaged, kUnavailable where retention removed a segment meanwhile.
Result<BackupReport> Backup(const std::filesystem::path& folder,
                            const std::filesystem::path& target);

}  // namespace inferon::scheduler
