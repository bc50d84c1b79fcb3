#include "tests/power/disk_log.h"

#include <gtest/gtest.h>

namespace inferon::power {
namespace {

using Kind = DiskOp::Kind;

Image CutAfter(const std::vector<DiskOp>& ops, Loss loss, std::uint64_t seed = 1,
               const Image& before = {}) {
  DiskModel disk(before);
  for (const DiskOp& op : ops) disk.Apply(op);
  PhiloxSequence random(StreamKey(seed, "cut"));
  return disk.Cut(loss, random);
}

TEST(DiskModelTest, SyncedContentWithASyncedNameIsCertain) {
  const std::vector<DiskOp> ops = {{Kind::kCreate, "a"},
                                   {Kind::kWrite, "a", 0, "hello"},
                                   {Kind::kSync, "a"},
                                   {Kind::kSyncFolder, ""}};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(CutAfter(ops, Loss::kAtRandom, seed), (Image{{"a", "hello"}}));
  }
  EXPECT_EQ(CutAfter(ops, Loss::kEverything), (Image{{"a", "hello"}}));
}

TEST(DiskModelTest, FileWithoutASyncedNameMayBeGone) {
  const std::vector<DiskOp> ops = {
      {Kind::kCreate, "a"}, {Kind::kWrite, "a", 0, "hello"}, {Kind::kSync, "a"}};
  EXPECT_EQ(CutAfter(ops, Loss::kEverything), Image{});
  EXPECT_EQ(CutAfter(ops, Loss::kNothing), (Image{{"a", "hello"}}));
  int gone = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    gone += CutAfter(ops, Loss::kAtRandom, seed).empty();
  EXPECT_GT(gone, 0);
  EXPECT_LT(gone, 20);
}

TEST(DiskModelTest, UnsyncedWritesTearAtSectors) {
  const std::string old(2048, 'o');
  const std::string fresh(2048, 'n');
  bool torn = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string left =
        CutAfter({{Kind::kWrite, "a", 0, fresh}}, Loss::kAtRandom, seed, {{"a", old}}).at("a");
    for (std::size_t sector = 0; sector < 4; ++sector) {
      const std::string part = left.substr(sector * 512, 512);
      EXPECT_TRUE(part == old.substr(0, 512) || part == fresh.substr(0, 512));
    }
    torn |= left != old && left != fresh;
  }
  EXPECT_TRUE(torn);
}

TEST(DiskModelTest, RemovedFileMayComeBackUntilItsFolderIsSynced) {
  const Image before = {{"d/", ""}, {"d/a", "x"}};
  EXPECT_EQ(CutAfter({{Kind::kRemove, "d/a"}}, Loss::kEverything, 1, before), before);
  EXPECT_EQ(CutAfter({{Kind::kRemove, "d/a"}}, Loss::kNothing, 1, before), (Image{{"d/", ""}}));
  EXPECT_EQ(
      CutAfter({{Kind::kRemove, "d/a"}, {Kind::kSyncFolder, "d/"}}, Loss::kEverything, 1, before),
      (Image{{"d/", ""}}));
}

TEST(DiskModelTest, FileIsLostWithItsFolder) {
  const std::vector<DiskOp> ops = {{Kind::kMakeFolder, "d/"},
                                   {Kind::kCreate, "d/a"},
                                   {Kind::kSync, "d/a"},
                                   {Kind::kSyncFolder, "d/"}};
  EXPECT_EQ(CutAfter(ops, Loss::kEverything), Image{});
}

}  // namespace
}  // namespace inferon::power
