#include "common/sqlite/sqlite.h"

#include <gtest/gtest.h>

#include "common/base/files.h"

namespace inferon::sqlite {
namespace {

class SqliteTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "test.db";
};

std::int64_t Count(Database& database) {
  Statement query = database.Prepare("SELECT count(*) FROM t");
  EXPECT_TRUE(query.Step());
  return query.Int(0);
}

TEST_F(SqliteTest, ValuesOfEveryTypeComeBack) {
  Database database(path_, Access::kWrite);
  database.Execute("CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, n INTEGER) STRICT");
  const std::string bytes("\0\1\xFF", 3);
  database.Prepare("INSERT INTO t VALUES(?, ?, ?, ?, ?)")
      .Bind(~std::uint64_t{0}, 0.5, "text", Blob{bytes}, std::optional<int>())
      .Run();
  Statement row = database.Prepare("SELECT i, r, s, b, n FROM t");
  ASSERT_TRUE(row.Step());
  EXPECT_EQ(row.UInt(0), ~std::uint64_t{0});
  EXPECT_EQ(row.Real(1), 0.5);
  EXPECT_EQ(row.Text(2), "text");
  EXPECT_EQ(row.Bytes(3), bytes);
  EXPECT_TRUE(row.IsNull(4));
  EXPECT_FALSE(row.Step());
}

TEST_F(SqliteTest, EmptyTextAndBlobAreNotNull) {
  Database database(path_, Access::kWrite);
  database.Execute("CREATE TABLE t(s TEXT NOT NULL, b BLOB NOT NULL) STRICT");
  database.Prepare("INSERT INTO t VALUES(?, ?)").Bind(std::string_view(), Blob{}).Run();
  EXPECT_EQ(Count(database), 1);
}

TEST_F(SqliteTest, WriterIsDurableAndChecksForeignKeys) {
  Database database(path_, Access::kWrite);
  const auto pragma = [&](const char* sql) {
    Statement query = database.Prepare(sql);
    EXPECT_TRUE(query.Step());
    return query.Text(0);
  };
  EXPECT_EQ(pragma("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(pragma("PRAGMA synchronous"), "2");  // FULL
  EXPECT_EQ(pragma("PRAGMA foreign_keys"), "1");
}

TEST_F(SqliteTest, UncommittedTransactionLeavesNothing) {
  Database database(path_, Access::kWrite);
  database.Execute("CREATE TABLE t(i INTEGER)");
  {
    Transaction transaction(database);
    database.Execute("INSERT INTO t VALUES(1)");
  }
  EXPECT_EQ(Count(database), 0);
  Transaction transaction(database);
  database.Execute("INSERT INTO t VALUES(1)");
  transaction.Commit();
  EXPECT_EQ(Count(database), 1);
}

TEST_F(SqliteTest, ReaderSeesOnlyWhatIsCommitted) {
  Database writer(path_, Access::kWrite);
  writer.Execute("CREATE TABLE t(i INTEGER)");
  Database reader(path_, Access::kRead);
  Transaction transaction(writer);
  writer.Execute("INSERT INTO t VALUES(1)");
  EXPECT_EQ(Count(reader), 0);
  transaction.Commit();
  EXPECT_EQ(Count(reader), 1);
}

TEST_F(SqliteTest, StatementLeftHalfwayHoldsNoReadTransaction) {
  Database writer(path_, Access::kWrite);
  writer.Execute("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES(1),(2)");
  Database reader(path_, Access::kRead);
  {
    Statement query = reader.Prepare("SELECT i FROM t");
    ASSERT_TRUE(query.Step());
  }
  writer.Execute("INSERT INTO t VALUES(3)");
  Statement checkpoint = writer.Prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  ASSERT_TRUE(checkpoint.Step());
  EXPECT_EQ(checkpoint.Int(0), 0) << "a reader blocks the checkpoint";
  EXPECT_EQ(Count(reader), 3);
}

TEST_F(SqliteTest, ReaderRefusesToWriteOrToCreate) {
  EXPECT_THROW(Database(path_, Access::kRead), Failure);
  Database writer(path_, Access::kWrite);
  writer.Execute("CREATE TABLE t(i INTEGER)");
  Database reader(path_, Access::kRead);
  EXPECT_THROW(reader.Execute("INSERT INTO t VALUES(1)"), Failure);
}

TEST_F(SqliteTest, FailureNamesFileAndStatement) {
  Database database(path_, Access::kWrite);
  try {
    database.Prepare("SELECT x FROM nowhere");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_NE(std::string(failure.what()).find("test.db"), std::string::npos);
    EXPECT_NE(std::string(failure.what()).find("nowhere"), std::string::npos);
  }
}

TEST_F(SqliteTest, FileThatIsNoDatabaseIsRefused) {
  WriteFileAtomically(path_, std::string(4096, 'x'));
  EXPECT_THROW(Database(path_, Access::kWrite), Failure);
}

TEST_F(SqliteTest, FullDatabaseIsAFullDisk) {
  Database database(path_, Access::kWrite);
  database.Execute("CREATE TABLE t(b BLOB); PRAGMA max_page_count = 4");
  const std::string bytes(1 << 16, 'x');
  try {
    database.Prepare("INSERT INTO t VALUES(?)").Bind(Blob{bytes}).Run();
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOSPC);
  }
}

TEST_F(SqliteTest, MigrationsRunOnceAndInOrder) {
  const std::vector<Migration> one = {{1, "CREATE TABLE t(i INTEGER)"}};
  const std::vector<Migration> two = {{1, "CREATE TABLE t(i INTEGER)"},
                                      {2, "INSERT INTO t VALUES(7)"}};
  Database database(path_, Access::kWrite);
  EXPECT_EQ(Migrate(database, one), 1);
  EXPECT_EQ(Migrate(database, two), 2);
  EXPECT_EQ(Migrate(database, two), 2);
  EXPECT_EQ(Count(database), 1);
  EXPECT_EQ(Migrate(database, one), 2) << "a newer schema stays as it is";
}

TEST_F(SqliteTest, BrokenMigrationChangesNothing) {
  Database database(path_, Access::kWrite);
  EXPECT_THROW(Migrate(database, {{1, "CREATE TABLE t(i INTEGER); SELECT broken"}}), Failure);
  EXPECT_EQ(database.SchemaVersion(), 0);
  EXPECT_THROW(database.Prepare("SELECT * FROM t"), Failure);
}

}  // namespace
}  // namespace inferon::sqlite
