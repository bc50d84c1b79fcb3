#include "worker/brainscales2/parts.h"

#include <fmt/format.h>

#include "common/base/hash.h"

namespace inferon::worker {

Result<Parts> GatherParts(const DeviceConfig& config) {
  Result<ChipMapping> mapping = FindChipMapping(config.mapping);
  if (!mapping) return tl::unexpected(mapping.error());
  std::string id;
  if (!config.calibration.empty()) {
    const Result<std::string> bytes = ReadFile(config.calibration);
    if (!bytes) return tl::unexpected(bytes.error());
    id = Sha256Hex(*bytes);
  }
  std::error_code error;
  std::filesystem::create_directories(config.state_folder, error);
  if (error) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the state folder {} cannot be made: {}", config.state_folder.string(),
                            error.message()),
                "Make it for this user, or change 'state_folder' in the device configuration");
  }
  Result<FileLock> lock = FileLock::Acquire(config.state_folder / "device.lock");
  if (!lock) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("another worker drives this device (lock in {})", config.state_folder.string()),
        "Stop it first: one worker drives one chip");
  }
  return Parts{std::move(*mapping), std::move(id), std::move(*lock)};
}

SessionOptions SessionOf(const DeviceConfig& config, const std::vector<std::string>& environment) {
  return {
      .launch = {config.launcher, ChildEnvironment(config.environment, environment, config.mode)},
      .mode = config.mode,
      .chip = config.chip,
      .start_time = config.start_time,
      .grace = config.grace};
}

}  // namespace inferon::worker
