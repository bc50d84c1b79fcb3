// Real recordings against IPFX, eFEL and plain crossings. They are not part of the project.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/features/catalogue.h"
#include "common/features/recording_features.h"
#include "common/recordings/stimulus.h"
#include "common/recordings/text_reader.h"

namespace inferon {
namespace {

class RecordingFeaturesOracleTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("INFERON_TEST_DATA");
    if (data == nullptr) GTEST_SKIP() << "INFERON_TEST_DATA is not set: no real recordings";
    folder_ = std::filesystem::path(data) / "recordings";
    if (!std::filesystem::exists(folder_ / "reference.json")) {
      GTEST_SKIP() << folder_ << " has no reference.json: no real recordings";
    }
    reference_ = nlohmann::json::parse(ReadFile(folder_ / "reference.json").value())["recordings"];
  }

  Recording Load(const nlohmann::json& entry) const {
    return LoadTable(folder_ / entry["csv"].get<std::string>()).value();
  }

  static RecordingFeatures Extract(const Recording& recording, const nlohmann::json& entry,
                                   SpikeSettings settings = {}) {
    return ExtractRecordingFeatures({recording.time_ms, recording.voltage_mv},
                                    Window{entry["stim_on_ms"], entry["stim_off_ms"]}, settings);
  }

  static double Get(const RecordingFeatures& features, std::string_view name) {
    return features.values.at(FindFeature(name).value());
  }

  // Mean of an oracle's list without its nulls; NaN where there is none.
  static double MeanOf(const nlohmann::json& list) {
    double sum = 0;
    int count = 0;
    for (const auto& value : list) {
      if (!value.is_number()) continue;
      sum += value.get<double>(), ++count;
    }
    return count == 0 ? NAN : sum / count;
  }

  std::filesystem::path folder_;
  nlohmann::json reference_;
};

void ExpectWithin(double ours, const nlohmann::json& oracle, double tolerance,
                  const std::string& what) {
  if (oracle.is_null()) return;
  EXPECT_NEAR(ours, oracle.get<double>(), tolerance) << what;
}

std::string Show(double value) {
  if (std::isnan(value)) return "missing";
  const double rounded = std::round(1000 * value) / 1000;
  return fmt::format("{:.3f}", rounded == 0 ? 0 : rounded);
}

TEST_F(RecordingFeaturesOracleTest, AgreesWithIpfxAndPrintsTheTable) {
  fmt::print(
      "| recording | spikes | in IPFX | latency - IPFX (ms) | mean ISI (%) | ISI CV (%) | "
      "peak (mV) | fast trough (mV) | width (%) |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (const auto& entry : reference_) {
    const std::string name = entry["csv"];
    const auto& ipfx = entry["ipfx_c607a36"];
    const RecordingFeatures ours = Extract(Load(entry), entry);
    EXPECT_EQ(ours.spikes.size(), ipfx["n_spikes"].get<std::size_t>()) << name;
    const double latency = Get(ours, "latency") - 1000 * ipfx["latency"].get<double>();
    const double isi = Get(ours, "mean_isi") / (1000 * ipfx["mean_isi"].get<double>()) - 1;
    const double cv = Get(ours, "isi_cv") / ipfx["isi_cv"].get<double>() - 1;
    const double peak = Get(ours, "peak") - MeanOf(ipfx["peak_v"]);
    const double fast = Get(ours, "fast_trough") - MeanOf(ipfx["fast_trough_v"]);
    const double width = Get(ours, "width") / (1000 * MeanOf(ipfx["width"])) - 1;
    fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", name, ours.spikes.size(),
               ipfx["n_spikes"].get<int>(), Show(latency), Show(100 * isi), Show(100 * cv),
               Show(peak), Show(fast), Show(100 * width));
    EXPECT_NEAR(latency, 0, 0.2) << name;
    EXPECT_NEAR(isi, 0, 0.01) << name;
    if (ours.spikes.size() > 2) {
      EXPECT_NEAR(cv, 0, 0.01) << name;
    } else {
      EXPECT_TRUE(std::isnan(Get(ours, "isi_cv"))) << "undefined below 3 spikes";
    }
    EXPECT_NEAR(peak, 0, 0.5) << name;
    EXPECT_NEAR(fast, 0, 1) << name;
    EXPECT_NEAR(width, 0, 0.1) << name;
  }
}

