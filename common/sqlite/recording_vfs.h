// What SQLite does to its files, told to an observer: the seam for tests that lose power or fill
// the disk. No part of the servers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace inferon::sqlite {

// Calls come on SQLite's threads, each before the operation is done. False: the disk is full, and
// the operation is not done.
class FileObserver {
 public:
  virtual ~FileObserver() = default;
  // A file that was not there.
  virtual void OnCreate(const std::string& path) = 0;
  virtual bool OnWrite(const std::string& path, std::uint64_t offset, std::string_view bytes) = 0;
  virtual void OnTruncate(const std::string& path, std::uint64_t bytes) = 0;
  // `folder`: the folder's entries are brought to disk too.
  virtual bool OnSync(const std::string& path, bool folder) = 0;
  virtual void OnRemove(const std::string& path, bool sync_folder) = 0;
};

// While it lives, databases that are opened tell the observer, and checkpoint on their own after
// `checkpoint_pages` of the log. One at a time; every such database must be closed before it goes.
class RecordingVfs {
 public:
  RecordingVfs(FileObserver& observer, int checkpoint_pages);
  ~RecordingVfs();
  RecordingVfs(const RecordingVfs&) = delete;
  RecordingVfs& operator=(const RecordingVfs&) = delete;
};

}  // namespace inferon::sqlite
