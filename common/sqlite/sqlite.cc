#include "common/sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/base/check.h"

namespace inferon::sqlite {

bool Failure::damaged() const {
  return (code_ & 0xFF) == SQLITE_CORRUPT || (code_ & 0xFF) == SQLITE_NOTADB;
}

bool Failure::not_permitted() const {
  const int code = code_ & 0xFF;
  return code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_PERM;
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), slot_(other.slot_), handle_(other.handle_) {
  other.handle_ = nullptr;
}

Statement::~Statement() {
  if (handle_ == nullptr) return;
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  slot_->second.push_back(handle_);
}

bool Statement::Step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  database_->Throw(fmt::format("\"{}\" failed", slot_->first));
}

int Statement::Run() {
  while (Step()) {
  }
  return sqlite3_changes(database_->handle_);
}

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(handle_, column); }

double Statement::Real(int column) const { return sqlite3_column_double(handle_, column); }

std::string_view Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

void Statement::BindInt(int index, std::int64_t value) {
  if (sqlite3_bind_int64(handle_, index, value) != SQLITE_OK) database_->Throw("cannot bind");
}

void Statement::BindOne(int index, double value) {
  if (sqlite3_bind_double(handle_, index, value) != SQLITE_OK) database_->Throw("cannot bind");
}

void Statement::BindOne(int index, std::string_view text) {
  const char* bytes = text.data() == nullptr ? "" : text.data();
  if (sqlite3_bind_text64(handle_, index, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK) {
    database_->Throw("cannot bind");
  }
}

void Statement::BindOne(int index, Blob blob) {
  const char* bytes = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
  if (sqlite3_bind_blob64(handle_, index, bytes, blob.bytes.size(), SQLITE_STATIC) != SQLITE_OK) {
    database_->Throw("cannot bind");
  }
}

void Statement::BindOne(int index, std::nullopt_t) {
  if (sqlite3_bind_null(handle_, index) != SQLITE_OK) database_->Throw("cannot bind");
}

Database::Database(const std::filesystem::path& path, Access access, int busy_timeout_ms)
    : path_(path) {
  const int mode =
      access == Access::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path.c_str(), &handle_, mode | SQLITE_OPEN_NOMUTEX, nullptr);
  try {
    if (code != SQLITE_OK) Throw("cannot open");
    Configure(access, busy_timeout_ms);
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

void Database::Configure(Access access, int busy_timeout_ms) {
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, busy_timeout_ms);
  if (access == Access::kRead) {
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_wal_autocheckpoint(handle_, 0);
    return;
  }
  Execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
      // Savepoints write what they could undo to a temporary file otherwise, page by page.
      "PRAGMA temp_store = MEMORY;");
}

Database::~Database() {
  for (auto& [sql, handles] : idle_) {
    for (sqlite3_stmt* handle : handles) sqlite3_finalize(handle);
  }
  const int code = sqlite3_close(handle_);
  INFERON_CHECK(code == SQLITE_OK);  // Otherwise a Statement outlives its Database.
}

Statement Database::Prepare(std::string_view sql) {
  auto slot = idle_.find(sql);
  if (slot == idle_.end()) slot = idle_.emplace(sql, std::vector<sqlite3_stmt*>()).first;
  if (!slot->second.empty()) {
    sqlite3_stmt* handle = slot->second.back();
    slot->second.pop_back();
    return Statement(*this, *slot, handle);
  }
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &handle, nullptr) != SQLITE_OK) {
    Throw(fmt::format("cannot prepare \"{}\"", sql));
  }
  return Statement(*this, *slot, handle);
}

void Database::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    Throw(fmt::format("\"{}\" failed", sql));
  }
}

std::int64_t Database::LastInsertId() const { return sqlite3_last_insert_rowid(handle_); }

int Database::SchemaVersion() {
  Statement query = Prepare("PRAGMA user_version");
  INFERON_CHECK(query.Step());
  return static_cast<int>(query.Int(0));
}

void Database::SetSchemaVersion(int version) {
  Execute(fmt::format("PRAGMA user_version = {}", version));
}

void Database::Throw(const std::string& what) const {
  const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_);
  const std::string message =
      fmt::format("database {}: {}: {}", path_.string(), what,
                  handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_));
  if ((code & 0xFF) == SQLITE_FULL) {
    throw std::system_error(ENOSPC, std::generic_category(), message);
  }
  throw Failure(code, message);
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.Execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.Execute("ROLLBACK");
  } catch (const std::exception&) {
    // SQLite has rolled back by itself already (full disk, input or output error).
  }
}

void Transaction::Commit() {
  database_.Execute("COMMIT");
  open_ = false;
}

int Migrate(Database& database, const std::vector<Migration>& migrations) {
  for (const Migration& step : migrations) {
    const int version = database.SchemaVersion();
    if (version >= step.version) continue;
    INFERON_CHECK(version == step.version - 1);
    Transaction transaction(database);
    database.Execute(step.sql);
    database.SetSchemaVersion(step.version);
    transaction.Commit();
  }
  return database.SchemaVersion();
}

}  // namespace inferon::sqlite
