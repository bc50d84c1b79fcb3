#include "common/neuron/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/files.h"
#include "common/base/hash.h"

namespace inferon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Shipped() { return BuiltInProfile("adex-paper").value().text; }

std::string Replaced(const std::string& from, const std::string& to) {
  std::string text = Shipped();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

void ExpectRefused(const std::string& text, const std::string& naming) {
  const Result<Profile> profile = ParseProfile(text);
  ASSERT_FALSE(profile) << naming;
  EXPECT_EQ(profile.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(profile.error().message, HasSubstr(naming));
  EXPECT_FALSE(profile.error().advice.empty());
}

TEST(ProfileTest, ShippedProfileHasThePapersSevenParameters) {
  const Profile profile = BuiltInProfile("adex-paper").value();
  EXPECT_EQ(profile.name, "adex-paper");
  EXPECT_THAT(profile.ParameterNames(),
              ElementsAre("g_l", "v_t", "delta_t", "v_r", "a", "b", "g_tau_w"));
  EXPECT_EQ(profile.sha256, Sha256Hex(profile.text));
  EXPECT_EQ(BuiltInProfileNames(), std::vector<std::string>{"adex-paper"});
}

TEST(ProfileTest, BuiltInTextIsTheShippedFile) {
  const Result<Profile> file =
      LoadProfile(std::filesystem::path(INFERON_SOURCE_DIR) / "profiles/adex-paper.toml");
  ASSERT_TRUE(file) << file.error().Text();
  EXPECT_EQ(file->text, Shipped());
}

TEST(ProfileTest, UnknownBuiltInIsNotFound) {
  EXPECT_EQ(BuiltInProfile("adex").error().code, ErrorCode::kNotFound);
}

TEST(ProfileTest, MissingFileIsNotFound) {
  EXPECT_EQ(LoadProfile("/nonexistent/profile.toml").error().code, ErrorCode::kNotFound);
}

TEST(ProfileTest, FileErrorNamesTheFile) {
  const TemporaryFolder folder;
  WriteFileAtomically(folder.path() / "mine.toml", "x = 1\n");
  EXPECT_THAT(LoadProfile(folder.path() / "mine.toml").error().message, HasSubstr("mine.toml"));
}

TEST(ProfileTest, CodeZeroStaysAboveTheFloor) {
  Profile profile = BuiltInProfile("adex-paper").value();
  profile.map[static_cast<std::size_t>(Parameter::kGL)] = {0, 1.2, 2};
  EXPECT_EQ(profile.Value(Parameter::kGL, 0), 2);
  EXPECT_EQ(profile.Value(Parameter::kGL, 100), 120);
}

TEST(ProfileTest, CountsSaturateAtBothEnds) {
  const Profile profile = BuiltInProfile("adex-paper").value();
  EXPECT_EQ(profile.Counts(-1e6), profile.madc_min);
  EXPECT_EQ(profile.Counts(1e6), profile.madc_max);
}

TEST(ProfileTest, RefusesWrongSchemaVersion) {
  ExpectRefused(Replaced("schema_version = 1", "schema_version = 2"), "'schema_version'");
  ExpectRefused(Replaced("schema_version = 1", "schema_version = \"1\""), "'schema_version'");
}

TEST(ProfileTest, RefusesUnknownKeysByNameAndLine) {
  ExpectRefused(Replaced("schema_version = 1", "surplus = 3\nschema_version = 1"), "'surplus'");
  ExpectRefused(Replaced("[noise]", "[noise]\nmembrame_mv = 1"), "'noise.membrame_mv'");
  ExpectRefused("surplus = 1\n" + Shipped(), "'surplus' (line 1)");
  ExpectRefused(Shipped() + "\n[extra]\n", "'extra'");
  ExpectRefused(Replaced("[fixed]", "[fixed]\ng_l = 3"), "'fixed.g_l'");
}

// Every line "key = value" of the shipped profile is required.
TEST(ProfileTest, RefusesEachMissingKeyByName) {
  const std::string text = Shipped();
  std::size_t begin = 0;
  int keys = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line[0] != '#' && line[0] != '[') {
      const std::string key = line.substr(0, line.find(' '));
      ExpectRefused(text.substr(0, begin) + text.substr(end + 1), key);
      ++keys;
    }
    begin = end + 1;
  }
  EXPECT_GT(keys, 40);
}

TEST(ProfileTest, RefusesValuesOutOfRangeByName) {
  ExpectRefused(Replaced("capacitance_pf = 2.3", "capacitance_pf = 0"), "'neuron.capacitance_pf'");
  ExpectRefused(Replaced("refractory_us = 0.5", "refractory_us = nan"), "'neuron.refractory_us'");
  ExpectRefused(Replaced("step_us = 0.1", "step_us = \"0.1\""), "'integration.step_us'");
  ExpectRefused(Replaced("v_l = 400", "v_l = 1023"), "'fixed.v_l'");
  ExpectRefused(Replaced("slope = 1.2", "slope = 0"), "'map.g_l.slope'");
  ExpectRefused(Replaced("floor = 2.0", "floor = 0"), "'map.g_l.floor'");
  ExpectRefused(Replaced("max = 680.0", "max = 100.0"), "'madc.min'");
  ExpectRefused(Replaced("relative = 0.1", "relative = 0.6"), "'mismatch.relative'");
}

TEST(ProfileTest, RefusesOddNamesAndLists) {
  ExpectRefused(Replaced("name = \"adex-paper\"", "name = \"AdEx\""), "'name'");
  ExpectRefused(Replaced("name = \"adex-paper\"", "name = \"../x\""), "'name'");
  ExpectRefused(Replaced("free = [", "free = [\"g_l\", "), "twice");
  ExpectRefused(Replaced("free = [", "free = [\"g_x\", "), "no parameter");
  ExpectRefused(Replaced("\"independent\"", "\"linear\""), "'exponential.form'");
  ExpectRefused(Replaced("\"hold\"", "\"conductance\""), "'neuron.reset_tau_us'");
  ExpectRefused(Replaced("[noise]", "[[noise]]"), "'noise'");
}

TEST(ProfileTest, RefusesWhatIsNoToml) {
  ExpectRefused("free = [", "not valid TOML (line 1)");
  ExpectRefused(std::string(300'000, '#'), "300000 bytes");
  ExpectRefused("", "'schema_version'");
}

TEST(ProfileTest, TextbookFormNeedsNoConductanceOfItsOwn) {
  std::string text = Replaced("form = \"independent\"", "form = \"textbook\"");
  ExpectRefused(text, "'exponential.g_ns'");
  const std::size_t line = text.find("g_ns");
  text.erase(line, text.find('\n', line) - line);
  const Result<Profile> profile = ParseProfile(text);
  ASSERT_TRUE(profile) << profile.error().Text();
  EXPECT_EQ(profile->exponential, ExponentialForm::kTextbook);
}

}  // namespace
}  // namespace inferon
