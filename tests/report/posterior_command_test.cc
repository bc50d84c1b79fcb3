#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

#include "common/rpc/convert.h"
#include "tests/report/command_line_fixture.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PosteriorCommandTest : public CommandLineFixture {
 protected:
  // A cell at -70 mV that fires every 50 ms during a step from 300 ms on; 2.5 s at 2 kHz.
  std::string WriteRecording(double step_ms, const std::string& name = "recording.csv") {
    std::string csv = "time_ms,voltage_mV,current_pA\n";
    for (int i = 0; i < 5000; ++i) {
      const double t = i * 0.5;
      const bool on = t >= 300 && t < 300 + step_ms;
      const bool spike = on && std::fmod(t - 300, 50) >= 40 && std::fmod(t - 300, 50) < 42;
      csv += fmt::format("{},{},{}\n", t, spike ? 20.0 : on ? -60.0 : -70.0, on ? 100.0 : 0.0);
    }
    WriteFileAtomically(Path(name), csv);
    return Path(name);
  }
  std::string Codes(const std::string& text) {
    WriteFileAtomically(Path("codes.csv"), text);
    return Path("codes.csv");
  }
};

TEST_F(PosteriorCommandTest, ARecordedTraceIsMappedAndAnswered) {
  Start({.warning = "the observation lies outside the training data"});
  const Outcome run = Run({"posterior", "sample", "--observation", WriteRecording(1000), "--draws",
                           "50", "--seed", "3", "--out", Path("draws.csv")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("MEDIAN"));
  EXPECT_THAT(run.out, HasSubstr("delta_t"));
  EXPECT_THAT(run.err, HasSubstr("Map: counts = "));
  EXPECT_THAT(run.err, HasSubstr("warning: the observation lies outside the training data."));
  EXPECT_EQ(trainer_->observed().trace().shape(0), 1400u);
  EXPECT_EQ(trainer_->observed().spike_times().shape(0), 20u);
  const std::string draws = *ReadFile(Path("draws.csv"));
  EXPECT_THAT(draws, HasSubstr("g_l,v_t,delta_t,v_r,a,b,g_tau_w,log_density\n93,110,"));
  EXPECT_EQ(std::count(draws.begin(), draws.end(), '\n'), 51);
}

TEST_F(PosteriorCommandTest, JsonHasTheSpreadOfEveryParameter) {
  Start();
  const Outcome run = Run({"--json", "posterior", "sample", "--observation", WriteRecording(1000),
                           "--out", Path("draws.npy")});
  ASSERT_EQ(run.code, 0) << run.err;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["model"], "models/demo-summary");
  EXPECT_EQ(json["draws"], 1000);
  EXPECT_EQ(json["parameters"].size(), 7u);
  EXPECT_EQ(json["parameters"][2]["name"], "delta_t");
  EXPECT_EQ(json["support"], "constrained prior");
  EXPECT_FALSE(json["observation"]["notes"].empty());
  EXPECT_EQ(json["observation"]["provenance"]["us_per_ms"], 1);
  EXPECT_GT(json["observation"]["provenance"]["map"]["gain_counts_per_mv"].get<double>(), 0);
  EXPECT_EQ(ReadFile(Path("draws.npy"))->substr(1, 5), "NUMPY");
}

TEST_F(PosteriorCommandTest, ALongerStepIsCroppedOnRequestOnly) {
  Start();
  const std::string file = WriteRecording(2000);
  const Outcome refused = Run({"posterior", "sample", "--observation", file});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--crop-step"));
  const Outcome cropped = Run({"posterior", "sample", "--observation", file, "--crop-step"});
  EXPECT_EQ(cropped.code, 0) << cropped.err;
  EXPECT_THAT(cropped.err, HasSubstr("cropped to 1000 ms"));
}

TEST_F(PosteriorCommandTest, AShorterStepNeedsAStudyWithThatProtocol) {
  Start();
  const Outcome run = Run({"posterior", "sample", "--observation", WriteRecording(500)});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("inferon study run ID --step 200:700 --duration 900"));
}

TEST_F(PosteriorCommandTest, AGivenMapIsUsedAsItIs) {
  Start();
  const Outcome run =
      Run({"posterior", "map", "--observation", WriteRecording(1000), "--map", "4,600"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("Map: counts = 600 + 4 * mV (given)"));
  const auto trace = rpc::FromArray<float>(trainer_->observed().trace(), 1);
  ASSERT_TRUE(trace);
  EXPECT_NEAR((*trace)[10], 600 - 4 * 70, 1);
  EXPECT_THAT(run.out, HasSubstr("log density 12.250 nats (constrained prior)"));
}

TEST_F(PosteriorCommandTest, LogProbabilitiesOfACodesFile) {
  Start();
  const std::string codes =
      Codes("g_l,v_t,delta_t,v_r,a,b,g_tau_w\n1,2,3,4,5,6,7\n0,0,0,0,0,0,0\n");
  const Outcome run = Run(
      {"--json", "posterior", "logprob", "--observation", WriteRecording(1000), "--codes", codes});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.Json()["log_density"], nlohmann::json::parse("[7.5, null]"));
  EXPECT_EQ(Run({"posterior", "logprob", "--observation", WriteRecording(1000), "--codes",
                 Codes("g_l,v_t\n1,2\n")})
                .code,
            2);
}

