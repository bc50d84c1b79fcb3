#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "common/base/files.h"
#include "common/neuron/observation.h"
#include "tests/cli/command_runner.h"
#include "tests/recordings/nwb_files.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;

// 300 ms before and after a step of 1000 ms with a spike every 100 ms.
std::string Csv() {
  std::string text = "time_ms,voltage_mV,current_pA\n";
  for (int i = 0; i < 3'200; ++i) {
    const double t = 0.5 * i;
    const bool inside = t >= 300 && t < 1'300;
    const bool spike = inside && std::fmod(t - 300, 100) >= 50 && std::fmod(t - 300, 100) < 52;
    text += fmt::format("{},{},{}\n", t, spike ? 20 : inside ? -55 : -70, inside ? 100 : 0);
  }
  return text;
}

TEST(RecordingCommandsTest, InfoFindsTheStepAndTheSpikes) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  const CommandResult result = runner.Run({"recording", "info", file, "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json info = nlohmann::json::parse(result.out);
  EXPECT_EQ(info.at("samples"), 3200);
  EXPECT_EQ(info.at("spikes"), 10);
  EXPECT_EQ(info.at("step").at("spikes"), 10);
  EXPECT_NEAR(info.at("step").at("start_ms").get<double>(), 300, 1);
  EXPECT_NEAR(info.at("step").at("stop_ms").get<double>(), 1300, 1);
}

TEST(RecordingCommandsTest, FeaturesAreAtTheNativeRateAndInMillivolts) {
  CommandRunner runner;
  const CommandResult result =
      runner.Run({"recording", "features", runner.Write("r.csv", Csv()), "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("features").at("spike_count"), 10);
  EXPECT_NEAR(json.at("features").at("latency_ms").get<double>(), 50, 1.5);
  EXPECT_EQ(json.at("features").at("peak_mv"), 20);
  EXPECT_TRUE(json.at("features").at("sag").is_null()) << "missing is null";
  EXPECT_EQ(json.at("spike_times_ms").size(), 10u);
  EXPECT_EQ(json.at("step").at("amplitude_pa"), 100);
}

TEST(RecordingCommandsTest, MissingIsAWordInTheTable) {
  CommandRunner runner;
  const CommandResult result =
      runner.Run({"recording", "features", runner.Write("r.csv", Csv()), "--features", "sag,rate"});
  EXPECT_THAT(result.out, HasSubstr("missing"));
  EXPECT_THAT(result.out, HasSubstr("rate_hz"));
  EXPECT_EQ(result.out.find("latency"), std::string::npos);
  EXPECT_EQ(runner.Run({"recording", "features", runner.Write("r.csv", Csv()), "--features", "x"})
                .exit_code,
            kUsage);
}

TEST(RecordingCommandsTest, ChipFeaturesAreInChipTime) {
  CommandRunner runner;
  const CommandResult result =
      runner.Run({"recording", "features", runner.Write("r.csv", Csv()), "--chip", "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json features = nlohmann::json::parse(result.out).at("features");
  EXPECT_EQ(features.at("spike_count"), 10);
  EXPECT_NEAR(features.at("latency_us").get<double>(), 50, 1.5);
  EXPECT_NEAR(features.at("mean_isi_us").get<double>(), 100, 1);
}

struct BadRecording {
  const char* text;
  const char* message;
};

class BadRecordingTest : public ::testing::TestWithParam<BadRecording> {};

TEST_P(BadRecordingTest, IsNamedAndExitsWithUsage) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", GetParam().text);
  for (const char* command : {"info", "features"}) {
    const CommandResult result = runner.Run({"recording", command, file});
    EXPECT_EQ(result.exit_code, kUsage);
    EXPECT_THAT(result.err, HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRecordingTest,
    ::testing::Values(BadRecording{"", "inferon: "}, BadRecording{"a,b\n1,2\n", "inferon: "},
                      BadRecording{"time_ms,voltage_mV\n0,-70\n1,nan\n", "row"},
                      BadRecording{"time_ms,voltage_mV\n1,-70\n0,-70\n", "row"}));

TEST(RecordingCommandsTest, WithoutAKnownStepTheWholeRecordingIsLookedAtAndSaid) {
  CommandRunner runner;
  const std::string file =
      runner.Write("r.csv", "time_ms,voltage_mV\n0,-70\n1,-70\n2,-70\n3,-70\n");
  EXPECT_EQ(runner.Run({"recording", "info", file}).exit_code, kOk);
  const CommandResult result = runner.Run({"recording", "features", file, "--json"});
  EXPECT_EQ(result.exit_code, kOk);
  EXPECT_THAT(result.err, HasSubstr("--step-window"));
  EXPECT_TRUE(nlohmann::json::parse(result.out).at("features").at("latency_ms").is_null());
  const CommandResult chip = runner.Run({"recording", "features", file, "--chip"});
  EXPECT_EQ(chip.exit_code, kUsage);
  EXPECT_THAT(chip.err, HasSubstr("--step-window"));
  EXPECT_EQ(runner.Run({"recording", "features", file, "--step-window", "1,9"}).exit_code, kUsage);
}

TEST(RecordingCommandsTest, AColumnOfNanIsNoCurrent) {
  CommandRunner runner;
  const std::string file =
      runner.Write("r.csv", "time_ms,voltage_mV,current_pA\n0,-70,nan\n1,-70,nan\n2,-70,nan\n");
  const CommandResult result = runner.Run({"recording", "info", file, "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out).at("current"), false);
}

TEST(RecordingCommandsTest, OptionsOfTheChipsViewNeedIt) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  const CommandResult refused = runner.Run({"recording", "features", file, "--map", "2,450"});
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr("--chip"));
  EXPECT_EQ(runner.Run({"recording", "features", file, "--map", "2,450", "--chip"}).exit_code, kOk);
}

TEST(RecordingCommandsTest, TextColumnsNeedTheirUnits) {
  CommandRunner runner;
  const std::string file = runner.Write("r.txt", "0 -70\n1 -70\n2 -70\n");
  const CommandResult refused = runner.Run({"recording", "features", file});
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr("--columns time_ms,voltage_mV"));
  EXPECT_EQ(
      runner.Run({"recording", "features", file, "--columns", "time_ms,voltage_mV"}).exit_code,
      kOk);
  EXPECT_EQ(
      runner.Run({"recording", "features", file, "--columns", "time,voltage", "--units", "ms,mV"})
          .exit_code,
      kOk);
}

TEST(RecordingCommandsTest, ConvertedSweepIsTheSameRecording) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  const std::string out = (runner.folder() / "out.csv").string();
  ASSERT_EQ(runner.Run({"recording", "convert", file, "--out", out}).exit_code, kOk);
  EXPECT_EQ(ReadFile(out).value(), Csv());
}

TEST(RecordingCommandsTest, ConvertToTheChipWritesAFrameWithProvenance) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  const std::string out = (runner.folder() / "out.obs").string();
  const CommandResult result =
      runner.Run({"recording", "convert", file, "--chip", "--map", "2,450", "--out", out});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const ObservationBatch batch = DecodeObservations(ReadFile(out).value()).value();
  EXPECT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch.spike_count[0], 10u);
  const auto provenance = nlohmann::json::parse(batch.provenance);
  EXPECT_EQ(provenance.at("map").at("gain_counts_per_mv"), 2);
  EXPECT_EQ(provenance.at("us_per_ms"), 1);
  EXPECT_EQ(provenance.at("sweep"), "r.csv");
}

TEST(RecordingCommandsTest, PlotWritesAPictureWithTheStepAndTheSpikes) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  const std::string out = (runner.folder() / "out.svg").string();
  ASSERT_EQ(runner.Run({"recording", "plot", file, "--out", out}).exit_code, kOk);
  const std::string svg = ReadFile(out).value();
  EXPECT_THAT(svg, HasSubstr("voltage (mV)"));
  EXPECT_THAT(svg, HasSubstr("current (pA)"));
  EXPECT_THAT(svg, HasSubstr("10 spikes in it"));
  const CommandResult refused =
      runner.Run({"recording", "plot", file, "--out", (runner.folder() / "out.gif").string()});
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr(".svg"));
}

