#include "client/library/cluster_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/files.h"

namespace inferon::client {
namespace {

using ::testing::HasSubstr;

TEST(ClusterFileTest, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  WriteClusterFile(folder.path(), {.scheduler = "127.0.0.1:1", .trainer = "", .workers = 3});
  const Result<ClusterFile> cluster = ReadClusterFile(folder.path());
  ASSERT_TRUE(cluster);
  EXPECT_EQ(cluster->scheduler, "127.0.0.1:1");
  EXPECT_EQ(cluster->trainer, "");
  EXPECT_EQ(cluster->workers, 3);
}

TEST(ClusterFileTest, MissingFileIsNotFound) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadClusterFile(folder.path()).error().code, ErrorCode::kNotFound);
}

TEST(ClusterFileTest, MalformedFilesAreRefusedWithTheirPath) {
  const TemporaryFolder folder;
  for (const char* text : {"", "{", "[]", "{\"version\":1}",
                           "{\"version\":2,\"scheduler\":\"\",\"trainer\":\"\",\"workers\":1}"}) {
    WriteFileAtomically(ClusterFilePath(folder.path()), text);
    const Result<ClusterFile> cluster = ReadClusterFile(folder.path());
    ASSERT_FALSE(cluster) << text;
    EXPECT_EQ(cluster.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(cluster.error().message, HasSubstr("cluster.json"));
  }
}

}  // namespace
}  // namespace inferon::client
