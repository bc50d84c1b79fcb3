#include "common/neuron/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "tests/paths.h"

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
  EXPECT_THAT(BuiltInProfileNames(), ElementsAre("adex-paper", "adex-tutorial", "lif2"));
}

TEST(ProfileTest, BuiltInTextIsTheShippedFile) {
  for (const std::string& name : BuiltInProfileNames()) {
    const Result<Profile> file =
        LoadProfile(std::filesystem::path(INFERON_SOURCE_DIR) / "profiles" / (name + ".toml"));
    ASSERT_TRUE(file) << file.error().Text();
    EXPECT_EQ(file->name, name);
    const Result<Profile> built_in = BuiltInProfile(name);
    ASSERT_TRUE(built_in) << built_in.error().Text();
    EXPECT_EQ(file->text, built_in->text);
  }
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
  for (const char* version : {"0", "3", "1.0", "\"1\"", "true"}) {
    ExpectRefused(Replaced("schema_version = 2", std::string("schema_version = ") + version),
                  "'schema_version'");
  }
}

TEST(ProfileTest, RefusesUnknownKeysByNameAndLine) {
  ExpectRefused(Replaced("schema_version = 2", "surplus = 3\nschema_version = 2"), "'surplus'");
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
  EXPECT_GT(keys, 55);
}

