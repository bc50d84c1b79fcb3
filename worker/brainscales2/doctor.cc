#include "worker/brainscales2/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/brainscales2.h"
#include "worker/brainscales2/child_process.h"
#include "worker/brainscales2/device_config.h"
#include "worker/brainscales2/session.h"

namespace inferon::worker {
namespace {

constexpr std::chrono::seconds kCheckTime{120};  // A container's first start is slow.

class Doctor {
 public:
  Doctor(const DoctorOptions& options, Clock& clock, const std::function<void(const Check&)>& show)
      : options_(options), clock_(clock), show_(show) {}

  bool Run() {
    CheckConfiguration();
    if (!config_) {
      for (const char* name : {"launcher", "child's files", "chip mapping", "calibration",
                               "permissions", "connection", "libraries", "chip"}) {
        Show({name, CheckState::kSkipped, "needs the configuration", ""});
      }
      return false;
    }
    CheckLauncher();
    CheckFiles();
    CheckMapping();
    CheckCalibration();
    CheckPermissions();
    CheckConnection();
    CheckLibraries();
    CheckChip();
    return healthy_;
  }

 private:
  void Show(Check check) {
    healthy_ = healthy_ && check.state != CheckState::kMissing;
    show_(check);
  }
  void Ok(const char* name, std::string detail) { Show({name, CheckState::kOk, detail, ""}); }
  void Missing(const char* name, const Error& error) {
    Show({name, CheckState::kMissing, error.message, error.advice});
  }

  void CheckConfiguration() {
    Result<DeviceConfig> config = LoadDeviceConfig(options_.config);
    if (!config) {
      Error error = config.error();
      if (error.code == ErrorCode::kNotFound) {
        error.message =
            fmt::format("there is no device configuration {}", options_.config.string());
        error.advice =
            "Copy deploy/brainscales2/device.toml, adapt it and name it with --device-config";
      }
      return Missing("configuration", error);
    }
    config_ = std::move(*config);
    Ok("configuration", fmt::format("{}: mode {}, neuron {}", options_.config.string(),
                                    config_->mode, config_->neuron));
  }

  // Files that the launcher names with a path: images, scripts.
  void CheckFiles() {
    int found = 0;
    for (std::size_t i = 1; i < config_->launcher.size(); ++i) {
      const std::string& word = config_->launcher[i];
      if (word.empty() || word[0] != '/') continue;
      if (!std::filesystem::exists(word)) {
        const bool image = word.ends_with(".sif") || word.ends_with(".img");
        return Missing("child's files",
                       {ErrorCode::kNotFound,
                        fmt::format("{} is not there", word),
                        image ? "Fetch your lab's container image, or correct 'launcher'"
                              : "Install it there; a container must see it too (bind mount)",
                        {}});
      }
      ++found;
    }
    Ok("child's files", fmt::format("{} paths of the launcher are there", found));
  }

  void CheckLauncher() {
    const Result<std::string> program = FindExecutable(config_->launcher[0]);
    if (!program) return Missing("launcher", program.error());
    Ok("launcher", *program + " can be executed");
  }

  void CheckMapping() {
    const Result<ChipMapping> mapping = FindChipMapping(config_->mapping);
    if (!mapping) return Missing("chip mapping", mapping.error());
    Ok("chip mapping", fmt::format("{}: {} parameters", mapping->name, mapping->parameters.size()));
  }

  void CheckCalibration() {
    if (config_->calibration.empty()) {
      if (config_->mode == "hardware") {
        return Show({"calibration", CheckState::kSkipped,
                     "none is configured: the read-out and the other neurons keep the vendor's "
                     "defaults",
                     "Name your lab's nightly calibration (a portable binary) in 'calibration'"});
      }
      return Ok("calibration", "none, as a device of this mode needs none");
    }
    const Result<std::string> bytes = ReadFile(config_->calibration);
    if (!bytes) return Missing("calibration", bytes.error());
    Ok("calibration",
       fmt::format("{}, id {}", config_->calibration.string(), Sha256Hex(*bytes).substr(0, 12)));
  }

  void CheckPermissions() {
    std::error_code error;
    std::filesystem::create_directories(config_->state_folder, error);
    if (error || access(config_->state_folder.c_str(), W_OK) != 0) {
      return Missing("permissions",
                     {ErrorCode::kFailedPrecondition,
                      fmt::format("{} cannot be written", config_->state_folder.string()),
                      "Change its owner, or 'state_folder' in the device configuration",
                      {}});
    }
    if (!FileLock::Acquire(config_->state_folder / "device.lock")) {
      locked_ = true;
      return Ok("permissions", "a worker drives this device now");
    }
    Ok("permissions", config_->state_folder.string() + " can be written");
  }