TEST_F(RecordingFeaturesOracleTest, StepFoundInTheCurrentServesAsWellAsTheGivenOne) {
  int found = 0;
  for (const auto& entry : reference_) {
    const std::string name = entry["csv"];
    const auto& ipfx = entry["ipfx_c607a36"];
    const Recording recording = Load(entry);
    const Result<StepWindow> step = FindStep(recording);
    if (!step) continue;
    ++found;
    const RecordingFeatures ours = ExtractRecordingFeatures(
        {recording.time_ms, recording.voltage_mv}, Window{step->start_ms, step->stop_ms}, {});
    EXPECT_EQ(ours.spikes.size(), ipfx["n_spikes"].get<std::size_t>()) << name;
    EXPECT_NEAR(Get(ours, "latency"), 1000 * ipfx["latency"].get<double>(), 0.2) << name;
    EXPECT_NEAR(Get(ours, "fast_trough"), MeanOf(ipfx["fast_trough_v"]), 1) << name;
  }
  EXPECT_GE(found, 13);
}

TEST_F(RecordingFeaturesOracleTest, FurtherFeaturesAgreeWithIpfx) {
  for (const auto& entry : reference_) {
    const std::string name = entry["csv"];
    const auto& ipfx = entry["ipfx_c607a36"];
    const RecordingFeatures ours = Extract(Load(entry), entry);
    ASSERT_EQ(ours.spikes.size(), ipfx["n_spikes"].get<std::size_t>()) << name;
    EXPECT_NEAR(Get(ours, "threshold"), MeanOf(ipfx["threshold_v"]), 0.05) << name;
    EXPECT_NEAR(Get(ours, "trough"), MeanOf(ipfx["trough_v"]), 0.05) << name;
    EXPECT_NEAR(Get(ours, "max_upstroke") / MeanOf(ipfx["upstroke"]), 1, 1e-3) << name;
    EXPECT_NEAR(Get(ours, "max_downstroke") / MeanOf(ipfx["downstroke"]), 1, 1e-3) << name;
    EXPECT_NEAR(Get(ours, "median_isi"), 1000 * ipfx["median_isi"].get<double>(), 0.01) << name;
    EXPECT_NEAR(Get(ours, "first_isi"), 1000 * ipfx["first_isi"].get<double>(), 0.01) << name;
    // IPFX's rate leaves out a spike whose threshold lies before the step, its count does not.
    const bool early = Get(ours, "latency") < 0;
    const double length_s =
        (entry["stim_off_ms"].get<double>() - entry["stim_on_ms"].get<double>()) / 1000;
    EXPECT_NEAR(Get(ours, "rate"), ipfx["avg_rate"].get<double>() + (early ? 1 / length_s : 0),
                1e-6)
        << name;
    ExpectWithin(Get(ours, "adaptation_index"), ipfx["adapt"], 1e-4, name);
    for (std::size_t i = 0; i < ours.spikes.size(); ++i) {
      const auto& slow = ipfx["slow_trough_v"][i];
      const auto& at = ours.shapes[i].slow_trough;
      EXPECT_EQ(at.has_value(), slow.is_number()) << name << " spike " << i;
    }
  }
}

TEST_F(RecordingFeaturesOracleTest, CrossingsAgreeWithNumpy) {
  for (const auto& entry : reference_) {
    const auto& numpy = entry["numpy_threshold_minus20"];
    const RecordingFeatures ours =
        Extract(Load(entry), entry, {.method = SpikeMethod::kCrossing, .crossing_level = -20});
    ASSERT_EQ(ours.spikes.size(), numpy["count_in_step"].get<std::size_t>()) << entry["csv"];
    EXPECT_EQ(ours.spikes.size() + ours.before.size() + ours.after.size(),
              numpy["count_whole_trace"].get<std::size_t>())
        << entry["csv"];
    EXPECT_NEAR(Get(ours, "latency"), numpy["first_spike_latency_ms"].get<double>(), 1e-3);
    EXPECT_NEAR(Get(ours, "mean_isi"), numpy["isi_mean_ms"].get<double>(), 1e-3);
  }
}

