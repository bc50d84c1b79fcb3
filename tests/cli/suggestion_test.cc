#include "client/cli/suggestion.h"

#include <gtest/gtest.h>

namespace inferon::cli {
namespace {

TEST(SuggestionTest, DistanceCountsEditsAndSwaps) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("submit", "submit"), 0);
  EXPECT_EQ(EditDistance("submti", "submit"), 1);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(SuggestionTest, SuggestsTheNearestWordOnlyWhereOneIsNear) {
  const std::vector<std::string> known{"--seed", "--step", "--trials"};
  EXPECT_EQ(Suggest("--tirals", known), "--trials");
  EXPECT_EQ(Suggest("--trails=3", known), "--trials");
  EXPECT_EQ(Suggest("--sede", known), "--seed");
  EXPECT_EQ(Suggest("--frobnicate", known), "");
  EXPECT_EQ(Suggest("", known), "");
  EXPECT_EQ(Suggest(std::string(100'000, 'x'), known), "");
}

}  // namespace
}  // namespace inferon::cli
