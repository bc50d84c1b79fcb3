// Files of recordings that were damaged: refused with a message, or read as what they still are.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "common/base/files.h"
#include "common/recordings/recording_file.h"
#include "common/recordings/stimulus.h"
#include "tests/fuzz/mutate.h"
#include "tests/recordings/nwb_files.h"

namespace inferon {
namespace {

void ExpectConsistent(const Recording& recording) {
  const std::size_t samples = recording.time_ms.size();
  ASSERT_GE(samples, 2u);
  ASSERT_EQ(recording.voltage_mv.size(), samples);
  ASSERT_TRUE(recording.current_pa.empty() || recording.current_pa.size() == samples);
  for (std::size_t k = 0; k < samples; ++k) {
    ASSERT_TRUE(std::isfinite(recording.time_ms[k]) && std::isfinite(recording.voltage_mv[k]));
    ASSERT_TRUE(k == 0 || recording.time_ms[k] > recording.time_ms[k - 1]);
  }
  FindDoubts(recording);
  if (const Result<Stimulus> stimulus = FindStimulus(recording)) {
    EXPECT_LT(stimulus->step.window.start_ms, stimulus->step.window.stop_ms);
  }
}

std::string SmallTable() {
  std::string text = "time_ms,voltage_mV,current_pA\n";
  for (int k = 0; k < 20; ++k) text += fmt::format("{},{},{}\n", k, -70 + k, k < 10 ? 0 : 50);
  return text;
}

TEST(RecordingsFuzzTest, MutatedTablesAreRefusedOrConsistent) {
  int refused = 0;
  for (const bool resample : {false, true}) {
    const ReadOptions options{.max_samples = 1000, .resample = resample};
    fuzz::ForEachMutation(SmallTable(), 20'000, [&](const std::string& text) {
      const Result<Recording> recording = ParseRecording(text, options);
      if (recording) return ExpectConsistent(*recording);
      ++refused;
      EXPECT_FALSE(recording.error().message.empty());
      EXPECT_FALSE(recording.error().advice.empty());
    });
  }
  EXPECT_GT(refused, 10'000);
}

TEST(RecordingsFuzzTest, MutatedColumnTextsAreRefusedOrConsistent) {
  const std::string text = "0.000 -3.1 -69.0\n0.001 -3.2 -69.1\n0.002 -3.3 -69.2\n";
  fuzz::ForEachMutation(text, 20'000, [&](const std::string& mutated) {
    const auto recording = ParseRecording(mutated, {.columns = "time_s,current_pA,voltage_mV"});
    if (recording) ExpectConsistent(*recording);
  });
}

TEST(RecordingsFuzzTest, MutatedCommentsAndDecimalCommasAreRefusedOrConsistent) {
  const std::string text =
      "# cell 17\r\n\r\n% rig "
      "3\r\n\"time_ms\";\"voltage_mV\"\r\n0,5;-70,25\r\n1;-69\r\n1,5;-68,5\r\n\r\n";
  int read = 0;
  fuzz::ForEachMutation(text, 20'000, [&](const std::string& mutated) {
    const auto recording = ParseRecording(mutated, {.decimal_comma = true});
    if (recording) return ++read, ExpectConsistent(*recording);
    EXPECT_FALSE(recording.error().message.empty());
    EXPECT_FALSE(recording.error().advice.empty());
  });
  EXPECT_GT(read, 1'000);
}

class NwbFuzzTest : public ::testing::TestWithParam<int> {};

TEST_P(NwbFuzzTest, MutatedFilesAreRefusedOrConsistent) {
  TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "cell.nwb";
  testing::FileSpec spec = GetParam() == 1 ? testing::Nwb1() : testing::Nwb2();
  for (testing::SeriesSpec& series : spec.series) series.data.resize(64);
  spec.epochs = {{4, 0, 60}};
  spec.pairs = {{spec.series[0].path, spec.series[1].path}};
  testing::WriteHdf5(path, spec);
  const std::string whole = ReadFile(path).value();
  int refused = 0;
  fuzz::ForEachMutation(whole, 2'000, [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    const auto file = OpenRecording(path, {.max_samples = 100'000});
    if (!file) return (void)++refused;
    for (std::size_t i = 0; i < (*file)->sweeps().size(); ++i) {
      const Result<Recording> recording = (*file)->Read(i);
      if (recording) {
        ExpectConsistent(*recording);
      } else {
        EXPECT_FALSE(recording.error().message.empty());
      }
    }
  });
  EXPECT_GT(refused, 100);
}

INSTANTIATE_TEST_SUITE_P(Versions, NwbFuzzTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace inferon