TEST_F(PosteriorCommandTest, PredictionsAreComparedFeatureByFeature) {
  Start();
  const Outcome run =
      Run({"posterior", "predict", "--observation", WriteRecording(1000), "--draws", "20"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("projects/default/jobs/ppc"));
  EXPECT_THAT(run.out, HasSubstr("20 of 20")) << "missing in all runs";
}

TEST_F(PosteriorCommandTest, ConditionalDrawsHaveTheOtherParametersColumns) {
  Start();
  const Outcome run =
      Run({"--json", "posterior", "sample", "--observation", WriteRecording(1000), "--draws", "20",
           "--condition", "g_tau_w=500", "--out", Path("slice.csv")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.Json()["restriction"]["conditions"]["g_tau_w"], 500);
  EXPECT_EQ(run.Json()["restriction"]["method"], "by hand");
  EXPECT_EQ(run.Json()["parameters"].size(), 6u);
  EXPECT_TRUE(ReadFile(Path("slice.csv"))->starts_with("g_l,v_t,delta_t,v_r,a,b\n"));
}

TEST_F(PosteriorCommandTest, AnOlderTrainerIsNotTakenAtItsWord) {
  Start({.old = true});
  const Outcome run = Run(
      {"posterior", "sample", "--observation", WriteRecording(1000), "--condition", "g_tau_w=500"});
  EXPECT_NE(run.code, 0);
  EXPECT_THAT(run.err, HasSubstr("does not know conditional and marginal queries"));
}

TEST_F(PosteriorCommandTest, BadRestrictionsAreUsageErrors) {
  Start();
  const std::string good = WriteRecording(1000);
  const std::pair<std::vector<std::string>, const char*> wrong[] = {
      {{"--condition", "g_l"}, "is not NAME=NUMBER"},
      {{"--condition", "g_l=1023"}, "g_l = 1023 lies outside"},
      {{"--condition", "g_l=5.5"}, "g_l = 5.5 lies outside"},
      {{"--condition", "speed=1"}, "no parameter 'speed'"},
      {{"--condition", "g_l=1", "--condition", "g_l=2"}, "fixed twice"},
      {{"--condition", "g_l=1", "--parameters", "v_t,g_l"}, "both fixed and asked about"},
      {{"--parameters", "v_t,v_t"}, "named twice"}};
  for (const auto& [options, message] : wrong) {
    std::vector<std::string> arguments = {"posterior", "sample", "--observation", good};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome run = Run(arguments);
    EXPECT_EQ(run.code, 2) << run.err;
    EXPECT_THAT(run.err, HasSubstr(message));
  }
}

TEST_F(PosteriorCommandTest, MalformedInputIsAUsageError) {
  Start();
  WriteFileAtomically(Path("bad.csv"), "time_ms,voltage_mV\n0,-70\n1,nan\n2,-70\n");
  WriteFileAtomically(Path("other.csv"), "a,b\n1,2\n3,4\n");  // Neither recording nor row.
  const std::string good = WriteRecording(1000);
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"posterior", "sample"},
           {"posterior", "sample", "--observation", Path("missing.csv")},
           {"posterior", "sample", "--observation", Path("bad.csv")},
           {"posterior", "sample", "--observation", Path("other.csv")},
           {"posterior", "sample", "--observation", good, "--job", "a"},
           {"posterior", "sample", "--job", "a", "--crop-step"},
           {"posterior", "sample", "--observation", good, "--map", "0,5"},
           {"posterior", "sample", "--observation", good, "--map", "1,2,3"},
           {"posterior", "sample", "--observation", good, "--step-window", "9,3"},
           {"posterior", "sample", "--observation", good, "--out", "draws.txt"},
           {"posterior", "sample", "--observation", good, "--draws", "0"},
           {"posterior", "logprob", "--observation", good}}) {
    const Outcome run = Run(arguments);
    EXPECT_EQ(run.code, 2) << arguments.back() << ": " << run.err;
    EXPECT_THAT(run.err, HasSubstr("inferon: "));
  }
  EXPECT_THAT(Run({"posterior", "sample", "--observation", Path("bad.csv")}).err,
              HasSubstr("bad.csv"));
}

TEST_F(PosteriorCommandTest, WithoutModelTheAdviceIsAStudy) {
  Start({.has_model = false});
  const Outcome run = Run({"posterior", "sample", "--observation", WriteRecording(1000)});
  EXPECT_EQ(run.code, 4);
  EXPECT_THAT(run.err, HasSubstr("inferon study run"));
}

TEST_F(PosteriorCommandTest, RefusalsOfTheTrainerAreExitCodeFour) {
  Start({.refuse = {grpc::StatusCode::FAILED_PRECONDITION, "the protocol is not the model's"}});
  const Outcome run = Run({"posterior", "sample", "--observation", WriteRecording(1000)});
  EXPECT_EQ(run.code, 4);
  EXPECT_THAT(run.err, HasSubstr("the protocol is not the model's"));
}

TEST_F(PosteriorCommandTest, WithoutServerIsExitCodeThree) {
  EXPECT_EQ(Run({"posterior", "sample", "--observation", WriteRecording(1000)}).code, 3);
}

// Steps of 2 s with a published current are cropped, those of 0.5 s need another study.
TEST_F(PosteriorCommandTest, RealRecordingsAreAnsweredOrRefusedWithAdvice) {
  const char* data = std::getenv("INFERON_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFERON_TEST_DATA is not set: no real recordings";
  const std::string folder = std::string(data) + "/recordings/";
  Start();
  const Outcome cropped = Run({"posterior", "sample", "--crop-step", "--observation",
                               folder + "bluepyefe/B6_IDRest_181.csv"});
  EXPECT_EQ(cropped.code, 0) << cropped.err;
  EXPECT_GT(trainer_->observed().spike_times().shape(0), 0u);
  const Outcome shorter = Run({"posterior", "sample", "--crop-step", "--observation",
                               folder + "lantyer2018/180817_ME_9_CC_sweep10.csv"});
  EXPECT_EQ(shorter.code, 2);
  EXPECT_THAT(shorter.err, HasSubstr("inferon study run ID --step 200:700"));
}

}  // namespace
}  // namespace inferon::cli
