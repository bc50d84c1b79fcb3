// Real recordings against an independent oracle (numpy). They are not part of the project.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/neuron/recording.h"

namespace inferon {
namespace {

class RecordingOracleTest : public testing::Test {
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

TEST_F(RecordingOracleTest, CrossingsAgreeWithNumpy) {
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

TEST_F(RecordingOracleTest, StepIsFoundWhereTheCurrentIsKnown) {
  for (const auto& entry : reference_["recordings"]) {
    const Result<StepWindow> window = FindStep(Load(entry));
    if (!window) continue;
    EXPECT_NEAR(window->start_ms, entry["stim_on_ms"].get<double>(), 0.5) << entry["csv"];
    EXPECT_NEAR(window->stop_ms, entry["stim_off_ms"].get<double>(), 0.5) << entry["csv"];
  }
}

TEST_F(RecordingOracleTest, MapsToAProtocolOfItsOwnLengthWithAllSpikes) {
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
