// SQLite with owners: the only library that includes sqlite3.h.
//
// A Database and its Statements belong to one thread at a time. One process has one writer; it
// alone checkpoints (SQLite 3.7.0 to 3.51.2 can corrupt a WAL that two connections reset at the
// same instant); readers are read-only and never checkpoint, not even on close.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace inferon::sqlite {

// A failure of the library or the disk; a full disk is a std::system_error with ENOSPC instead.
class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  // Extended result code of SQLite.
  int code() const { return code_; }
  // The file is damaged, or is no database.
  bool damaged() const;
  // The file or its folder cannot be opened or written.
  bool not_permitted() const;

 private:
  int code_;
};

// Marks bytes that are bound as a BLOB; a plain string is bound as TEXT.
struct Blob {
  std::string_view bytes;
};

class Database;

// A prepared statement in use; goes back to its database, reset, at the end of its life, so that
// no read transaction outlives it. Text and blobs that are bound must outlive the last Step().
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Binds ?1, ?2, ... in order.
  template <typename... Values>
  Statement& Bind(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }
  // Next row; false after the last.
  bool Step();
  // Runs a statement without rows; the number of rows that it changed.
  int Run();

  // Columns of the row, from 0. Views live until the next Step().
  std::int64_t Int(int column) const;
  std::uint64_t UInt(int column) const { return static_cast<std::uint64_t>(Int(column)); }
  double Real(int column) const;
  std::string_view Bytes(int column) const;
  std::string Text(int column) const { return std::string(Bytes(column)); }
  bool IsNull(int column) const;

 private:
  friend class Database;
  // A text and the statements of it that are not in use; stays where it is.
  using Slot = std::pair<const std::string, std::vector<sqlite3_stmt*>>;
  Statement(Database& database, Slot& slot, sqlite3_stmt* handle)
      : database_(&database), slot_(&slot), handle_(handle) {}

  template <std::integral T>
  void BindOne(int index, T value) {
    BindInt(index, static_cast<std::int64_t>(value));
  }
  void BindOne(int index, double value);
  void BindOne(int index, std::string_view text);
  void BindOne(int index, const std::string& text) { BindOne(index, std::string_view(text)); }
  void BindOne(int index, const char* text) { BindOne(index, std::string_view(text)); }
  void BindOne(int index, Blob blob);
  void BindOne(int index, std::nullopt_t);
  template <typename T>
  void BindOne(int index, const std::optional<T>& value) {
    if (value) {
      BindOne(index, *value);
    } else {
      BindOne(index, std::nullopt);
    }
  }
  void BindInt(int index, std::int64_t value);

  Database* database_;
  Slot* slot_;
  sqlite3_stmt* handle_;  // Null after a move.
};

enum class Access {
  kWrite,  // Creates the file; WAL, synchronous FULL, foreign keys on; checkpoints.
  kRead,   // Read-only; the file must exist.
};

// An open database file.
class Database {
 public:
  // Waits up to `busy_timeout_ms` where another connection holds a lock.
  Database(const std::filesystem::path& path, Access access, int busy_timeout_ms = 5000);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // A statement from the cache, or a new one.
  Statement Prepare(std::string_view sql);
  // Runs one or more statements without parameters or rows.
  void Execute(const std::string& sql);
  // Row id of the last INSERT.
  std::int64_t LastInsertId() const;
  // Version of the schema (PRAGMA user_version); 0 in a new file.
  int SchemaVersion();
  void SetSchemaVersion(int version);

 private:
  friend class Statement;
  [[noreturn]] void Throw(const std::string& what) const;
  void Configure(Access access, int busy_timeout_ms);

  std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  // Statements that are not in use, by their SQL.
  std::unordered_map<std::string, std::vector<sqlite3_stmt*>, Hash, std::equal_to<>> idle_;
};

// A write transaction; rolled back unless Commit() was reached.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  // On disk once it returns.
  void Commit();

 private:
  Database& database_;
  bool open_ = true;
};

// A step of a schema's history.
struct Migration {
  int version;  // Version that the step leads to; rises by one from step to step.
  const char* sql;
};

// Brings the schema to the last version, each step in its own transaction. A schema that is newer
// than the last migration is left alone; its version is returned. Otherwise the last version.
int Migrate(Database& database, const std::vector<Migration>& migrations);

}  // namespace inferon::sqlite
