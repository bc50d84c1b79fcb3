#include "worker/brainscales2/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/canary_run.h"
#include "worker/brainscales2/child_process.h"
#include "worker/brainscales2/device_config.h"
#include "worker/brainscales2/doctor_chip.h"
#include "worker/brainscales2/messages.h"

namespace inferon::worker {
namespace {

constexpr std::chrono::seconds kCheckTime{120};  // A container's first start is slow.
constexpr std::chrono::seconds kEndTime{2};

class Doctor {
 public:
  Doctor(const DoctorOptions& options, Clock& clock, const std::function<void(const Check&)>& show)
      : options_(options), clock_(clock), show_(show) {}

  bool Run() {
    CheckConfiguration();
    if (!config_) {
      for (const char* name : {"launcher", "image, script", "environment", "chip mapping",
                               "calibration", "permissions", "connection", "libraries", "chip"}) {
        Show({name, CheckState::kSkipped, "needs the configuration", ""});
      }
      return false;
    }
    CheckLauncher();
    CheckFiles();
    CheckEnvironment();
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
            "Copy device.toml of share/inferon/brainscales2 (in a checkout deploy/brainscales2), "
            "adapt "
            "it and name it with --device-config";
      }
      return Missing("configuration", error);
    }
    config_ = std::move(*config);
    Ok("configuration", fmt::format("{}: mode {}, neuron {}", options_.config.string(),
                                    config_->mode, config_->neuron));
  }

  // Files that the launcher names with a path: images, scripts, what is bound into a container.
  void CheckFiles() {
    int found = 0;
    for (std::size_t i = 1; i < config_->launcher.size(); ++i) {
      const std::string& word = config_->launcher[i];
      if (word.empty() || word[0] != '/') continue;
      const std::string path = word.substr(0, word.find_first_of(":,"));
      if (!std::filesystem::exists(path)) {
        const bool script = path.ends_with(".py") || path.ends_with(".sh");
        return Missing("image, script",
                       {ErrorCode::kNotFound,
                        fmt::format("{} is not there", path),
                        script ? "Install it there; a container must see it too (bind mount)"
                               : "Fetch your lab's container image, or correct 'launcher'",
                        {}});
      }
      ++found;
    }
    Ok("image, script", fmt::format("paths of the launcher that are there: {}", found));
  }

  // What passes to the child: a variable that the allow-list holds back is as good as not set.
  void CheckEnvironment() {
    passing_ = ChildEnvironment(config_->environment, options_.environment, config_->mode);
    const std::string mock(kZeroMockVariable);
    if (config_->mode != "zeromock" && !Variable(options_.environment, mock).empty()) {
      Show({"environment", CheckState::kSkipped, mock + " is set: the worker strips it",
            "Unset it, so that other programs do not take the mock for the chip"});
    }
    const auto passes = [this](const std::string& entry) {
      return std::find(passing_.begin(), passing_.end(), entry) != passing_.end();
    };
    const auto& all = options_.environment;
    Ok("environment", fmt::format("{} of {} variables reach the child",
                                  std::count_if(all.begin(), all.end(), passes), all.size()));
  }

  void CheckLauncher() {
    const Result<std::string> program = FindExecutable(config_->launcher[0]);
    if (!program) return Missing("launcher", program.error());
    Ok("launcher", *program + " can be executed");
  }

  void CheckMapping() {
    const Result<ChipMapping> mapping = FindChipMapping(config_->mapping);
    if (!mapping) return Missing("chip mapping", mapping.error());
    if (config_->canary.interval.count() > 0) {
      const auto canary = CanaryRunner(*config_, *mapping, "").Setting("");
      if (!canary) return Missing("chip mapping", canary.error());
    }
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
    const auto lock = config_->state_folder / "device.lock";
    if (std::filesystem::exists(lock) && access(lock.c_str(), W_OK) != 0) {
      return Missing("permissions", {ErrorCode::kFailedPrecondition,
                                     fmt::format("{} belongs to another user", lock.string()),
                                     "Run worker and doctor as one user, or remove the file",
                                     {}});
    }
    if (!FileLock::Acquire(lock)) {
      locked_ = true;
      return Ok("permissions", "a worker drives this device now");
    }
    Ok("permissions", config_->state_folder.string() + " can be written");
  }

