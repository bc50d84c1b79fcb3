// The chip as a substrate: observations, provenance, canary, lock, replay.
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/hash.h"
#include "tests/brainscales2/device_fixture.h"
#include "tests/paths.h"
#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/brainscales2.h"
#include "worker/brainscales2/fake/fake_chip.h"
#include "worker/emulator/emulator.h"

namespace inferon::worker {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class SubstrateTest : public DeviceTest {
 protected:
  std::unique_ptr<Substrate> Open(const DeviceConfig& config, Clock& clock = SystemClock()) const {
    auto substrate = OpenBrainscales2(config, {}, clock);
    EXPECT_TRUE(substrate) << substrate.error().Text();
    return substrate ? std::move(*substrate) : nullptr;
  }
  // Canary references on disk.
  static int References(const DeviceConfig& config) {
    int references = 0;
    for (const auto& entry : std::filesystem::directory_iterator(config.state_folder)) {
      references += entry.path().filename().string().starts_with("canary-") ? 1 : 0;
    }
    return references;
  }
  DeviceConfig WithoutCanary(std::vector<std::string> arguments = {}) const {
    DeviceConfig config = Config(std::move(arguments));
    config.canary.interval = 0s;
    return config;
  }
};

TEST_F(SubstrateTest, ObservationsAreTheEmulatorsWithinTheReadOut) {
  const auto chip = Open(WithoutCanary());
  RunRequest request = Request(60);
  const auto observed = chip->Run(request, {});
  ASSERT_TRUE(observed) << observed.error().Text();
  const auto emulated = MakeEmulator({.threads = 1})->Run(request, {});
  ASSERT_TRUE(emulated);
  EXPECT_EQ(observed->size(), 60u);
  EXPECT_EQ(observed->points, emulated->points);
  EXPECT_EQ(observed->spike_count, emulated->spike_count);
  ASSERT_EQ(observed->spike_time_us.size(), emulated->spike_time_us.size());
  for (std::size_t i = 0; i < observed->spike_time_us.size(); ++i) {
    EXPECT_NEAR(observed->spike_time_us[i], emulated->spike_time_us[i], 0.0045);
  }
  // The same format all the way.
  EXPECT_TRUE(DecodeObservations(EncodeObservations(*observed)));
}

TEST_F(SubstrateTest, TheResultDoesNotDependOnTheSplit) {
  DeviceConfig small = WithoutCanary();
  small.batch_seconds = 0.05;
  const auto whole = Open(WithoutCanary())->Run(Request(20), {});
  const auto parts = Open(small)->Run(Request(20), {});
  ASSERT_TRUE(whole && parts);
  EXPECT_EQ(whole->trace, parts->trace);
  EXPECT_EQ(whole->spike_time_us, parts->spike_time_us);
}

TEST_F(SubstrateTest, ProvenanceSaysWhatMadeIt) {
  DeviceConfig config = WithoutCanary();
  config.calibration = Path("calib.pbin");
  WriteFileAtomically(config.calibration, "calibration bytes");
  const auto chip = Open(config);
  EXPECT_EQ(chip->Describe().substrate, "brainscales2");
  EXPECT_EQ(chip->Describe().mode, "fake");
  EXPECT_EQ(chip->Describe().chip, "fake-0");
  EXPECT_EQ(chip->Describe().calibration_id, Sha256Hex("calibration bytes"));
  const auto observed = chip->Run(Request(3), {});
  ASSERT_TRUE(observed) << observed.error().Text();
  const Json provenance = Json::parse(observed->provenance);
  EXPECT_EQ(provenance["substrate"], "brainscales2");
  EXPECT_EQ(provenance["mode"], "fake");
  EXPECT_EQ(provenance["calibration_id"], Sha256Hex("calibration bytes"));
  EXPECT_EQ(provenance["bitfile"], "none: fake device");
  EXPECT_EQ(provenance["rules"]["adaptation.v_leak"], "500 + leak.v_leak - 700");
  EXPECT_EQ(provenance["temperature_c"], (Json{40.0, 40.0}));
  EXPECT_EQ(provenance["drifted"], false);
  EXPECT_NEAR(provenance["hardware_us"].get<double>(), 1000 + 80'000 + 3 * (20'000 + 1515), 1e-6);
  EXPECT_TRUE(provenance["waiting_us"].is_number());
  EXPECT_TRUE(provenance["canary"].is_null());
}

