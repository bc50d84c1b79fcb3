#include "worker/brainscales2/doctor.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/brainscales2/device_fixture.h"
#include "tests/paths.h"

namespace inferon::worker {
namespace {

class DoctorTest : public DeviceTest {
 protected:
  // What the doctor says of each step for this configuration.
  std::map<std::string, Check> Diagnosis(const std::string& toml, bool touch_chip = false,
                                         std::vector<std::string> environment = {}) {
    if (!toml.empty()) WriteFileAtomically(Path("device.toml"), toml);
    std::map<std::string, Check> checks;
    healthy_ = Diagnose({.config = Path("device.toml"),
                         .environment = std::move(environment),
                         .touch_chip = touch_chip},
                        SystemClock(), [&](const Check& check) { checks[check.name] = check; });
    return checks;
  }
  static std::string Toml(const std::string& mode, const std::string& launcher) {
    return "schema_version = 1\nmode = \"" + mode + "\"\nneuron = 3\nlauncher = [\"" + launcher +
           "\"]\n";
  }
  static std::string Fake() { return std::string(INFERON_BINARY_DIR) + "/bin/inferon-bss2-fake"; }

  bool healthy_ = false;
};

TEST_F(DoctorTest, WithoutAConfigurationItSaysWhereToGetOne) {
  const auto checks = Diagnosis("");
  EXPECT_FALSE(healthy_);
  EXPECT_EQ(checks.at("configuration").state, CheckState::kMissing);
  EXPECT_NE(checks.at("configuration").advice.find("device.toml"), std::string::npos);
  EXPECT_EQ(checks.at("chip").state, CheckState::kSkipped);
}

TEST_F(DoctorTest, AFakeDeviceIsHealthyAndOnlyTouchedWhenTold) {
  const auto untouched = Diagnosis(Toml("fake", Fake()));
  EXPECT_TRUE(healthy_);
  EXPECT_EQ(untouched.at("libraries").state, CheckState::kOk);
  EXPECT_EQ(untouched.at("chip").state, CheckState::kSkipped);
  const auto touched = Diagnosis(Toml("fake", Fake()), true);
  EXPECT_TRUE(healthy_);
  EXPECT_NE(touched.at("chip").detail.find("fake-0"), std::string::npos);
  EXPECT_EQ(touched.at("canary").state, CheckState::kOk) << touched.at("canary").detail;
}

TEST_F(DoctorTest, ForARealChipItNamesConnectionAndLibraries) {
  const auto bare = Diagnosis(Toml("hardware", "/bin/false"));
  EXPECT_FALSE(healthy_);
  EXPECT_EQ(bare.at("connection").state, CheckState::kMissing);
  EXPECT_NE(bare.at("connection").advice.find("srun -p cube"), std::string::npos);
  EXPECT_EQ(bare.at("libraries").state, CheckState::kMissing);
  const auto allocated =
      Diagnosis(Toml("hardware", "/bin/true"), false, {"SLURM_FPGA_IPS=192.168.0.1"});
  EXPECT_EQ(allocated.at("connection").detail, "FPGA 192.168.0.1");
  EXPECT_EQ(allocated.at("libraries").state, CheckState::kOk);
  const auto half = Diagnosis(Toml("hardware", "/bin/true"), false, {"QUIGGELDY_ENABLED=1"});
  EXPECT_EQ(half.at("connection").state, CheckState::kMissing);
}

TEST_F(DoctorTest, MissingFilesAreNamed) {
  const std::string toml =
      "schema_version = 1\nmode = \"fake\"\nneuron = 3\n"
      "launcher = [\"/bin/true\", \"/no/such/image.sif\"]\ncalibration = \"none.pbin\"\n";
  const auto checks = Diagnosis(toml);
  EXPECT_EQ(checks.at("child's files").state, CheckState::kMissing);
  EXPECT_NE(checks.at("child's files").detail.find("/no/such/image.sif"), std::string::npos);
  EXPECT_EQ(checks.at("calibration").state, CheckState::kMissing);
  const auto launcher = Diagnosis(Toml("fake", "/no/such/launcher"));
  EXPECT_EQ(launcher.at("launcher").state, CheckState::kMissing);
}

}  // namespace
}  // namespace inferon::worker