  static std::string Variable(const std::vector<std::string>& environment,
                              const std::string& name) {
    for (const std::string& entry : environment) {
      if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    }
    return {};
  }

  // The child's value of a variable.
  std::string Passing(const std::string& name) const { return Variable(passing_, name); }

  void NoConnection(const std::string& message, const std::string& advice) {
    Missing("connection", {ErrorCode::kFailedPrecondition, message, advice, {}});
  }

  void CheckConnection() {
    if (config_->mode == "simulation" && Passing(std::string(kSimulationVariable)).empty()) {
      return NoConnection(std::string(kSimulationVariable) + " is not set",
                          "Start the simulation and set its port");
    }
    if (config_->mode != "hardware") {
      return Ok("connection", "a device of mode " + config_->mode + " needs no chip");
    }
    if (Passing("QUIGGELDY_ENABLED") == "1") {
      if (Passing("QUIGGELDY_IP").empty() || Passing("QUIGGELDY_PORT").empty()) {
        return NoConnection("QUIGGELDY_ENABLED is set without QUIGGELDY_IP and _PORT",
                            "Set all three (EBRAINS does it for you in its kernel)");
      }
      return Ok("connection", "quiggeldy at " + Passing("QUIGGELDY_IP"));
    }
    if (const std::string ips = Passing("SLURM_FPGA_IPS"); !ips.empty()) {
      return Ok("connection", "FPGA " + ips);
    }
    for (const char* name : {"SLURM_FPGA_IPS", "QUIGGELDY_ENABLED"}) {
      if (Variable(options_.environment, name).empty()) continue;
      return NoConnection(std::string(name) + " is set, but does not reach the child",
                          "Add SLURM_* and QUIGGELDY_* to 'environment' in the configuration");
    }
    NoConnection("neither SLURM_FPGA_IPS nor QUIGGELDY_ENABLED is set",
                 "Run inside an allocation: srun -p cube --wafer W --fpga-without-aout F ...");
  }

  // The child says itself what it finds where it runs: inside the container.
  void CheckLibraries() {
    Launch launch{config_->launcher, passing_};
    launch.argv.push_back("--check");
    if (config_->mode != "fake" && !config_->calibration.empty()) {
      launch.argv.insert(launch.argv.end(), {"--calibration", config_->calibration.string()});
    }
    const auto child = ChildProcess::Start(launch, clock_);
    if (!child) return Missing("libraries", child.error());
    const auto frame = (*child)->channel().Receive(clock_.Now() + kCheckTime);
    const auto checks = frame ? DecodeCheck(*frame) : tl::unexpected(frame.error());
    if (checks) {
      for (const LibraryCheck& check : *checks) {
        Show({check.name, check.ok ? CheckState::kOk : CheckState::kMissing, check.detail,
              check.advice});
      }
      return;
    }
    const bool ended = (*child)->WaitForEnd(kEndTime);
    Missing("libraries", {ErrorCode::kFailedPrecondition,
                          ended ? "the launcher's check ended with " + (*child)->Stop(kEndTime) +
                                      " before the child said anything"
                                : "the child does not say what it finds",
                          "Its messages above say why; run the launcher with --check by hand",
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
    ExamineChip(*config_, options_.environment, clock_,
                [this](const Check& check) { Show(check); });
  }

  const DoctorOptions& options_;
  Clock& clock_;
  const std::function<void(const Check&)>& show_;
  std::optional<DeviceConfig> config_;
  std::vector<std::string> passing_;  // The child's environment.
  bool healthy_ = true;
  bool locked_ = false;
};

}  // namespace

bool Diagnose(const DoctorOptions& options, Clock& clock,
              const std::function<void(const Check&)>& show) {
  return Doctor(options, clock, show).Run();
}

}  // namespace inferon::worker