TEST_F(SubstrateTest, TheCanaryMakesAReferenceThenJudges) {
  FakeClock clock;
  DeviceConfig config = Config();
  config.canary.interval = 100s;
  {
    const auto chip = Open(config, clock);
    ASSERT_TRUE(chip->Run(Request(1), {}));
    EXPECT_EQ(chip->Report().health, DeviceHealth::kGood);
    const auto first = Json::parse(chip->Run(Request(1), {})->provenance);
    EXPECT_FALSE(first["canary"].is_null());
    clock.Advance(40s);
    const auto later = Json::parse(chip->Run(Request(1), {})->provenance);
    EXPECT_NEAR(later["canary"]["age_s"].get<double>() - first["canary"]["age_s"].get<double>(), 40,
                1);
    clock.Advance(101s);
    const auto second = Json::parse(chip->Run(Request(1), {})->provenance);
    EXPECT_EQ(second["health"], "good") << second.dump(1);
    EXPECT_GT(second["canary"]["worst_sigma"], 0);
  }
  // The same chip some kelvin warmer: suspect, results marked, work goes on.
  config.launcher.insert(config.launcher.end(), {"--temperature", "43.5"});
  const auto warm = Open(config, clock);
  const auto marked = warm->Run(Request(1), {});
  ASSERT_TRUE(marked);
  EXPECT_EQ(Json::parse(marked->provenance)["drifted"], true);
  EXPECT_EQ(warm->Report().health, DeviceHealth::kSuspect);
  EXPECT_TRUE(warm->Health());
}

TEST_F(SubstrateTest, AReadOutThatDriftsMakesTheDeviceSuspect) {
  FakeClock clock;
  DeviceConfig config = Config({"--drift", "6"});
  config.canary.interval = 100s;
  const auto chip = Open(config, clock);
  ASSERT_TRUE(chip->Run(Request(1), {}));
  EXPECT_EQ(chip->Report().health, DeviceHealth::kGood);
  ASSERT_TRUE(chip->Run(Request(1), {}));
  ASSERT_TRUE(chip->Run(Request(1), {}));
  clock.Advance(101s);
  ASSERT_TRUE(chip->Run(Request(1), {}));
  EXPECT_EQ(chip->Report().health, DeviceHealth::kSuspect) << chip->Report().note;
}

TEST_F(SubstrateTest, ASupplyOutOfRangeMarksTheResultsOfItsOwnRun) {
  const auto chip = Open(WithoutCanary({"--supply-share", "0.94"}));
  const auto marked = chip->Run(Request(1), {});
  ASSERT_TRUE(marked) << marked.error().Text();
  EXPECT_EQ(Json::parse(marked->provenance)["drifted"], true);
  EXPECT_EQ(chip->Report().health, DeviceHealth::kSuspect);
  EXPECT_NE(chip->Report().note.find("supply 0"), std::string::npos) << chip->Report().note;
}

TEST_F(SubstrateTest, ABrokenReadOutIsSuspectAndMakesNoReference) {
  const DeviceConfig broken = Config({"--sawtooth-breaks", "1"});
  const auto chip = Open(broken);
  const auto marked = chip->Run(Request(1), {});
  ASSERT_TRUE(marked) << marked.error().Text();
  const Json provenance = Json::parse(marked->provenance);
  EXPECT_EQ(provenance["health"], "suspect");
  EXPECT_NE(provenance["canary"]["fault"].get<std::string>().find("breaks"), std::string::npos);
  EXPECT_EQ(References(broken), 0);
}

