#include "common/sqlite/recording_vfs.h"

#include <sqlite3.h>

#include <new>

#include "common/base/check.h"

namespace inferon::sqlite {
namespace {

// Of the one RecordingVfs there is.
FileObserver* g_observer = nullptr;
sqlite3_vfs* g_below = nullptr;
int g_checkpoint_pages = 0;

// SQLite allocates it; the file of the VFS below lies behind it.
struct File {
  sqlite3_file base;
  const char* path;  // SQLite keeps it for the life of the file. Null: a temporary file.
  bool sync_folder;  // With the next sync, as the VFS for Unix does it.
};

sqlite3_file* Below(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

const char* PathOf(sqlite3_file* file) { return reinterpret_cast<File*>(file)->path; }

int Close(sqlite3_file* file) {
  sqlite3_file* below = Below(file);
  return below->pMethods == nullptr ? SQLITE_OK : below->pMethods->xClose(below);
}

int Read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
  return Below(file)->pMethods->xRead(Below(file), to, bytes, offset);
}

int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
  const std::string_view data(static_cast<const char*>(from), static_cast<std::size_t>(bytes));
  if (const char* path = PathOf(file);
      path != nullptr && !g_observer->OnWrite(path, static_cast<std::uint64_t>(offset), data)) {
    return SQLITE_FULL;
  }
  return Below(file)->pMethods->xWrite(Below(file), from, bytes, offset);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const char* path = PathOf(file)) {
    g_observer->OnTruncate(path, static_cast<std::uint64_t>(size));
  }
  return Below(file)->pMethods->xTruncate(Below(file), size);
}

int Sync(sqlite3_file* file, int flags) {
  File* own = reinterpret_cast<File*>(file);
  if (own->path != nullptr && !g_observer->OnSync(own->path, own->sync_folder)) {
    return SQLITE_IOERR_FSYNC;
  }
  own->sync_folder = false;
  return Below(file)->pMethods->xSync(Below(file), flags);
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Below(file)->pMethods->xFileSize(Below(file), size);
}
int Lock(sqlite3_file* file, int level) { return Below(file)->pMethods->xLock(Below(file), level); }
int Unlock(sqlite3_file* file, int level) {
  return Below(file)->pMethods->xUnlock(Below(file), level);
}
int CheckLock(sqlite3_file* file, int* held) {
  return Below(file)->pMethods->xCheckReservedLock(Below(file), held);
}
int FileControl(sqlite3_file* file, int what, void* argument) {
  return Below(file)->pMethods->xFileControl(Below(file), what, argument);
}
int SectorSize(sqlite3_file* file) { return Below(file)->pMethods->xSectorSize(Below(file)); }
int Device(sqlite3_file* file) {
  return Below(file)->pMethods->xDeviceCharacteristics(Below(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** at) {
  return Below(file)->pMethods->xShmMap(Below(file), page, size, extend, at);
}
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  return Below(file)->pMethods->xShmLock(Below(file), offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Below(file)->pMethods->xShmBarrier(Below(file)); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return Below(file)->pMethods->xShmUnmap(Below(file), remove);
}

// Version 2: without memory-mapped reads.
constexpr sqlite3_io_methods kMethods = {2,           Close,      Read,    Write,  Truncate,
                                         Sync,        FileSize,   Lock,    Unlock, CheckLock,
                                         FileControl, SectorSize, Device,  ShmMap, ShmLock,
                                         ShmBarrier,  ShmUnmap,   nullptr, nullptr};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  constexpr int kJournals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  const bool kept = name != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | kJournals)) != 0;
  const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
  int exists = 1;
  if (kept && create) g_below->xAccess(g_below, name, SQLITE_ACCESS_EXISTS, &exists);
  File* own = new (file) File{{nullptr}, kept ? name : nullptr, create && (flags & kJournals) != 0};
  if (kept && exists == 0) g_observer->OnCreate(name);
  const int code = g_below->xOpen(g_below, name, Below(file), flags, out_flags);
  own->base.pMethods = code == SQLITE_OK ? &kMethods : nullptr;
  return code;
}

int Delete(sqlite3_vfs*, const char* name, int sync_folder) {
  int exists = 0;
  g_below->xAccess(g_below, name, SQLITE_ACCESS_EXISTS, &exists);
  if (exists != 0) g_observer->OnRemove(name, sync_folder != 0);
  return g_below->xDelete(g_below, name, sync_folder);
}

sqlite3_vfs MakeVfs(const sqlite3_vfs& below) {
  sqlite3_vfs vfs = below;  // What is not replaced takes no file of ours and looks at no own data.
  vfs.szOsFile = static_cast<int>(sizeof(File)) + below.szOsFile;
  vfs.pNext = nullptr;
  vfs.zName = "inferon-recording";
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  return vfs;
}

sqlite3_vfs g_vfs;

int CheckpointEarly(sqlite3* database, const char**, const void*) {
  return sqlite3_wal_autocheckpoint(database, g_checkpoint_pages);
}

}  // namespace

RecordingVfs::RecordingVfs(FileObserver& observer, int checkpoint_pages) {
  INFERON_CHECK(g_observer == nullptr);
  g_observer = &observer;
  g_checkpoint_pages = checkpoint_pages;
  g_below = sqlite3_vfs_find(nullptr);
  g_vfs = MakeVfs(*g_below);
  sqlite3_vfs_register(&g_vfs, 1);
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(CheckpointEarly));
}

RecordingVfs::~RecordingVfs() {
  sqlite3_reset_auto_extension();
  sqlite3_vfs_unregister(&g_vfs);
  sqlite3_vfs_register(g_below, 1);
  g_observer = nullptr;
}

}  // namespace inferon::sqlite
