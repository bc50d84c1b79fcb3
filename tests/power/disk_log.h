// Everything that a program does to the files of a folder, in order, and what a loss of power could
// leave of it.
//
// The model: a file's content counts once the file is synced, a name once its folder is synced.
// What is not synced may be there or not, sector by sector of 512 bytes, in any order; a part of a
// file that was never written may hold zeros or anything. No write changes bytes beside its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/philox.h"
#include "common/sqlite/recording_vfs.h"

namespace inferon::power {

struct DiskOp {
  enum class Kind { kCreate, kMakeFolder, kWrite, kTruncate, kSync, kRemove, kSyncFolder };
  Kind kind;
  std::string path;          // Within the recorded folder.
  std::uint64_t offset = 0;  // Of a write; size after a truncation.
  std::string bytes = {};
};

// Files by their path, folders with a '/' at the end.
using Image = std::map<std::string, std::string>;

// How much of what is not synced is left.
enum class Loss { kEverything, kNothing, kAtRandom };

// Records the segment files' disk and SQLite's files. Thread-safe.
class DiskLog : public Disk, public sqlite::FileObserver {
 public:
  explicit DiskLog(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::size_t size() const;
  std::vector<DiskOp> ops() const;

  std::unique_ptr<DiskFile> Create(const std::filesystem::path& path) override;
  std::unique_ptr<DiskFile> Open(const std::filesystem::path& path) override;
  void Truncate(const std::filesystem::path& path, std::uint64_t bytes) override;
  void Remove(const std::filesystem::path& path) override;
  void MakeFolder(const std::filesystem::path& path) override;
  void SyncFolder(const std::filesystem::path& path) override;

  void OnCreate(const std::string& path) override;
  bool OnWrite(const std::string& path, std::uint64_t offset, std::string_view bytes) override;
  void OnTruncate(const std::string& path, std::uint64_t bytes) override;
  bool OnSync(const std::string& path, bool folder) override;
  void OnRemove(const std::string& path, bool sync_folder) override;

 private:
  void Add(DiskOp::Kind kind, const std::filesystem::path& path, std::uint64_t offset = 0,
           std::string_view bytes = {});

  const std::filesystem::path folder_;
  mutable std::mutex mu_;
  std::vector<DiskOp> ops_;  // Guarded by mu_.
};

// A disk under its cache: what is certain and what is not.
class DiskModel {
 public:
  // `durable`: what was there before the first operation.
  explicit DiskModel(const Image& durable = {});
  void Apply(const DiskOp& op);
  // What a loss of power now could leave.
  Image Cut(Loss loss, PhiloxSequence& random) const;

 private:
  struct File {
    bool folder = false;
    std::string durable;
    std::vector<DiskOp> pending;  // Writes and truncations since the last sync.
  };
  using FileRef = std::shared_ptr<File>;
  static std::string Content(const File& file, Loss loss, PhiloxSequence& random);
  void SyncNames(const std::string& folder);

  std::map<std::string, FileRef> names_;    // As programs see them.
  std::map<std::string, FileRef> durable_;  // As they are on disk.
};

// Writes an image into an empty folder.
void WriteImage(const Image& image, const std::filesystem::path& folder);

}  // namespace inferon::power
