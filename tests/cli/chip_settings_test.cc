#include "client/cli/chip_settings.h"

#include <gtest/gtest.h>

namespace inferon::cli {
namespace {

constexpr std::uint16_t kCodes[] = {100, 900, 300, 600, 10, 20, 120};

std::string Settings(ChipTool tool) {
  const auto text = ChipSettings(tool, BuiltInChipMapping("adex-paper").value(),
                                 BuiltInProfile("adex-paper").value(), kCodes);
  EXPECT_TRUE(text) << text.error().Text();
  return text.value_or("");
}

bool Has(const std::string& text, const std::string& line) {
  return text.find(line + "\n") != std::string::npos;
}

TEST(ChipSettingsTest, LolaStatementsSetEveryField) {
  const std::string text = Settings(ChipTool::kLola);
  EXPECT_TRUE(Has(text, "neuron = lola.AtomicNeuron()"));
  EXPECT_TRUE(Has(text, "neuron.leak.i_bias = lola.AtomicNeuron.AnalogValue(100)")) << text;
  EXPECT_TRUE(Has(text, "neuron.exponential.v_exp = lola.AtomicNeuron.AnalogValue(900)"));
  EXPECT_TRUE(Has(text, "neuron.adaptation.v_leak = lola.AtomicNeuron.AnalogValue(200)"));
  EXPECT_TRUE(Has(text, "neuron.threshold.enable = True"));
  EXPECT_TRUE(Has(text, "neuron.leak.enable_division = False"));
  EXPECT_TRUE(Has(text,
                  "neuron.membrane_capacitance.capacitance = "
                  "lola.AtomicNeuron.MembraneCapacitance.CapacitorSize(63)"));
}

TEST(ChipSettingsTest, PynnKeywordsAreFieldsWithUnderscores) {
  const std::string text = Settings(ChipTool::kPynn);
  EXPECT_TRUE(Has(text, "neuron = pynn.cells.HXNeuron("));
  EXPECT_TRUE(Has(text, "    leak_i_bias=100,")) << text;
  EXPECT_TRUE(Has(text, "    adaptation_i_bias_tau=120,"));
  EXPECT_TRUE(Has(text, "    membrane_capacitance_capacitance=63,"));
  EXPECT_TRUE(Has(text, "    refractory_period_input_clock=1,"));
  EXPECT_TRUE(Has(text, "    exponential_enable=True,"));
}

TEST(ChipSettingsTest, ACodeThatIsNoSettingIsRefused) {
  const std::uint16_t codes[] = {1023, 0, 0, 0, 0, 0, 0};
  EXPECT_FALSE(ChipSettings(ChipTool::kLola, BuiltInChipMapping("adex-paper").value(),
                            BuiltInProfile("adex-paper").value(), codes));
}

}  // namespace
}  // namespace inferon::cli
