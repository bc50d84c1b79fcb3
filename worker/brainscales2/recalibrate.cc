#include <fmt/format.h>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "worker/brainscales2/brainscales2.h"
#include "worker/brainscales2/canary_run.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/parts.h"

namespace inferon::worker {
namespace {

// The lab's command; the id of the file that it has written.
Result<std::string> RunCommand(const DeviceConfig& config,
                               const std::vector<std::string>& environment, Clock& clock,
                               std::stop_token stop) {
  Launch launch{config.calibrate_command,
                ChildEnvironment(config.environment, environment, config.mode)};
  const auto child = ChildProcess::Start(launch, clock);
  if (!child) return tl::unexpected(child.error());
  while ((*child)->Running()) {
    if (clock.SleepFor(std::chrono::milliseconds(100), stop)) continue;
    (*child)->Stop(config.grace);
    return Fail(ErrorCode::kCancelled, "the calibration was interrupted");
  }
  const std::string ending = (*child)->Stop(std::chrono::nanoseconds(0));
  if (ending != "exit code 0") {
    return Fail(ErrorCode::kUnavailable, "the calibration command ended with " + ending,
                "Look at its messages above");
  }
  const Result<std::string> bytes = ReadFile(config.calibration);
  if (!bytes) return tl::unexpected(bytes.error());
  return Sha256Hex(*bytes);
}

}  // namespace

Result<std::string> Recalibrate(const DeviceConfig& config, std::vector<std::string> environment,
                                Clock& clock, std::stop_token stop) {
  if (config.calibration.empty() || config.calibrate_command.empty()) {
    return Fail(ErrorCode::kFailedPrecondition,
                "the device configuration has no 'calibration' or no 'calibrate_command'",
                "Name the file and the command of your lab that writes it");
  }
  DeviceConfig uncalibrated = config;  // The file may not be there yet.
  uncalibrated.calibration.clear();
  const Result<Parts> parts = GatherParts(uncalibrated);  // Its lock keeps workers away.
  if (!parts) return tl::unexpected(parts.error());
  Device device(SessionOf(config, environment), config.restart, clock);
  if (Status connected = device.Connect(stop); !connected) {
    return tl::unexpected(connected.error());
  }
  if (device.hello().shared) {
    return Fail(ErrorCode::kFailedPrecondition, "the chip is shared: other users may have it",
                "Stop quiggeldy, or allocate the FPGA for you alone");
  }
  device.Disconnect();  // An FPGA talks to one program at a time.
  const Result<std::string> id = RunCommand(config, environment, clock, stop);
  if (!id) return tl::unexpected(id.error());
  CanaryRunner canary(config, parts->mapping, *id);
  const Result<OpenRequest> open = canary.Setting(device.hello().chip);
  if (!open) return tl::unexpected(open.error());
  const auto frame = device.Ask(*open, EncodeCalibrate(config.calibration.string(), *id, true),
                                config.margin, stop);
  if (!frame) return tl::unexpected(frame.error());
  const auto taken = DecodeCalibrationId(*frame, "calibrated");
  if (!taken) return tl::unexpected(taken.error());
  if (Status made = canary.MakeNewReference(device, stop); !made) {
    return tl::unexpected(made.error());
  }
  return *taken;
}

}  // namespace inferon::worker