TEST_F(RecordingFeaturesOracleTest, SharedDefinitionsAgreeWithEfel) {
  for (const auto& entry : reference_) {
    const std::string name = entry["csv"];
    const auto& efel = entry["efel_5.7.13"];
    const RecordingFeatures ours = Extract(Load(entry), entry);
    EXPECT_EQ(ours.spikes.size(), efel["spike_count_stimint"][0].get<std::size_t>()) << name;
    EXPECT_NEAR(Get(ours, "steady_voltage"), MeanOf(efel["steady_state_voltage_stimend"]), 0.05)
        << name;
    // eFEL's means go over all spikes of the recording, also those outside the step.
    if (!ours.before.empty() || !ours.after.empty()) continue;
    // eFEL looks for the trough in another interval where spikes follow each other closely.
    EXPECT_NEAR(Get(ours, "half_width") / MeanOf(efel["spike_half_width"]), 1, 0.12) << name;
    // eFEL interpolates to 0.1 ms first, which cuts peaks that were sampled faster.
    if (entry["sampling_kHz"].get<double>() > 10) continue;
    EXPECT_NEAR(Get(ours, "peak"), MeanOf(efel["peak_voltage"]), 0.5) << name;
  }
}

// eFEL's own test: the recording of testdata, interpolated to 0.1 ms.
TEST_F(RecordingFeaturesOracleTest, TestdataAgreesWithEfelsExpectedResults) {
  const auto expected =
      nlohmann::json::parse(ReadFile(folder_ / "efel/expectedresults.json").value());
  const Recording recording = LoadTable(folder_ / "efel/testdata.csv").value();
  const RecordingFeatures ours =
      ExtractRecordingFeatures({recording.time_ms, recording.voltage_mv}, Window{700, 2700}, {});
  ASSERT_EQ(ours.spikes.size(), expected["spike_count"][0].get<std::size_t>());
  std::vector<double> peaks, intervals;
  for (std::size_t i = 0; i < ours.spikes.size(); ++i) {
    peaks.push_back(recording.time_ms[ours.spikes[i].peak]);
    EXPECT_NEAR(peaks[i], expected["peak_time"][i].get<double>(), 0.3);
    EXPECT_NEAR(recording.voltage_mv[ours.spikes[i].peak],
                expected["peak_voltage"][i].get<double>(), 0.3);
  }
  for (std::size_t i = 0; i + 1 < peaks.size(); ++i) {
    intervals.push_back(peaks[i + 1] - peaks[i]);
    EXPECT_NEAR(intervals[i], expected["all_ISI_values"][i].get<double>(), 0.5);
  }
  // eFEL leaves out the first interval.
  EXPECT_NEAR(LogSlope(std::span(intervals).subspan(1)), expected["ISI_log_slope"][0].get<double>(),
              0.005);
  EXPECT_NEAR(Get(ours, "steady_voltage"),
              expected["steady_state_voltage_stimend"][0].get<double>(), 0.01);
  EXPECT_NEAR(Get(ours, "baseline"), expected["voltage_base"][0].get<double>(), 0.1);
  EXPECT_NEAR(Get(ours, "half_width"), MeanOf(expected["spike_half_width"]), 0.05);
  EXPECT_NEAR(Get(ours, "time_to_last_spike"), expected["time_to_last_spike"][0].get<double>(), 4)
      << "ours is at the threshold, eFEL's at the peak";
  EXPECT_NEAR(Get(ours, "peak_drop"), expected["amp_drop_first_last"][0].get<double>(), 0.2);
}

}  // namespace
}  // namespace inferon
