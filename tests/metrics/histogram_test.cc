#include "common/metrics/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace inferon {
namespace {

TEST(HistogramTest, AValueCountsInTheFirstBucketThatHoldsIt) {
  Histogram histogram({1, 2, 4});
  for (const double value : {0.5, 1.0, 1.5, 4.0, 5.0}) histogram.Observe(value);
  const Histogram::Snapshot read = histogram.Read();
  EXPECT_EQ(read.counts, (std::vector<std::uint64_t>{2, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(read.sum, 12);
}

TEST(HistogramTest, BoundsAscend) {
  for (const auto& bounds : {TimeBounds(), CountBounds()}) {
    EXPECT_TRUE(std::is_sorted(bounds.begin(), bounds.end()));
  }
}

}  // namespace
}  // namespace inferon