TEST(ProfileTest, RefusesValuesOutOfRangeByName) {
  ExpectRefused(Replaced("capacitance_pf = 2.3", "capacitance_pf = 0"), "'neuron.capacitance_pf'");
  ExpectRefused(Replaced("refractory_us = 0.5", "refractory_us = nan"), "'neuron.refractory_us'");
  ExpectRefused(Replaced("step_us = 0.1", "step_us = \"0.1\""), "'integration.step_us'");
  ExpectRefused(Replaced("v_l = 400", "v_l = 1023"), "'fixed.v_l'");
  ExpectRefused(Replaced("slope = 1.2", "slope = 0"), "'map.g_l.slope'");
  ExpectRefused(Replaced("slope = 1.2", "slope = -1.2"), "'map.g_l.slope'");
  ExpectRefused(Replaced("slope = 0.40", "slope = -0.40"), "'map.v_t.slope'");
  ExpectRefused(Replaced("gain = 0.8", "gain = -0.8"), "'madc.gain'");
  ExpectRefused(Replaced("delta_t_to_v_t = 0.0", "delta_t_to_v_t = 10.1"),
                "'coupling.delta_t_to_v_t'");
  ExpectRefused(Replaced("reference_v_t = 511", "reference_v_t = 1023"),
                "'coupling.reference_v_t'");
  ExpectRefused(Replaced("rate_mhz = 29.41", "rate_mhz = 0.9"), "'madc.rate_mhz'");
  ExpectRefused(Replaced("threshold_mv = 0.0", "threshold_mv = -1"), "'noise.threshold_mv'");
  ExpectRefused(Replaced("trial_codes = 0.0", "trial_codes = inf"), "'jitter.trial_codes'");
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
  const std::string most = Shipped() + std::string(65'536 - Shipped().size(), '#');
  EXPECT_TRUE(ParseProfile(most));
  ExpectRefused(most + "#", "65537 bytes");
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

TEST(ProfileTest, AdaptationMayBeNegativeAsTheSignBitAllows) {
  const Result<Profile> profile =
      ParseProfile(Replaced("slope = 0.2\nfloor = 0.0", "slope = -0.2\nfloor = -500.0"));
  ASSERT_TRUE(profile) << profile.error().Text();
  EXPECT_DOUBLE_EQ(profile->Value(Parameter::kA, 100), -20);
}

// Couplings are sums over codes: there is nothing that could refer to itself.
TEST(ProfileTest, ValuesCannotReferToEachOther) {
  ExpectRefused(Replaced("delta_t_to_v_t = 0.0", "delta_t_to_v_t = \"v_t\""),
                "'coupling.delta_t_to_v_t'");
  ExpectRefused(Replaced("offset = 422.0", "offset = \"map.v_t\""), "'map.v_t.offset'");
}

TEST(ProfileTest, CouplingsShiftFromTheReferenceCodesOn) {
  Profile profile = BuiltInProfile("adex-paper").value();
  ParameterArray codes = profile.fixed_code;
  codes[static_cast<std::size_t>(Parameter::kGL)] = 100;
  codes[static_cast<std::size_t>(Parameter::kVT)] = 200;
  codes[static_cast<std::size_t>(Parameter::kDeltaT)] = 300;
  const auto value = [&](Parameter p) {
    return profile.Values(codes)[static_cast<std::size_t>(p)];
  };
  const double v_t = value(Parameter::kVT), delta_t = value(Parameter::kDeltaT);
  const double v_l = value(Parameter::kVL);
  EXPECT_DOUBLE_EQ(v_t, profile.Value(Parameter::kVT, 200));  // Switched off.
  profile.coupling = {.delta_t_to_v_t = 0.1,
                      .v_t_to_delta_t = 0.02,
                      .g_l_to_v_l = -0.5,
                      .reference_g_l = 90,
                      .reference_v_t = 150,
                      .reference_delta_t = 320};
  EXPECT_DOUBLE_EQ(value(Parameter::kVT), v_t - 2);
  EXPECT_DOUBLE_EQ(value(Parameter::kDeltaT), delta_t + 1);
  EXPECT_DOUBLE_EQ(value(Parameter::kVL), v_l - 5);
  profile.coupling.v_t_to_delta_t = -10;
  EXPECT_EQ(value(Parameter::kDeltaT), 2);           // The floor.
  EXPECT_DOUBLE_EQ(value(Parameter::kVT), v_t - 2);  // Sees the code, not the coupled slope.
}

TEST(ProfileTest, CouplingAndProtocolMayBeLeftOut) {
  std::string text = Shipped();
  for (const char* section : {"[coupling]", "[protocol]"}) {
    const std::size_t at = text.find(section);
    text.erase(at, text.find("\n\n", at) - at);
  }
  const Result<Profile> profile = ParseProfile(text);
  ASSERT_TRUE(profile) << profile.error().Text();
  EXPECT_EQ(profile->protocol, Protocol());
  EXPECT_EQ(profile->coupling.g_l_to_v_l, 0);
}

TEST(ProfileTest, ProtocolIsTheProfilesOwn) {
  EXPECT_EQ(BuiltInProfile("adex-paper")->protocol, Protocol());
  EXPECT_EQ(BuiltInProfile("adex-tutorial")->protocol, (Protocol{{{100, 700, 1}}, 1000, 1}));
  const Result<Profile> steps = ParseProfile(
      Replaced("[[200.0, 1200.0, 1.0]]", "[[10, 20, -1], [20, 300.5, 0.5], [400, 1400, 2]]"));
  ASSERT_TRUE(steps) << steps.error().Text();
  EXPECT_EQ(steps->protocol.steps,
            (std::vector<CurrentStep>{{10, 20, -1}, {20, 300.5, 0.5}, {400, 1400, 2}}));
  EXPECT_TRUE(ParseProfile(Replaced("[[200.0, 1200.0, 1.0]]", "[]"))->protocol.steps.empty());
}

TEST(ProfileTest, DefaultProtocolIsTheProfilesOrWithoutOneTheApis) {
  EXPECT_EQ(DefaultProtocol(BuiltInProfile("adex-tutorial")->text),
            BuiltInProfile("adex-tutorial")->protocol);
  EXPECT_EQ(DefaultProtocol("no profile"), Protocol());
}

TEST(ProfileTest, RefusesProtocolsThatCannotRun) {
  const std::string step = "[[200.0, 1200.0, 1.0]]";
  ExpectRefused(Replaced(step, "[[200.0, 1500.0, 1.0]]"), "'protocol'");
  ExpectRefused(Replaced(step, "[[200.0, 1200.0]]"), "2 numbers, not 3");
  ExpectRefused(Replaced(step, "[200.0, 1200.0]"), "'protocol.steps'");
  ExpectRefused(Replaced(step, "[[200.0, \"x\", 1.0]]"), "'protocol.steps'");
  ExpectRefused(Replaced(step, "[[200.0, nan, 1.0]]"), "'protocol'");
  ExpectRefused(Replaced("duration_us = 1400.0", "duration_us = 5"), "'protocol'");
}

TEST(ProfileTest, AbsentMechanismsHaveNoParameters) {
  const Profile lif = BuiltInProfile("lif2").value();
  EXPECT_THAT(lif.ParameterNames(), ElementsAre("g_l", "v_th"));
  EXPECT_FALSE(HasParameter(lif, Parameter::kVT));
  EXPECT_FALSE(HasParameter(lif, Parameter::kB));
  EXPECT_TRUE(HasParameter(lif, Parameter::kVR));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = lif.text;
    return text.replace(text.find(from), from.size(), to);
  };
  ExpectRefused(changed("\"v_th\"]", "\"a\"]"), "has no adaptation");
  ExpectRefused(changed("\"v_th\"]", "\"v_t\"]"), "has no exponential current");
  ExpectRefused(changed("v_l = 400", "v_l = 400\nb = 3"), "'fixed.b'");
  ExpectRefused(changed("[neuron]", "[map.a]\noffset = 1.0\n[neuron]"), "'map.a'");
  ExpectRefused(changed("[neuron]", R"([coupling]
delta_t_to_v_t = 0.1
v_t_to_delta_t = 0
g_l_to_v_l = 0
reference_g_l = 0
reference_v_t = 0
reference_delta_t = 0
[neuron])"),
                "no exponential current");
  ExpectRefused(Replaced("adaptation = true", "adaptation = 1"), "'neuron.adaptation'");
}

// Jobs, studies and models of earlier releases carry such a text.
class Version1Test : public ::testing::Test {
 protected:
  const std::string text_ =
      ReadFile(std::filesystem::path(INFERON_SOURCE_DIR) / "tests/neuron/version_1.toml", 1 << 20)
          .value();
};

TEST_F(Version1Test, MeansWhatItMeant) {
  const Result<Profile> old = ParseProfile(text_);
  ASSERT_TRUE(old) << old.error().Text();
  EXPECT_EQ(old->text, text_);
  EXPECT_EQ(old->sha256, "e88783c34df72d9d916e2c359e844a832f123ea6fa820cc4467428fb9169856d");
  EXPECT_EQ(old->protocol, Protocol());
  EXPECT_EQ(old->madc_mode, MadcMode::kPoint);
  EXPECT_TRUE(old->adaptation);
  EXPECT_EQ(old->threshold_noise_mv, 0);
  EXPECT_EQ(old->trial_jitter_codes, 0);
  const Profile now = BuiltInProfile("adex-paper").value();
  for (double code = 0; code <= 1022; code += 73) {
    ParameterArray codes;
    codes.fill(code);
    EXPECT_EQ(old->Values(codes), now.Values(codes)) << code;
  }
}

TEST_F(Version1Test, HasNoneOfTheLaterKeys) {
  const auto added = [&](const std::string& after, const std::string& line) {
    std::string text = text_;
    return text.insert(text.find(after) + after.size(), "\n" + line);
  };
  ExpectRefused(added("[madc]", "mode = \"point\""), "'madc.mode'");
  ExpectRefused(added("[neuron]", "adaptation = true"), "'neuron.adaptation'");
  ExpectRefused(added("[jitter]", "trial_codes = 0.0"), "'jitter.trial_codes'");
  ExpectRefused(added("[noise]", "threshold_mv = 0.0"), "'noise.threshold_mv'");
  ExpectRefused(text_ + "\n[coupling]\n", "'coupling'");
  ExpectRefused(text_ + "\n[protocol]\n", "'protocol'");
}

}  // namespace
}  // namespace inferon
