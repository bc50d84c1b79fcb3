#include "client/library/codes_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inferon::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> kNames{"g_l", "v_t"};

TEST(CodesFileTest, ColumnsMayComeInAnyOrder) {
  const auto sets = ParseCodes("v_t,g_l\n1,2\n3,4\n", "f.csv", kNames);
  ASSERT_TRUE(sets) << sets.error().Text();
  EXPECT_EQ(sets->dimension, 2u);
  EXPECT_THAT(sets->codes, ElementsAre(2, 1, 4, 3));
}

TEST(CodesFileTest, AcceptsWhatSpreadsheetsWrite) {
  const auto sets =
      ParseCodes("\xEF\xBB\xBF\"g_l\", v_t\r\n# a note\r\n\r\n 0 ,1022\r\n", "f.csv", kNames);
  ASSERT_TRUE(sets) << sets.error().Text();
  EXPECT_THAT(sets->codes, ElementsAre(0, 1022));
}

struct BadFile {
  const char* text;
  const char* message;
};

class CodesFileBadInputTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(CodesFileBadInputTest, IsRefusedAndNamed) {
  const auto sets = ParseCodes(GetParam().text, "f.csv", kNames);
  ASSERT_FALSE(sets);
  EXPECT_EQ(sets.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(sets.error().Text(), HasSubstr(GetParam().message));
  EXPECT_FALSE(sets.error().advice.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, CodesFileBadInputTest,
    ::testing::Values(
        BadFile{"", "f.csv holds no parameter set"},
        BadFile{"g_l,v_t\n", "f.csv holds no parameter set"},
        BadFile{"g_l,v_x\n1,2\n", "'v_x' in the first line of f.csv is not a free parameter"},
        BadFile{"1,2\n", "'1' in the first line"}, BadFile{"g_l\n1\n", "has no column 'v_t'"},
        BadFile{"g_l,v_t,g_l\n1,2,3\n", "names 'g_l' twice"},
        BadFile{"g_l,v_t\n1\n", "line 2 of f.csv has 1 values instead of 2"},
        BadFile{"g_l,v_t\n1,2\n1,2,3\n", "line 3 of f.csv has 3 values"},
        BadFile{"g_l,v_t\n1,1023\n", "code 1023 in line 2, column v_t of f.csv is outside 0..1022"},
        BadFile{"g_l,v_t\n-1,2\n", "code -1 in line 2, column g_l"},
        BadFile{"g_l,v_t\n1,99999999999\n", "'99999999999' in line 2, column v_t"},
        BadFile{"g_l,v_t\n1,2.5\n", "'2.5' in line 2, column v_t of f.csv is not a whole number"},
        BadFile{"g_l,v_t\n1,\n", "'' in line 2, column v_t"},
        BadFile{"g_l,v_t\nnan,2\n", "'nan' in line 2, column g_l"}));

TEST(CodesFileTest, MissingFileIsNamed) {
  const auto sets = ReadCodesFile("/nonexistent/codes.csv", kNames);
  ASSERT_FALSE(sets);
  EXPECT_THAT(sets.error().message, HasSubstr("/nonexistent/codes.csv"));
}

}  // namespace
}  // namespace inferon::client
