#include "common/chip/chip_mapping.h"

#include <gtest/gtest.h>

namespace inferon {
namespace {

constexpr char kClocks[] = "[clocks]\nfast = 3\nslow = 3\n";

std::string Mapping(const std::string& body) {
  return "schema_version = 1\nname = \"m\"\n" + body + kClocks;
}

Profile PaperProfile() { return BuiltInProfile("adex-paper").value(); }

TEST(ChipMappingTest, ThePapersSevenParametersAreFieldsOfTheNeuron) {
  const auto mapping = BuiltInChipMapping("adex-paper");
  ASSERT_TRUE(mapping) << mapping.error().Text();
  const Profile profile = PaperProfile();
  ASSERT_TRUE(CheckProfile(*mapping, profile));
  EXPECT_EQ(SetFields(*mapping, profile),
            (std::vector<std::string>{"leak.i_bias", "exponential.v_exp", "exponential.i_bias",
                                      "reset.v_reset", "adaptation.i_bias_a", "adaptation.i_bias_b",
                                      "adaptation.i_bias_tau"}));
  const std::vector<std::uint16_t> codes{0, 1, 2, 1022, 4, 5, 6};
  EXPECT_EQ(SetValues(*mapping, profile, codes).value(), codes);
}

TEST(ChipMappingTest, FixedParametersAndFollowersAreFixedFields) {
  const auto mapping = BuiltInChipMapping("adex-paper").value();
  const auto fields = FixedFields(mapping, PaperProfile(), 1);
  ASSERT_TRUE(fields) << fields.error().Text();
  EXPECT_EQ(fields->at("leak.v_leak"), 400);
  EXPECT_EQ(fields->at("threshold.v_threshold"), 780);
  EXPECT_EQ(fields->at("adaptation.v_leak"), 500 + 400 - 700);
  EXPECT_EQ(fields->at("reset.i_bias"), 1022);
  EXPECT_EQ(fields->at("membrane_capacitance.capacitance"), 63);
  EXPECT_EQ(fields->count("leak.i_bias"), 0u);
}

TEST(ChipMappingTest, AFreeLeakTakesItsFollowerAlongAndIsNeverClamped) {
  const auto mapping = BuiltInChipMapping("adex-paper").value();
  Profile profile = PaperProfile();
  profile.free = {Parameter::kVL, Parameter::kGL};
  EXPECT_EQ(SetFields(mapping, profile),
            (std::vector<std::string>{"leak.v_leak", "leak.i_bias", "adaptation.v_leak"}));
  const std::vector<std::uint16_t> good{700, 9}, low{199, 9}, edge{200, 9};
  EXPECT_EQ(SetValues(mapping, profile, good).value(), (std::vector<std::uint16_t>{700, 9, 500}));
  EXPECT_EQ(SetValues(mapping, profile, edge).value().back(), 0);
  const auto refused = SetValues(mapping, profile, low);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("500 + leak.v_leak - 700"), std::string::npos);
}

TEST(ChipMappingTest, AMechanismThatTheNeuronDoesNotHaveIsOff) {
  const auto mapping = BuiltInChipMapping("adex-paper").value();
  const Profile integrator = BuiltInProfile("lif2").value();
  const auto fields = FixedFields(mapping, integrator, 1);
  ASSERT_TRUE(fields) << fields.error().Text();
  EXPECT_EQ(fields->at("adaptation.enable"), 0);
  EXPECT_EQ(fields->at("exponential.enable"), 0);
  EXPECT_EQ(SetFields(mapping, integrator).size(), integrator.dimension());
}

TEST(ChipMappingTest, CodesOver1022AreRefused) {
  const auto mapping = BuiltInChipMapping("adex-paper").value();
  const std::vector<std::uint16_t> codes{0, 0, 0, 0, 0, 0, 1023};
  EXPECT_FALSE(SetValues(mapping, PaperProfile(), codes));
}

TEST(ChipMappingTest, StimulusScalesWithinTheDacAndItsSignChoosesTheSink) {
  const auto mapping = BuiltInChipMapping("adex-paper").value();
  EXPECT_EQ(FixedFields(mapping, PaperProfile(), 2)->at("constant_current.i_offset"), 600);
  const auto sunk = FixedFields(mapping, PaperProfile(), -1);
  EXPECT_EQ(sunk->at("constant_current.type"), 1);
  EXPECT_EQ(sunk->at("constant_current.i_offset"), 300);
  EXPECT_FALSE(FixedFields(mapping, PaperProfile(), 3.5));
}

TEST(ChipMappingTest, AnAmplitudeThatNoFieldTakesIsRefused) {
  ChipMapping mapping = BuiltInChipMapping("adex-paper").value();
  mapping.fixed.erase("constant_current.i_offset");
  EXPECT_TRUE(FixedFields(mapping, PaperProfile(), 1));
  EXPECT_EQ(FixedFields(mapping, PaperProfile(), 2).error().code, ErrorCode::kInvalidArgument);
}

// Any seven fields are data: synaptic inputs, digital fields, the stimulus itself.
TEST(ChipMappingTest, AnyOtherSevenFieldsAreData) {
  const auto mapping = ParseChipMapping(Mapping(R"(
[parameters]
g_l = { field = "excitatory_input.i_bias_tau" }
v_t = { field = "inhibitory_input.i_bias_gm" }
delta_t = { field = "multicompartment.i_bias_nmda" }
v_r = { field = "reset.i_bias", scale = -1.0, offset = 1022.0 }
a = { field = "membrane_capacitance.capacitance", scale = 0.0616 }
b = { field = "refractory_period.refractory_time", scale = 0.24, offset = 8.0 }
g_tau_w = { field = "constant_current.i_offset" }
v_l = { field = "leak.v_leak" }
v_th = { field = "threshold.v_threshold" }
)"));
  ASSERT_TRUE(mapping) << mapping.error().Text();
  EXPECT_EQ(SetFields(*mapping, PaperProfile()),
            (std::vector<std::string>{
                "excitatory_input.i_bias_tau", "inhibitory_input.i_bias_gm",
                "multicompartment.i_bias_nmda", "reset.i_bias", "membrane_capacitance.capacitance",
                "refractory_period.refractory_time", "constant_current.i_offset"}));
  const std::vector<std::uint16_t> codes{1, 2, 3, 22, 1022, 100, 7};
  EXPECT_EQ(SetValues(*mapping, PaperProfile(), codes).value(),
            (std::vector<std::uint16_t>{1, 2, 3, 1000, 63, 32, 7}));
}

TEST(ChipMappingTest, SixBitFieldsNeedAScale) {
  EXPECT_FALSE(ParseChipMapping(
      Mapping("[parameters]\nc = { field = \"membrane_capacitance.capacitance\" }\n")));
  const auto scaled = ParseChipMapping(Mapping(
      "[parameters]\nc = { field = \"membrane_capacitance.capacitance\", scale = 0.0616 }\n"));
  ASSERT_TRUE(scaled) << scaled.error().Text();
  EXPECT_DOUBLE_EQ(scaled->parameters.at("c").scale, 0.0616);
}

TEST(ChipMappingTest, MistakesAreNamed) {
  const auto message = [](const std::string& body) {
    const auto parsed = ParseChipMapping(Mapping(body));
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_NE(message("[parameters]\na = { field = \"leak.nonsense\" }\n").find("leak.nonsense"),
            std::string::npos);
  EXPECT_NE(message("[fixed.leak]\ni_bias = 1023\n").find("fixed.leak.i_bias"), std::string::npos);
  EXPECT_NE(message("[parameters]\na = { field = \"leak.i_bias\" }\n[fixed.leak]\ni_bias = 1\n")
                .find("set twice"),
            std::string::npos);
  EXPECT_NE(message("[nonsense]\n").find("nonsense"), std::string::npos);
  EXPECT_EQ(message("[parameters]\na = { field = \"leak.i_bias\" }\n"), "");
  const auto mapping = ParseChipMapping(Mapping("[parameters]\na = { field = \"leak.i_bias\" }\n"));
  EXPECT_NE(CheckProfile(*mapping, PaperProfile()).error().message.find("'g_l'"),
            std::string::npos);
}

}  // namespace
}  // namespace inferon