// A file that changed under the worker (a nightly calibration) is nobody's job's fault.
TEST_F(SubstrateTest, AChildThatHasAnotherCalibrationMakesTheDeviceBad) {
  const auto chip = Open(WithoutCanary({"--fault", "calibration"}));
  const auto refused = chip->Run(Request(1), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << "the shard may run elsewhere";
  EXPECT_FALSE(chip->Health());
  EXPECT_NE(chip->Report().note.find("calibration"), std::string::npos) << chip->Report().note;
}

TEST_F(SubstrateTest, ACanaryThatCanNeverRunIsRefusedAtTheStart) {
  DeviceConfig config = Config();
  config.canary.codes = {1, 2, 3};
  const auto chip = OpenBrainscales2(config, {}, SystemClock());
  ASSERT_FALSE(chip);
  EXPECT_EQ(chip.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(chip.error().message.find("3 codes"), std::string::npos) << chip.error().Text();
}

TEST_F(SubstrateTest, ABadDeviceTakesNoWork) {
  const auto chip = Open(WithoutCanary({"--fault", "crash"}));
  EXPECT_TRUE(chip->Health());
  EXPECT_EQ(chip->Run(Request(1), {}).error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(chip->Health());
  EXPECT_EQ(chip->Report().health, DeviceHealth::kBad);
}

TEST_F(SubstrateTest, OneWorkerDrivesOneDevice) {
  const auto chip = Open(WithoutCanary());
  const auto second = OpenBrainscales2(WithoutCanary(), {}, SystemClock());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Recalibrate(WithoutCanary(), {}, SystemClock(), {}).error().code,
            ErrorCode::kFailedPrecondition);
}

TEST_F(SubstrateTest, JobsOfOtherChipsAreRefused) {
  const auto chip = Open(WithoutCanary());
  EXPECT_EQ(chip->Run(Request(1, "emulated-0"), {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SubstrateTest, RecalibrationNeedsExclusiveAccessAndMakesANewReference) {
  DeviceConfig config = Config();
  config.calibration = Path("calib.pbin");
  WriteFileAtomically(config.calibration, "old");
  // The command has the chip to itself: no other child of this process lives meanwhile.
  config.calibrate_command = {
      "/bin/sh", "-c",
      "for stat in /proc/[0-9]*/stat; do read -r pid name state parent rest "
      "< $stat || continue; [ $parent = $PPID ] && [ $pid != $$ ] && "
      "exit 3; done 2> /dev/null; printf new > " +
          config.calibration.string()};
  DeviceConfig shared = config;
  shared.launcher.push_back("--shared");
  const auto refused = Recalibrate(shared, {}, SystemClock(), {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("shared"), std::string::npos);
  EXPECT_EQ(ReadFile(config.calibration).value(), "old");
  std::filesystem::remove(config.calibration);  // The first calibration makes the file.
  const auto id = Recalibrate(config, {}, SystemClock(), {});
  ASSERT_TRUE(id) << id.error().Text();
  EXPECT_EQ(*id, Sha256Hex("new"));
  EXPECT_EQ(References(config), 1);
}

// The real child, with our recording stand-in for the vendor's package: worker and child understand
// each other, in both generations of that package.
TEST_F(SubstrateTest, ThePythonChildServesTheWorker) {
  if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3 with numpy is not installed (Debian: python3-numpy)";
  }
  const std::string source = INFERON_SOURCE_DIR;
  for (const char* generation : {"release", "head"}) {
    DeviceConfig config = Config();
    config.mode = "simulation";
    config.launcher = {"/usr/bin/python3", "-B", "-u",
                       source + "/worker/brainscales2/child/bss2_child.py"};
    config.environment = {"P*", "FLANGE_SIMULATION_RCF_PORT", "INFERON_STUB_*"};
    config.neuron = 0;  // Its spikes have the stand-in's address.
    auto chip = OpenBrainscales2(
        config,
        {"PATH=/usr/bin:/bin", "PYTHONPATH=" + source + "/tests/brainscales2/child/stub",
         "FLANGE_SIMULATION_RCF_PORT=1", std::string("INFERON_STUB_GENERATION=") + generation},
        SystemClock());
    ASSERT_TRUE(chip) << chip.error().Text();
    EXPECT_EQ((*chip)->Describe().mode, "simulation");
    RunRequest request = Request(3, "hxcube9fpga0chip77_1");
    request.device.neuron = 0;
    const auto batch = (*chip)->Run(request, {});
    ASSERT_TRUE(batch) << batch.error().Text();
    EXPECT_EQ(batch->spike_count, (std::vector<std::uint32_t>{3, 3, 3}));
    EXPECT_EQ(std::vector<float>(batch->spike_time_us.begin(), batch->spike_time_us.begin() + 3),
              (std::vector<float>{210, 700, 1190}));
    EXPECT_NEAR(batch->trace[100], 303, 3);
    request.sets.codes[3] = 1023;
    EXPECT_EQ((*chip)->Run(request, {}).error().code, ErrorCode::kInvalidArgument);
    const Json provenance = Json::parse(batch->provenance);
    EXPECT_TRUE(provenance["versions"]["numpy"].is_string());
    EXPECT_EQ(provenance["health"], "good") << "sawtooth and canary went well";
  }
}

// A recording is served as a device, repeats in turn; what was not recorded is refused.
TEST_F(SubstrateTest, AReplayServesRecordings) {
  const auto chip = MakeEmulatedChip({}).value();
  const auto mapping = BuiltInChipMapping("adex-paper").value();
  const RunRequest recorded = Request(2);
  const BatchPlan plan = PlanBatches(WithoutCanary(), mapping, "", recorded).value();
  const auto reply = chip->Run(plan.open, plan.batches[0]).value();
  std::filesystem::create_directory(Path("recording"));
  const Hello hello{.protocol = 1, .mode = "hardware", .chip = "hxcube1chip2", .bitfile = "b"};
  WriteFileAtomically(Path("recording/000-hello.request"), EncodeHelloRequest(1));
  WriteFileAtomically(Path("recording/000-hello.reply"), EncodeHello(hello));
  WriteFileAtomically(Path("recording/001-run_batch.request"), EncodeBatch(plan.batches[0]));
  WriteFileAtomically(Path("recording/001-run_batch.reply"), EncodeBatchReply(reply));

  const auto replay = Open(WithoutCanary({"--replay", Path("recording")}));
  EXPECT_EQ(replay->Describe().chip, "hxcube1chip2");
  EXPECT_EQ(replay->Describe().mode, "fake") << "a recording is no hardware";
  RunRequest request = recorded;
  request.device.chip = "hxcube1chip2";
  request.seed = 999;  // The recording knows no seeds.
  const auto served = replay->Run(request, {});
  ASSERT_TRUE(served) << served.error().Text();
  const auto original = Open([&] {
                          DeviceConfig config = WithoutCanary();
                          config.state_folder = Path("other");
                          return config;
                        }())
                            ->Run(recorded, {});
  EXPECT_EQ(served->trace, original->trace);
  EXPECT_EQ(served->spike_time_us, original->spike_time_us);
  request.sets.codes[0] += 1;
  EXPECT_EQ(replay->Run(request, {}).error().code, ErrorCode::kNotFound);
}

// What a chip's self-test has recorded, the stand-in's here, is served as a device too. Recordings
// of chips go into tests/brainscales2/recordings, a folder each.
TEST_F(SubstrateTest, ARecordedSelfTestIsADevice) {
  if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3 with numpy is not installed (Debian: python3-numpy)";
  }
  const std::filesystem::path source = INFERON_SOURCE_DIR;
  const std::string command = "INFERON_STUB_FREE_SPIKES=1 PYTHONPATH=" +
                              (source / "tests/brainscales2/child/stub").string() +
                              " /usr/bin/python3 -B " +
                              (source / "worker/brainscales2/child/bss2_child.py").string() +
                              " --self-test --record " + Path("recorded") + " > /dev/null 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::vector<std::filesystem::path> recordings{Path("recorded")};
  if (const auto contributed = source / "tests/brainscales2/recordings";
      std::filesystem::exists(contributed)) {
    for (const auto& entry : std::filesystem::directory_iterator(contributed)) {
      if (entry.is_directory()) recordings.push_back(entry.path());
    }
  }
  // The self-test's two fields as the two free parameters of a small profile.
  WriteFileAtomically(Path("self-test.toml"), R"(schema_version = 1
name = "self-test"
[parameters]
g_l = { field = "leak.v_leak" }
v_th = { field = "threshold.v_threshold" }
v_l = { field = "leak.i_bias" }
v_r = { field = "reset.v_reset" }
[clocks]
fast = 3
slow = 3
)");
  for (const auto& recording : recordings) {
    DeviceConfig config = WithoutCanary({"--replay", recording.string()});
    config.mapping = Path("self-test.toml");
    const auto replay = Open(config);
    ASSERT_TRUE(replay);
    EXPECT_EQ(replay->Describe().mode, "fake");
    const RunRequest request{.profile = BuiltInProfile("lif2").value(),
                             .protocol = {.steps = {}, .duration_us = 1400, .grid_step_us = 1},
                             .device = {.chip = replay->Describe().chip, .neuron = 3},
                             .trials = 5,
                             .count = 5,
                             .sets = {2, {900, 400}}};
    const auto served = replay->Run(request, {});
    ASSERT_TRUE(served) << recording << ": " << served.error().Text();
    for (const std::uint32_t spikes : served->spike_count) EXPECT_GT(spikes, 0u);
  }
}

TEST_F(SubstrateTest, ADamagedRecordingIsRefused) {
  const RunRequest recorded = Request(1);
  const BatchPlan plan =
      PlanBatches(WithoutCanary(), BuiltInChipMapping("adex-paper").value(), "", recorded).value();
  std::filesystem::create_directory(Path("recording"));
  WriteFileAtomically(Path("recording/001-run_batch.request"), EncodeBatch(plan.batches[0]));
  WriteFileAtomically(
      Path("recording/001-run_batch.reply"),
      EncodeBatchReply({.experiments = 1, .sample_count = {9}, .spike_count = {4'000'000}}));
  Hello hello;
  EXPECT_EQ(MakeReplayChip(Path("recording"), hello).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(MakeReplayChip(Path("nowhere"), hello).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace inferon::worker