  std::string Variable(const std::string& name) const {
    for (const std::string& entry : options_.environment) {
      if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    }
    return {};
  }

  void CheckConnection() {
    if (config_->mode != "hardware") {
      return Ok("connection", "a device of mode " + config_->mode + " needs none");
    }
    if (!Variable(std::string(kZeroMockVariable)).empty()) {
      Show({"connection", CheckState::kSkipped,
            std::string(kZeroMockVariable) + " is set: the worker strips it",
            "Unset it, so that other programs do not take the mock for the chip"});
    }
    if (const std::string enabled = Variable("QUIGGELDY_ENABLED"); enabled == "1") {
      if (Variable("QUIGGELDY_IP").empty() || Variable("QUIGGELDY_PORT").empty()) {
        return Missing("connection", {ErrorCode::kFailedPrecondition,
                                      "QUIGGELDY_ENABLED is set without QUIGGELDY_IP and _PORT",
                                      "Set all three (EBRAINS does it for you in its kernel)",
                                      {}});
      }
      return Ok("connection", "quiggeldy at " + Variable("QUIGGELDY_IP"));
    }
    if (const std::string ips = Variable("SLURM_FPGA_IPS"); !ips.empty()) {
      return Ok("connection", "FPGA " + ips);
    }
    Missing("connection",
            {ErrorCode::kFailedPrecondition,
             "neither SLURM_FPGA_IPS nor QUIGGELDY_ENABLED is set",
             "Run inside an allocation: srun -p cube --wafer W --fpga-without-aout F ...",
             {}});
  }

  Launch ChildLaunch() const {
    return {config_->launcher,
            ChildEnvironment(config_->environment, options_.environment, config_->mode)};
  }

  void CheckLibraries() {
    Launch launch = ChildLaunch();
    launch.argv.push_back("--check");
    const auto child = ChildProcess::Start(launch, clock_);
    if (!child) return Missing("libraries", child.error());
    if (!(*child)->WaitForEnd(kCheckTime)) {
      return Missing("libraries", {ErrorCode::kDeadlineExceeded,
                                   "the child does not say whether it finds its libraries",
                                   "Run the launcher with --check by hand",
                                   {}});
    }
    const std::string ending = (*child)->Stop(std::chrono::nanoseconds(0));
    if (ending == "exit code 0") return Ok("libraries", "python, numpy and dlens_vx_v3 are there");
    Missing("libraries",
            {ErrorCode::kFailedPrecondition,
             "the child's check ended with " + ending,
             "Its message above says what it does not find; start it inside the vendor's container "
             "or kernel",
             {}});
  }

  void CheckChip() {
    if (!options_.touch_chip) {
      return Show({"chip", CheckState::kSkipped, "not touched", "Ask for it with --touch-chip"});
    }
    if (locked_) {
      return Show(
          {"chip", CheckState::kSkipped, "a worker drives it now", "Stop the worker first"});
    }
    if (!healthy_) {
      return Show({"chip", CheckState::kSkipped, "something above is missing", ""});
    }
    DeviceConfig once = *config_;
    once.restart.max_failures = 1;
    const auto chip = OpenBrainscales2(once, options_.environment, clock_);
    if (!chip) return Missing("chip", chip.error());
    const SubstrateDescription description = (*chip)->Describe();
    Ok("chip", fmt::format("{} answers in mode {}", description.chip, description.mode));
    CheckCanary(**chip, description);
  }

  void CheckCanary(Substrate& chip, const SubstrateDescription& description) {
    const Result<Profile> profile = BuiltInProfile("adex-paper");
    if (!profile) return Missing("canary", profile.error());
    RunRequest request{.profile = *profile,
                       .protocol = profile->protocol,
                       .device = {.chip = description.chip, .neuron = config_->neuron},
                       .count = 1};
    request.sets = {profile->dimension(),
                    {config_->canary.codes.begin(), config_->canary.codes.end()}};
    const auto batch = chip.Run(request, {});
    if (!batch) return Missing("canary", batch.error());
    const HealthReport report = chip.Report();
    Show({"canary", report.health == DeviceHealth::kGood ? CheckState::kOk : CheckState::kMissing,
          report.note.empty() ? "one experiment was recorded" : report.note,
          report.health == DeviceHealth::kGood ? "" : "Recalibrate: inferon worker calibrate"});
  }

  const DoctorOptions& options_;
  Clock& clock_;
  const std::function<void(const Check&)>& show_;
  std::optional<DeviceConfig> config_;
  bool healthy_ = true;
  bool locked_ = false;
};

}  // namespace

bool Diagnose(const DoctorOptions& options, Clock& clock,
              const std::function<void(const Check&)>& show) {
  return Doctor(options, clock, show).Run();
}

}  // namespace inferon::worker
