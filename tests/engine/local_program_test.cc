// inferon-trainer's commands on a local folder, as a user types them.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numbers>

#include "common/base/files.h"
#include "common/base/philox.h"
#include "common/tables/table_reader.h"
#include "tests/paths.h"

namespace inferon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kPrior = R"({"parameters": [
  {"name": "rate", "unit": "1/s", "prior": "loguniform", "low": 0.1, "high": 10},
  {"name": "amplitude", "prior": "normal", "mean": 5, "sd": 1}]})";

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

// A decay measured six times, as in the user guide.
class LocalProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    PhiloxSequence random(StreamKey(1, "decay"));
    std::string theta = "amplitude,rate\n", x;  // Not in the prior's order.
    for (int i = 0; i < 1500; ++i) {
      const double rate = 0.1 * std::pow(100, random.Uniform()), amplitude = 5 + Normal(random);
      theta += std::to_string(amplitude) + "," + std::to_string(rate) + "\n";
      for (int k = 0; k < 6; ++k) {
        x += std::to_string(amplitude * std::exp(-rate * k / 5) + 0.2 * Normal(random));
        x += k < 5 ? "," : "\n";
      }
    }
    Write("theta.csv", theta);
    Write("x.csv", x);
    Write("prior.json", kPrior);
    Write("observed.csv", "5.1,4.2,3.3,2.8,2.2,1.9\n");
    Write("quick.json", R"({"transforms": 4, "hidden": 24, "max_epochs": 20, "members": 2})");
  }

  void Write(const std::string& name, const std::string& text) {
    WriteFileAtomically(Path(name), text);
  }
  std::string Path(const std::string& name) { return (folder_.path() / name).string(); }

  // Runs "inferon-trainer <arguments> --data work --json" in the folder; stdout in out_.
  int Run(const std::string& arguments) {
    const std::string command = "cd " + folder_.path().string() +
                                " && " INFERON_BINARY_DIR "/bin/inferon-trainer " + arguments +
                                " --data work --json >out.txt 2>err.txt";
    const int status = std::system(command.c_str());
    out_ = *ReadFile(Path("out.txt"));
    err_ = *ReadFile(Path("err.txt"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const TemporaryFolder folder_;
  std::string out_, err_;
};

TEST_F(LocalProgramTest, FromFilesToDrawsAndBack) {
  ASSERT_EQ(Run("dataset import --dataset decay --theta theta.csv --x x.csv --prior prior.json"), 0)
      << err_;
  EXPECT_EQ(json::parse(out_)["rows"], 1500);
  ASSERT_EQ(Run("model train --dataset decay --config quick.json"), 0) << err_;
  EXPECT_EQ(json::parse(out_)["settings"]["members"], 2);
  ASSERT_EQ(Run("posterior sample --observation observed.csv -n 2000 -o draws.csv"), 0) << err_;
  const auto draws = ReadTable(Path("draws.csv"), 10'000);
  ASSERT_TRUE(draws) << draws.error().Text();
  EXPECT_EQ(draws->names, (std::vector<std::string>{"rate", "amplitude"}));
  EXPECT_EQ(draws->rows, 2000u);
  double rate = 0;
  for (std::size_t i = 0; i < 2000; ++i) rate += draws->values[2 * i] / 2000;
  EXPECT_NEAR(rate, 1, 0.3);
  ASSERT_EQ(Run("posterior sample --observation observed.csv -n 2000 -o draws.npy"), 0) << err_;
  EXPECT_NEAR(ReadTable(Path("draws.npy"), 10'000)->values[1], draws->values[1], 1e-9);
  ASSERT_EQ(Run("posterior logprob --observation observed.csv --theta draws.npy -o d.csv"), 0);
  EXPECT_EQ(ReadTable(Path("d.csv"), 10'000)->rows, 2000u);
  ASSERT_EQ(Run("posterior map --observation observed.csv"), 0) << err_;
  EXPECT_NEAR(json::parse(out_)["theta"]["amplitude"], 5.1, 0.5);
  ASSERT_EQ(Run("posterior sample --observation observed.csv -n 500 --condition amplitude=5 "
                "--log-density -o slice.csv"),
            0)
      << err_;
  EXPECT_EQ(json::parse(out_)["restriction"]["conditions"]["amplitude"], 5);
  EXPECT_EQ(ReadTable(Path("slice.csv"), 10'000)->names,
            (std::vector<std::string>{"rate", "log_density"}));
  ASSERT_EQ(Run("posterior sample --observation observed.csv -n 500 --parameters rate -o m.csv"), 0)
      << err_;
  EXPECT_EQ(ReadTable(Path("m.csv"), 10'000)->names, std::vector<std::string>{"rate"});
  ASSERT_EQ(Run("posterior map --observation observed.csv --condition amplitude=5"), 0) << err_;
  EXPECT_EQ(json::parse(out_)["theta"]["amplitude"], 5);
  Write("rate.csv", "rate\n0.9\n1.1\n");
  for (const char* restriction : {"--condition amplitude=5", "--parameters rate"}) {
    ASSERT_EQ(Run(std::string("posterior logprob --observation observed.csv --theta rate.csv ") +
                  restriction),
              0)
        << err_;
    EXPECT_EQ(json::parse(out_)["log_density"].size(), 2u);
    EXPECT_EQ(json::parse(out_)["standard_errors"].size(), 2u);
  }
  const std::pair<const char*, const char*> wrong[] = {
      {"--condition amplitude", "is not NAME=NUMBER"},
      {"--condition speed=1", "no parameter 'speed'"},
      {"--condition rate=20", "[0.1, 10] 1/s"},
      {"--condition rate=nan", "no finite number"},
      {"--condition rate=1 --condition amplitude=5", "all parameters are fixed"},
      {"--condition rate=1 --parameters rate", "both fixed and asked about"},
      {"--parameters rate --log-density -o m.csv", "carry no log density"}};
  for (const auto& [options, message] : wrong) {
    EXPECT_EQ(Run(std::string("posterior sample --observation observed.csv ") + options), 2);
    EXPECT_THAT(err_, HasSubstr(message));
  }
  ASSERT_EQ(Run("posterior check --pairs 40 -n 100"), 0) << err_;
  EXPECT_EQ(json::parse(out_)["parameters"].size(), 2u);
  EXPECT_THAT(json::parse(out_)["verdict"].get<std::string>(), HasSubstr("calibrated"));
  EXPECT_TRUE(json::parse(out_)["local_p_value"].is_null());
  ASSERT_EQ(Run("posterior check --pairs 40 -n 100 --figures figures --observation observed.csv"),
            0)
      << err_;
  EXPECT_GT(json::parse(out_)["local_p_value"], 0);
  EXPECT_THAT(*ReadFile(Path("figures/ranks.svg")), HasSubstr("amplitude"));
  EXPECT_THAT(*ReadFile(Path("figures/coverage.svg")), HasSubstr("TARP"));
  ASSERT_EQ(Run("dataset export --dataset decay -o all.csv"), 0) << err_;
  const auto all = ReadTable(Path("all.csv"), 10'000);
  ASSERT_TRUE(all) << all.error().Text();
  EXPECT_EQ(all->columns, 8u);
  EXPECT_EQ(all->names[0], "rate");
  EXPECT_EQ(Run("dataset export --dataset decay -o all.npz"), 0) << err_;
  EXPECT_EQ(Run("dataset export --dataset decay -o all.npy"), 0) << err_;
  EXPECT_EQ(ReadTable(Path("all.theta.npy"), 10'000)->rows, 1500u);
}

TEST_F(LocalProgramTest, RoundsGoThroughFilesAndModelsAreFineTuned) {
  ASSERT_EQ(Run("dataset import --dataset decay --theta theta.csv --x x.csv --prior prior.json"), 0)
      << err_;
  ASSERT_EQ(Run("model train --dataset decay --config quick.json"), 0) << err_;
  ASSERT_EQ(Run("dataset propose --model decay --observation observed.csv -n 300 -o next.csv"), 0)
      << err_;
  EXPECT_LT(json::parse(out_)["prior_share"], 0.5);
  const auto next = ReadTable(Path("next.csv"), 1000);
  ASSERT_TRUE(next) << next.error().Text();
  EXPECT_EQ(next->rows, 300u);
  EXPECT_EQ(next->names, (std::vector<std::string>{"rate", "amplitude"}));
  EXPECT_EQ(Run("dataset propose --model decay --observation observed.csv -n 300 -o next.csv "
                "--most-tries 300"),
            4);
  EXPECT_THAT(err_, HasSubstr("--most-tries"));
  std::string x;
  for (int i = 0; i < 300; ++i) x += "5,4,3,3,2," + std::to_string(2 + i % 7) + "\n";
  Write("more.csv", x);
  ASSERT_EQ(Run("dataset import --dataset more --theta next.csv --x more.csv --prior prior.json"),
            0)
      << err_;
  ASSERT_EQ(Run("model train --dataset more --model tuned --from decay"), 0) << err_;
  EXPECT_EQ(json::parse(out_)["from"], "decay");
  ASSERT_EQ(Run("dataset export --dataset more -o more.h5"), 0) << err_;
  EXPECT_EQ(ReadFile(Path("more.h5"))->substr(1, 3), "HDF");
  EXPECT_EQ(Run("dataset export -o more.h5"), 2);
  EXPECT_EQ(Run("dataset export --study absent -o more.h5"), 4);
  EXPECT_THAT(err_, HasSubstr("no study absent"));
}

TEST_F(LocalProgramTest, MistakesEndWithTwoAndSayWhereTheyAre) {
  const std::string import = "dataset import --dataset d --theta theta.csv --prior prior.json ";
  EXPECT_EQ(Run(import), 2);
  EXPECT_THAT(err_, HasSubstr("no x is given"));
  EXPECT_EQ(Run(import + "--x absent.csv"), 2);
  EXPECT_THAT(err_, HasSubstr("absent.csv"));
  Write("short.csv", "1,2\n3,4\n");
  EXPECT_EQ(Run(import + "--x short.csv"), 2);
  EXPECT_THAT(err_, HasSubstr("goes on after row 2"));
  std::string x = *ReadFile(Path("x.csv"));
  Write("nan.csv", x.replace(0, x.find(','), "nan"));
  EXPECT_EQ(Run(import + "--x nan.csv"), 2);
  EXPECT_THAT(err_, HasSubstr("x, row 1, column 1"));
  Write("narrow.json", R"({"parameters": [
    {"name": "rate", "prior": "uniform", "low": 0.1, "high": 1},
    {"name": "amplitude", "prior": "real"}]})");
  EXPECT_EQ(Run("dataset import --dataset d --theta theta.csv --x x.csv --prior narrow.json"), 2);
  EXPECT_THAT(err_, HasSubstr("not in the support of its uniform prior"));
  Write("other.json", R"({"parameters": [{"name": "rate", "prior": "real"}]})");
  EXPECT_EQ(Run("dataset import --dataset d --theta theta.csv --x x.csv --prior other.json"), 2);
  EXPECT_THAT(err_, HasSubstr("2 columns, the prior has 1"));
  EXPECT_EQ(Run("dataset list"), 0);
  EXPECT_TRUE(json::parse(out_)["datasets"].empty()) << "nothing is left of a failed import";
  EXPECT_EQ(Run("model train --dataset d"), 4);
  EXPECT_EQ(json::parse(out_)["error"]["exit_code"], 4);
  EXPECT_EQ(Run("posterior sample --observation observed.csv -o draws.txt"), 2);
}

}  // namespace
}  // namespace inferon
