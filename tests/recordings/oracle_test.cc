// Real recordings against an independent oracle (numpy). They are not part of the project.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/recordings/mapping.h"
#include "common/recordings/recording_file.h"
#include "common/recordings/stimulus.h"

namespace inferon {
namespace {

class RecordingsOracleTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("INFERON_TEST_DATA");
    if (data == nullptr) GTEST_SKIP() << "INFERON_TEST_DATA is not set: no real recordings";
    folder_ = std::filesystem::path(data) / "recordings";
    if (!std::filesystem::exists(folder_ / "reference.json")) {
      GTEST_SKIP() << folder_ << " has no reference.json: no real recordings";
    }
    reference_ = nlohmann::json::parse(ReadFile(folder_ / "reference.json").value());
  }

  Recording Load(const nlohmann::json& entry) const {
    return LoadRecording(folder_ / entry["csv"].get<std::string>()).value();
  }

  std::filesystem::path folder_;
  nlohmann::json reference_;
};

TEST_F(RecordingsOracleTest, CrossingsAgreeWithNumpy) {
  int compared = 0;
  for (const auto& entry : reference_["recordings"]) {
    const auto& oracle = entry["numpy_threshold_minus20"];
    const std::vector<double> times = SpikeTimes(Load(entry), -20);
    ASSERT_EQ(times.size(), oracle["count_whole_trace"].get<std::size_t>()) << entry["csv"];
    const double on = entry["stim_on_ms"], off = entry["stim_off_ms"];
    std::size_t in_step = 0;
    double first = -1;
    for (const double time : times) {
      if (time < on || time >= off) continue;
      if (in_step++ == 0) first = time - on;
    }
    EXPECT_EQ(in_step, oracle["count_in_step"].get<std::size_t>()) << entry["csv"];
    // The oracle is rounded to 0.1 us.
    EXPECT_NEAR(first, oracle["first_spike_latency_ms"].get<double>(), 1e-3) << entry["csv"];
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

TEST_F(RecordingsOracleTest, StepIsFoundWhereTheCurrentIsKnown) {
  for (const auto& entry : reference_["recordings"]) {
    const Result<StepWindow> window = FindStep(Load(entry));
    if (!window) continue;
    // Well below the 0.2 ms that latencies are compared to.
    EXPECT_NEAR(window->start_ms, entry["stim_on_ms"].get<double>(), 0.15) << entry["csv"];
    EXPECT_NEAR(window->stop_ms, entry["stim_off_ms"].get<double>(), 0.15) << entry["csv"];
    const Stimulus stimulus = FindStimulus(Load(entry)).value();
    EXPECT_NEAR(stimulus.step.amplitude_pa, entry["step_pA"].get<double>(), 0.3) << entry["csv"];
  }
}

TEST_F(RecordingsOracleTest, NwbSweepsAreTheCsvMadeFromThem) {
  const auto file =
      OpenRecording(folder_ / "lantyer2018/LantyerEtAl2018_180817_ME_9_CC.nwb").value();
  EXPECT_EQ(file->format(), "NWB 2");
  EXPECT_EQ(file->sweeps().size(), 10u);
  for (const char* sweep : {"04", "06", "10"}) {
    const Recording nwb =
        file->Read(FindSweep(*file, fmt::format("CurrentClampSeries_{}", sweep)).value()).value();
    const Recording csv =
        LoadRecording(folder_ / fmt::format("lantyer2018/180817_ME_9_CC_sweep{}.csv", sweep))
            .value();
    ASSERT_EQ(nwb.time_ms.size(), csv.time_ms.size());
    for (std::size_t k = 0; k < csv.time_ms.size(); ++k) {
      ASSERT_NEAR(nwb.time_ms[k], csv.time_ms[k], 1e-6);
      ASSERT_NEAR(nwb.voltage_mv[k], csv.voltage_mv[k], 1e-3);
      ASSERT_NEAR(nwb.current_pa[k], csv.current_pa[k], 1e-2);
    }
  }
}

TEST_F(RecordingsOracleTest, TextColumnsAreTheCsvMadeFromThem) {
  const ReadOptions milli{.columns = "time_ms,voltage_mV"};
  const ReadOptions other{.columns = "time,current,voltage", .units = "s,pA,mV"};
  for (const auto& [text, options] : {std::pair{"testdata", milli}, {"current", other}}) {
    EXPECT_FALSE(LoadRecording(folder_ / fmt::format("efel/{}.txt", text))) << "units not known";
    const Recording read =
        LoadRecording(folder_ / fmt::format("efel/{}.txt", text), options).value();
    const Recording csv = LoadRecording(folder_ / fmt::format("efel/{}.csv", text)).value();
    const std::size_t samples = std::min(read.time_ms.size(), csv.time_ms.size());
    EXPECT_GT(samples, 10'000u);
    for (std::size_t k = 0; k < samples; ++k) {
      ASSERT_NEAR(read.time_ms[k], csv.time_ms[k], 1e-2);
      ASSERT_NEAR(read.voltage_mv[k], csv.voltage_mv[k], 1e-2);
    }
  }
}

TEST_F(RecordingsOracleTest, FilesOfOtherFormatsAreRefusedWithWhatIsSupported) {
  for (const char* name : {"bluepyefe/B6_Ch3_IDRest_181.ibw", "pyabf/171116sh_0018.abf"}) {
    const auto refused = OpenRecording(folder_ / name);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().advice.find("NWB"), std::string::npos);
  }
}

TEST_F(RecordingsOracleTest, MapsToAProtocolOfItsOwnLengthWithAllSpikes) {
  const Profile profile = BuiltInProfile("adex-paper").value();
  for (const auto& entry : reference_["recordings"]) {
    const double on = entry["stim_on_ms"], off = entry["stim_off_ms"];
    const Protocol protocol{{{100, 100 + off - on, 1}}, 200 + off - on, 1};
    const auto mapped =
        MapRecording(Load(entry), profile, protocol, {.window = StepWindow{on, off}});
    ASSERT_TRUE(mapped) << entry["csv"] << mapped.error().Text();
    std::size_t in_step = 0;
    for (const float time : mapped->observation.spike_time_us) {
      if (time >= 100 && time < 100 + off - on) ++in_step;
    }
    EXPECT_EQ(in_step, entry["numpy_threshold_minus20"]["count_in_step"].get<std::size_t>())
        << entry["csv"];
    for (const float counts : mapped->observation.trace) {
      ASSERT_GE(counts, profile.madc_min);
      ASSERT_LE(counts, 650);
    }
  }
}

}  // namespace
}  // namespace inferon
