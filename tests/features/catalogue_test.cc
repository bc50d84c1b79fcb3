#include "common/features/catalogue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "common/base/files.h"
#include "common/features/features.h"
#include "tests/paths.h"

namespace inferon {
namespace {

TEST(CatalogueTest, BeginsWithTheTwelveInTheirOrder) {
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    EXPECT_EQ(FeatureNameWithUnit(FeatureCatalogue()[i], UnitSystem::kChip),
              FeatureName(static_cast<Feature>(i)));
  }
}

TEST(CatalogueTest, NamesAreDistinctAndFoundWithAndWithoutUnit) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < FeatureCatalogue().size(); ++i) {
    const FeatureInfo& info = FeatureCatalogue()[i];
    EXPECT_TRUE(names.insert(std::string(info.name)).second) << info.name;
    EXPECT_EQ(FindFeature(info.name), i);
    EXPECT_EQ(FindFeature(FeatureNameWithUnit(info, UnitSystem::kRecording)), i);
    EXPECT_EQ(FindFeature(FeatureNameWithUnit(info, UnitSystem::kChip)), i);
    EXPECT_FALSE(info.definition.empty());
    EXPECT_FALSE(info.source.empty());
  }
  EXPECT_FALSE(FindFeature("latency_furlongs"));
}

TEST(CatalogueTest, EachFeatureIsDocumentedWithDefinitionSourceAndSpikes) {
  const std::string page =
      ReadFile(std::filesystem::path(INFERON_SOURCE_DIR) / "docs/features.md").value();
  for (const FeatureInfo& info : FeatureCatalogue()) {
    const auto unit = UnitOf(info.quantity, UnitSystem::kRecording);
    const std::string row = fmt::format("| `{}` | {} | {} | {} | {} |", info.name, unit,
                                        info.definition, info.least_spikes, info.source);
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace inferon
