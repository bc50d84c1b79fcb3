#include "worker/brainscales2/doctor.h"

#include <gtest/gtest.h>

#include <filesystem>
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
  EXPECT_NE(touched.at("monitors").detail.find("40.0 C"), std::string::npos);
  EXPECT_EQ(touched.at("canary").state, CheckState::kOk) << touched.at("canary").detail;
  EXPECT_NE(touched.at("canary").detail.find("reference was made"), std::string::npos);
}

TEST_F(DoctorTest, ABrokenReadOutAndADriftedNeuronAreNamed) {
  const auto with = [](const std::string& arguments) {
    return Toml("fake", Fake() + "\", " + arguments + ", \"--chip\", \"fake-0");
  };
  const auto broken = Diagnosis(with(R"("--sawtooth-breaks", "2")"), true);
  EXPECT_FALSE(healthy_);
  EXPECT_NE(broken.at("monitors").detail.find("2 breaks"), std::string::npos);
  EXPECT_EQ(broken.count("canary"), 0u) << "a canary on a broken read-out says nothing";
  ASSERT_EQ(Diagnosis(with(R"("--threads", "1")"), true).at("canary").state, CheckState::kOk);
  const auto warm = Diagnosis(with(R"("--temperature", "45")"), true);
  EXPECT_EQ(warm.at("canary").state, CheckState::kMissing);
  EXPECT_NE(warm.at("canary").detail.find("+5.0 K"), std::string::npos);
}

TEST_F(DoctorTest, WhatTheAllowListHoldsBackIsNotThere) {
  const auto checks =
      Diagnosis("environment = [\"PATH\"]\n" + Toml("hardware", "/bin/true"), false,
                {"SLURM_FPGA_IPS=192.168.0.1", "PATH=/bin", "HXCOMM_ENABLE_ZERO_MOCK=1"});
  EXPECT_EQ(checks.at("connection").state, CheckState::kMissing);
  EXPECT_NE(checks.at("connection").detail.find("does not reach"), std::string::npos);
  EXPECT_EQ(checks.at("environment").detail, "1 of 3 variables reach the child");
}

TEST_F(DoctorTest, ACanaryThatDoesNotFitTheMappingIsNamed) {
  WriteFileAtomically(Path("small.toml"),
                      "schema_version = 1\nname = \"small\"\n[parameters]\n"
                      "g_l = { field = \"leak.i_bias\" }\n[clocks]\nfast = 3\nslow = 3\n");
  const auto checks = Diagnosis("mapping = \"small.toml\"\n" + Toml("fake", Fake()));
  EXPECT_EQ(checks.at("chip mapping").state, CheckState::kMissing);
}

// The real script answers from inside its interpreter.
TEST_F(DoctorTest, TheChildSaysWhichLibraryIsMissing) {
  const std::string script =
      std::string(INFERON_SOURCE_DIR) + "/worker/brainscales2/child/bss2_child.py";
  const std::string toml = Toml("hardware", "/usr/bin/python3\", \"-B\", \"-u\", \"" + script);
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "no python3 here";
  const auto without = Diagnosis(toml, false, {"PATH=/usr/bin:/bin"});
  EXPECT_EQ(without.at("python").state, CheckState::kOk);
  EXPECT_EQ(without.at("dlens_vx_v3").state, CheckState::kMissing);
  EXPECT_NE(without.at("dlens_vx_v3").advice.find("container"), std::string::npos);
}

TEST_F(DoctorTest, ForARealChipItNamesConnectionAndLibraries) {
  const auto bare = Diagnosis(Toml("hardware", "/bin/false"));
  EXPECT_FALSE(healthy_);
  EXPECT_EQ(bare.at("connection").state, CheckState::kMissing);
  EXPECT_NE(bare.at("connection").advice.find("srun -p cube"), std::string::npos);
  EXPECT_EQ(bare.at("libraries").state, CheckState::kMissing);
  EXPECT_NE(bare.at("libraries").detail.find("exit code 1"), std::string::npos);
  const auto allocated =
      Diagnosis(Toml("hardware", "/bin/true"), false, {"SLURM_FPGA_IPS=192.168.0.1"});
  EXPECT_EQ(allocated.at("connection").detail, "FPGA 192.168.0.1");
  EXPECT_EQ(allocated.at("libraries").state, CheckState::kMissing) << "it has said nothing";
  const auto half = Diagnosis(Toml("hardware", "/bin/true"), false, {"QUIGGELDY_ENABLED=1"});
  EXPECT_EQ(half.at("connection").state, CheckState::kMissing);
}

TEST_F(DoctorTest, MissingFilesAreNamed) {
  const std::string toml =
      "schema_version = 1\nmode = \"fake\"\nneuron = 3\n"
      "launcher = [\"/bin/true\", \"/no/such/image.sif\"]\ncalibration = \"none.pbin\"\n";
  const auto checks = Diagnosis(toml);
  EXPECT_EQ(checks.at("image, script").state, CheckState::kMissing);
  EXPECT_NE(checks.at("image, script").detail.find("/no/such/image.sif"), std::string::npos);
  EXPECT_EQ(checks.at("calibration").state, CheckState::kMissing);
  const auto launcher = Diagnosis(Toml("fake", "/no/such/launcher"));
  EXPECT_EQ(launcher.at("launcher").state, CheckState::kMissing);
}

}  // namespace
}  // namespace inferon::worker
