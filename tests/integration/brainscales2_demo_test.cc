// A study on a fake chip as real processes: command line, scheduler, worker, child, trainer,
// report.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "tests/integration/process.h"

namespace inferon::testing {
namespace {

using Json = nlohmann::json;

TEST(BrainScaleS2DemoTest, AStudyOnAFakeDeviceEndsInAReportThatSaysSo) {
  const TemporaryFolder folder;
  const auto data = folder.path() / "data";
  const ClusterGuard guard(data);
  const auto report = folder.path() / "report";
  const CommandResult run = Inferon(
      data, {"study", "run", "--substrate", "brainscales2", "--demo", "--report", report.string()});
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_NE(run.errors.find("fake device"), std::string::npos) << run.errors;
  const std::string page = ReadFile(report / "index.html").value();
  EXPECT_NE(page.find("fake device: no chip made these data"), std::string::npos);

  const Json study =
      Json::parse(Inferon(data, {"study", "show", "brainscales2-demo", "--json"}).output);
  EXPECT_EQ(study["modes"], (Json{"fake"}));
  const Json workers = Json::parse(Inferon(data, {"worker", "list", "--json"}).output)["workers"];
  bool seen = false;
  for (const Json& worker : workers) {
    if (worker["substrate"] != "brainscales2") continue;
    seen = true;
    EXPECT_EQ(worker["mode"], "fake");
    EXPECT_EQ(worker["chip"], "fake-0");
    EXPECT_GT(worker["experiments_done"], 5000);
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace inferon::testing
