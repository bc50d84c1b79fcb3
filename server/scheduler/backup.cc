#include "server/scheduler/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "common/base/files.h"
#include "common/sqlite/sqlite.h"
#include "server/scheduler/segment_name.h"
#include "server/scheduler/segments.h"
#include "server/scheduler/store_sqlite_schema.h"

namespace inferon::scheduler {
namespace {

namespace fs = std::filesystem;
using sqlite::Access;
using sqlite::Database;
using sqlite::Statement;

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

// The first `bytes` bytes of a file, on disk when it returns; false where there are fewer.
bool CopyPrefix(const fs::path& from, const fs::path& to, std::uint64_t bytes) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary);
  out.exceptions(std::ios::badbit | std::ios::failbit);
  std::string buffer(kCopyBytes, '\0');
  while (bytes > 0 && in) {
    in.read(buffer.data(),
            static_cast<std::streamsize>(std::min<std::uint64_t>(bytes, kCopyBytes)));
    out.write(buffer.data(), in.gcount());
    bytes -= static_cast<std::uint64_t>(in.gcount());
  }
  out.close();
  SyncPath(to);
  return bytes == 0;
}

Status CheckSchema(Database& source, const fs::path& folder) {
  const int known = SchemaHistory().back().version;
  const int version = source.SchemaVersion();
  if (version >= 1 && version <= known) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("the database in {} has schema version {}, and this program knows "
                          "versions 1 to {}",
                          folder.string(), version, known),
              "Use the inferon-scheduler that wrote it");
}

// The segments that the copied rows name, as far as they name them.
Result<std::uint64_t> CopySegments(Database& copy, const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  std::uint64_t sum = 0;
  Statement rows = copy.Prepare(
      "SELECT segment, max(offset + bytes) FROM shard WHERE state = 3 GROUP BY segment");
  while (rows.Step()) {
    const std::string name = SegmentName(static_cast<std::uint32_t>(rows.Int(0)));
    if (!CopyPrefix(from / name, to / name, rows.UInt(1))) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{} is shorter than its rows say, or was removed by retention while "
                              "the backup ran",
                              (from / name).string()),
                  "Run the backup again; if it fails again, the data folder is damaged");
    }
    sum += rows.UInt(1);
  }
  SyncPath(to);
  return sum;
}

// Reads every result of the copy.
Result<std::uint64_t> CheckResults(Database& copy, const fs::path& segments) {
  std::uint64_t count = 0;
  Statement rows =
      copy.Prepare("SELECT segment, offset, bytes, sha256 FROM shard WHERE state = 3 ORDER BY id");
  while (rows.Step()) {
    const Location location{static_cast<std::uint32_t>(rows.Int(0)), rows.UInt(1), rows.UInt(2)};
    const Result<std::string> frame = ReadSegment(segments, location, rows.Text(3));
    if (!frame) return tl::unexpected(frame.error());
    ++count;
  }
  return count;
}

Result<BackupReport> FillFolder(const fs::path& folder, const fs::path& part) {
  BackupReport report;
  {
    Database source(folder / "scheduler.db", Access::kRead);
    if (Status known = CheckSchema(source, folder); !known) return tl::unexpected(known.error());
    Statement vacuum = source.Prepare("VACUUM INTO ?");
    const std::string target = (part / "scheduler.db").string();
    vacuum.Bind(target).Run();
  }
  Database copy(part / "scheduler.db", Access::kWrite);
  copy.Prepare("UPDATE server SET epoch = epoch + ?").Bind(kEpochsAhead).Run();
  const Result<std::uint64_t> bytes = CopySegments(copy, folder / "segments", part / "segments");
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<std::uint64_t> shards = CheckResults(copy, part / "segments");
  if (!shards) return tl::unexpected(shards.error());
  Statement jobs = copy.Prepare("SELECT count(*) FROM job");
  jobs.Step();
  return BackupReport{jobs.UInt(0), *shards, *bytes};
}

}  // namespace

Result<BackupReport> Backup(const fs::path& folder, const fs::path& target) {
  if (!fs::exists(folder / "scheduler.db")) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} holds no scheduler.db", folder.string()),
                "Give the data folder of a scheduler");
  }
  const fs::path part = target.string() + ".part";
  if (fs::exists(target) || fs::exists(part)) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} exists", (fs::exists(target) ? target : part).string()),
                "Choose another folder for the backup, or remove it");
  }
  fs::create_directories(part);
  Result<BackupReport> report = FillFolder(folder, part);
  if (!report) {
    fs::remove_all(part);
    return report;
  }
  SyncPath(part);
  fs::rename(part, target);
  SyncPath(fs::absolute(target).parent_path());
  return report;
}

}  // namespace inferon::scheduler
