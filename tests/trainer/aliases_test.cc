#include "server/trainer/registry/aliases.h"

#include <gmock/gmock.h>

#include "common/base/files.h"

namespace inferon::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const WallTime kNow{std::chrono::seconds(1000)};

TEST(AliasesTest, PromotionsPileUpAndRollBackOneByOne) {
  Aliases aliases;
  for (const char* model : {"a", "b", "c"}) ASSERT_TRUE(Promote(aliases, "live", model, kNow));
  EXPECT_EQ(aliases["live"].model, "c");
  EXPECT_THAT(aliases["live"].earlier, ElementsAre("b", "a"));
  EXPECT_EQ(RollBack(aliases, "live", "c", kNow)->model, "b");
  EXPECT_EQ(RollBack(aliases, "live", "", kNow)->model, "a");
  const auto refused = RollBack(aliases, "live", "", kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(aliases["live"].model, "a");
}

TEST(AliasesTest, AskingAgainChangesNothing) {
  Aliases aliases;
  for (const char* model : {"a", "b", "b"}) ASSERT_TRUE(Promote(aliases, "live", model, kNow));
  EXPECT_THAT(aliases["live"].earlier, ElementsAre("a"));
  ASSERT_TRUE(Promote(aliases, "live", "c", kNow));
  ASSERT_TRUE(RollBack(aliases, "live", "c", kNow));
  EXPECT_EQ(RollBack(aliases, "live", "c", kNow)->model, "b");
  EXPECT_THAT(aliases["live"].earlier, ElementsAre("a"));
}

TEST(AliasesTest, RollBackFromAModelThatItNoLongerPointsToIsAborted) {
  Aliases aliases;
  for (const char* model : {"a", "b", "c"}) ASSERT_TRUE(Promote(aliases, "live", model, kNow));
  EXPECT_EQ(RollBack(aliases, "live", "b", kNow).error().code, ErrorCode::kAborted);
  EXPECT_EQ(RollBack(aliases, "none", "", kNow).error().code, ErrorCode::kNotFound);
}

TEST(AliasesTest, AModelThatIsPointedToStaysAndAnotherIsForgotten) {
  Aliases aliases;
  for (const char* model : {"a", "b", "c"}) ASSERT_TRUE(Promote(aliases, "live", model, kNow));
  const Status refused = Forget(aliases, "c");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("alias live points to model c"));
  EXPECT_TRUE(Forget(aliases, "b"));
  EXPECT_EQ(RollBack(aliases, "live", "", kNow)->model, "a");
}

TEST(AliasesTest, LimitsHoldAtTheirEdge) {
  Aliases aliases;
  EXPECT_EQ(Promote(aliases, "Live", "a", kNow).error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(aliases, IsEmpty());
  for (std::size_t i = 0; i < kMostEarlierModels + 2; ++i) {
    ASSERT_TRUE(Promote(aliases, "live", "m" + std::to_string(i), kNow));
  }
  EXPECT_EQ(aliases["live"].earlier.size(), kMostEarlierModels);
  EXPECT_EQ(aliases["live"].earlier.back(), "m1");
  for (std::size_t i = 1; i < kMostAliases; ++i) {
    ASSERT_TRUE(Promote(aliases, "a" + std::to_string(i), "m", kNow));
  }
  EXPECT_EQ(Promote(aliases, "more", "m", kNow).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(Promote(aliases, "live", "m", kNow));
}

TEST(AliasesFileTest, ComesBackAsItWasAndRefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "aliases.json";
  EXPECT_THAT(*ReadAliases(file), IsEmpty());
  Aliases aliases;
  for (const char* model : {"a", "b"}) ASSERT_TRUE(Promote(aliases, "live", model, kNow));
  ASSERT_TRUE(RollBack(aliases, "live", "b", kNow));
  WriteAliases(file, aliases);
  const Alias read = (*ReadAliases(file)).at("live");
  EXPECT_EQ(read.model, "a");
  EXPECT_THAT(read.earlier, IsEmpty());
  EXPECT_EQ(read.rolled_back, "b");
  EXPECT_EQ(read.update_time, kNow);
  WriteFileAtomically(file, R"({"schema": 2, "aliases": {}})");
  EXPECT_EQ(ReadAliases(file).error().code, ErrorCode::kFailedPrecondition);
  WriteFileAtomically(file, R"({"schema": 1, "aliases": {"live": {"model": 7}}})");
  EXPECT_EQ(ReadAliases(file).error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::trainer
