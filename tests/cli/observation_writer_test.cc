#include "client/cli/observation_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/files.h"
#include "common/features/features.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const Protocol kProtocol{.steps = {{2, 8, 1}}, .duration_us = 10, .grid_step_us = 1};

ObservationBatch TwoObservations() {
  ObservationBatch batch;
  batch.points = 10;
  batch.trace.assign(20, 300);
  batch.spike_count = {1, 0};
  batch.spike_time_us = {3.5f};
  return batch;
}

TEST(ObservationWriterTest, CsvHoldsTracesSpikesAndFeatures) {
  const TemporaryFolder folder;
  const auto writer = MakeCsvWriter(folder.path(), kProtocol);
  writer->Append(40, TwoObservations(), kProtocol);
  EXPECT_EQ(writer->Close().size(), 3u);
  EXPECT_THAT(*ReadFile(folder.path() / "traces.csv"),
              StartsWith("experiment,0,1,2,3,4,5,6,7,8,9\n40,300,300,"));
  EXPECT_EQ(*ReadFile(folder.path() / "spikes.csv"), "experiment,spike_time_us\n40,3.5\n");
  // Without a spike there is no latency: the cell is empty.
  EXPECT_THAT(*ReadFile(folder.path() / "features.csv"), HasSubstr("\n41,0,,"));
}

TEST(ObservationWriterTest, NpyHoldsOneRowAnExperiment) {
  const TemporaryFolder folder;
  const auto writer = MakeNpyWriter(folder.path(), 10);
  writer->Append(0, TwoObservations(), kProtocol);
  writer->Append(2, TwoObservations(), kProtocol);
  EXPECT_EQ(writer->Close().size(), 5u);
  const auto read = [&](const char* name) { return *ReadFile(folder.path() / name); };
  EXPECT_THAT(read("traces.npy"), HasSubstr("'<u2', 'fortran_order': False, 'shape': (4, 10,)"));
  EXPECT_EQ(read("traces.npy").size(), 256u + 4 * 10 * 2);
  EXPECT_EQ(read("features.npy").size(), 256u + 4 * kFeatureCount * 4);
  EXPECT_EQ(read("index.npy").size(), 256u + 4 * 8);
  EXPECT_EQ(read("spikes.npy").size(), 256u + 2 * 4);
}

TEST(ObservationWriterTest, ProtocolIsReadFromTheProvenance) {
  const auto protocol =
      ProtocolOf(R"({"protocol":{"steps":[[2,8,1]],"duration_us":10,"grid_step_us":1},"seed":3})");
  ASSERT_TRUE(protocol);
  EXPECT_EQ(*protocol, kProtocol);
  for (const char* text :
       {"", "{}", "3", R"({"protocol":3})",
        R"({"protocol":{"steps":[[8,2,1]],"duration_us":10,"grid_step_us":1}})"}) {
    EXPECT_FALSE(ProtocolOf(text)) << text;
  }
}

}  // namespace
}  // namespace inferon::cli