// A file of three sweeps: 4 with a step, 5 with a ramp, 6 in voltage clamp.
std::string NwbFile(const CommandRunner& runner) {
  using inferon::testing::SeriesSpec;
  inferon::testing::FileSpec spec = inferon::testing::Nwb2();
  for (const int number : {5, 6}) {
    for (SeriesSpec series : inferon::testing::Nwb2().series) {
      series.path.replace(series.path.size() - 1, 1, std::to_string(number));
      series.sweep_number = number;
      const bool stimulus = series.type == "CurrentClampStimulusSeries";
      for (std::size_t k = 1000; stimulus && k < 4000; ++k) {
        series.data[k] = 1e-13 * static_cast<double>(k - 1000);
      }
      if (number == 6 && !stimulus) series.type = "VoltageClampSeries";
      spec.series.push_back(series);
    }
  }
  const std::filesystem::path path = runner.folder() / "cell.nwb";
  inferon::testing::WriteHdf5(path, spec);
  return path.string();
}

TEST(RecordingCommandsTest, OfAFileWithSweepsThoseWithAStepAreTakenAndTheOthersNamed) {
  CommandRunner runner;
  const CommandResult result =
      runner.Run({"recording", "features", NwbFile(runner), "--features", "twelve", "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json.at("sweeps").size(), 1u);
  EXPECT_EQ(json.at("sweeps")[0].at("sweep"), "CurrentClampSeries_04");
  EXPECT_EQ(json.at("sweeps")[0].at("features").at("spike_count"), 6);
  ASSERT_EQ(json.at("skipped").size(), 2u);
  EXPECT_THAT(json.at("skipped")[0].at("reason").get<std::string>(), HasSubstr("is no step"));
  EXPECT_THAT(json.at("skipped")[1].at("reason").get<std::string>(), HasSubstr("VoltageClamp"));
  const CommandResult table = runner.Run({"recording", "info", NwbFile(runner)});
  EXPECT_THAT(table.out, HasSubstr("100 to 400 ms"));
  EXPECT_THAT(table.out, HasSubstr("is no step"));
}

TEST(RecordingCommandsTest, DoubtsAreSaidOfEverySweep) {
  CommandRunner runner;
  inferon::testing::FileSpec spec = inferon::testing::Nwb2();
  inferon::testing::SeriesSpec other = spec.series[0];
  other.path = "/acquisition/CurrentClampSeries_05", other.sweep_number = 5;
  for (double& volts : other.data) volts /= 1000;  // Not volts, then.
  spec.series.push_back(other);
  const std::filesystem::path path = runner.folder() / "cell.nwb";
  inferon::testing::WriteHdf5(path, spec);
  const CommandResult result = runner.Run({"recording", "info", path.string()});
  EXPECT_THAT(result.err, HasSubstr("CurrentClampSeries_05: the voltage stays between"));
  EXPECT_EQ(result.err.find("CurrentClampSeries_04: the voltage stays between"), std::string::npos);
}

TEST(RecordingCommandsTest, ASweepOfAFileIsChosenByNumberAndPlottedOrConverted) {
  CommandRunner runner;
  const std::string file = NwbFile(runner), picture = (runner.folder() / "p.svg").string();
  const CommandResult which = runner.Run({"recording", "plot", file, "--out", picture});
  EXPECT_EQ(which.exit_code, kUsage);
  EXPECT_THAT(which.err, HasSubstr("--sweep N"));
  EXPECT_EQ(runner.Run({"recording", "plot", file, "--sweep", "4", "--out", picture}).exit_code,
            kOk);
  const std::string folder = (runner.folder() / "all").string();
  ASSERT_EQ(
      runner.Run({"recording", "convert", file, "--sweep", "all-steps", "--out", folder}).exit_code,
      kOk);
  const std::string converted = folder + "/CurrentClampSeries_04.csv";
  const CommandResult again = runner.Run({"recording", "info", converted, "--json"});
  EXPECT_EQ(nlohmann::json::parse(again.out).at("step").at("spikes"), 6);
}

TEST(RecordingCommandsTest, DecimalCommasNeedTheirOption) {
  CommandRunner runner;
  const std::string file =
      runner.Write("r.csv", "time_ms;voltage_mV\n0,0;-70,5\n0,1;-70,4\n0,2;-70,5\n");
  const CommandResult refused = runner.Run({"recording", "info", file});
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr("--decimal-comma"));
  EXPECT_EQ(runner.Run({"recording", "info", file, "--decimal-comma"}).exit_code, kOk);
}

TEST(RecordingCommandsTest, LimitOfSamplesIsConfigurable) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  EXPECT_EQ(runner.Run({"recording", "info", file, "--max-samples", "3200"}).exit_code, kOk);
  const CommandResult refused = runner.Run({"recording", "info", file, "--max-samples", "3199"});
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr("--max-samples"));
}

TEST(RecordingCommandsTest, MissingFileIsNamed) {
  CommandRunner runner;
  const CommandResult result = runner.Run({"recording", "info", "/nonexistent.csv"});
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, HasSubstr("/nonexistent.csv"));
}

}  // namespace
}  // namespace inferon::cli
