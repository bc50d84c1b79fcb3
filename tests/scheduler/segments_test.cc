#include "server/scheduler/segments.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/base/files.h"
#include "common/base/hash.h"

namespace inferon::scheduler {
namespace {

class SegmentsTest : public testing::Test {
 protected:
  std::unique_ptr<SegmentWriter> Open(const std::vector<SegmentEnd>& committed = {},
                                      std::uint64_t bytes = 1000) {
    return std::make_unique<SegmentWriter>(path_, bytes, committed);
  }
  std::string Read(const Location& location, const std::string& expected) {
    return ReadSegment(path_, location, Sha256Hex(expected)).value_or("damaged");
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "segments";
  std::filesystem::path first_ = path_ / "seg-000001.dat";
};

TEST_F(SegmentsTest, FramesComeBack) {
  const auto writer = Open();
  const Location a = writer->Append("hello");
  const Location b = writer->Append("world!");
  writer->Sync();
  EXPECT_EQ(b, (Location{1, 5, 6}));
  EXPECT_EQ(Read(a, "hello"), "hello");
  EXPECT_EQ(Read(b, "world!"), "world!");
}

TEST_F(SegmentsTest, FullSegmentBeginsTheNext) {
  const auto writer = Open({}, 10);
  EXPECT_EQ(writer->Append(std::string(9, 'a')).segment, 1u);
  EXPECT_EQ(writer->Append("bb").segment, 1u) << "9 of 10 bytes are used";
  EXPECT_EQ(writer->Append("c"), (Location{2, 0, 1}));
}

TEST_F(SegmentsTest, StartCutsWhatNoRowNames) {
  Open()->Append("committed and then some");
  const auto writer = Open({{1, 9}});
  EXPECT_EQ(std::filesystem::file_size(first_), 9u);
  EXPECT_EQ(writer->Append("next"), (Location{1, 9, 4}));
  EXPECT_EQ(Read({1, 0, 9}, "committed"), "committed");
}

TEST_F(SegmentsTest, StartRemovesFilesWithoutARow) {
  Open()->Append("never committed");
  Open();
  EXPECT_FALSE(std::filesystem::exists(first_));
}

TEST_F(SegmentsTest, OtherFilesAreLeftAlone) {
  Open();
  WriteFileAtomically(path_ / "notes.txt", "mine");
  Open();
  EXPECT_TRUE(std::filesystem::exists(path_ / "notes.txt"));
}

TEST_F(SegmentsTest, DamagedLastFileIsNotAppendedTo) {
  Open()->Append("short");
  EXPECT_EQ(Open({{1, 100}})->Append("x").segment, 2u);
}

TEST_F(SegmentsTest, AfterAFailedSyncANewFileBegins) {
  const auto writer = Open();
  writer->Append("a");
  writer->Abandon();
  EXPECT_EQ(writer->Append("b"), (Location{2, 0, 1}));
  writer->Sync();
  writer->Abandon();
  EXPECT_EQ(writer->Append("c"), (Location{2, 1, 1})) << "nothing was in doubt";
}

TEST_F(SegmentsTest, ChangedOrMissingBytesAreDataLoss) {
  const auto writer = Open();
  const Location location = writer->Append("hello");
  writer->Sync();
  EXPECT_EQ(ReadSegment(path_, location, Sha256Hex("other")).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(ReadSegment(path_, {1, 3, 5}, Sha256Hex("lo")).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(ReadSegment(path_, {7, 0, 5}, Sha256Hex("hello")).error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::scheduler
