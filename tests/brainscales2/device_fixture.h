// A device configuration for the fake child of the build folder.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/files.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/device_config.h"
#include "worker/substrate.h"

namespace inferon::worker {

class DeviceTest : public ::testing::Test {
 protected:
  // Configuration of a fake that is started with these further arguments.
  DeviceConfig Config(std::vector<std::string> arguments = {}) const;
  SessionOptions Options(std::vector<std::string> arguments = {}) const;
  // A run of `count` sets of the paper's profile, one trial each.
  static RunRequest Request(std::uint32_t count, std::string chip = "fake-0");
  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }

  const TemporaryFolder folder_;
};

}  // namespace inferon::worker
