#include "tests/brainscales2/device_fixture.h"

#include "tests/paths.h"

namespace inferon::worker {

DeviceConfig DeviceTest::Config(std::vector<std::string> arguments) const {
  DeviceConfig config{.mode = "fake",
                      .launcher = {std::string(INFERON_BINARY_DIR) + "/bin/inferon-bss2-fake"},
                      .neuron = 3,
                      .state_folder = folder_.path() / "state",
                      .start_time = std::chrono::seconds(30),
                      .margin = std::chrono::seconds(30),
                      .grace = std::chrono::milliseconds(200),
                      .restart = {.first_delay = std::chrono::milliseconds(1),
                                  .max_delay = std::chrono::milliseconds(5)}};
  config.canary.codes = {100, 300, 300, 300, 100, 100, 300};
  config.launcher.insert(config.launcher.end(), arguments.begin(), arguments.end());
  return config;
}

SessionOptions DeviceTest::Options(std::vector<std::string> arguments) const {
  const DeviceConfig config = Config(std::move(arguments));
  return {.launch = {config.launcher, ChildEnvironment({}, {}, "fake")},
          .mode = "fake",
          .start_time = config.start_time,
          .grace = config.grace};
}

RunRequest DeviceTest::Request(std::uint32_t count, std::string chip) {
  RunRequest request{.profile = BuiltInProfile("adex-paper").value(),
                     .device = {.chip = std::move(chip), .neuron = 3},
                     .seed = 11,
                     .count = count};
  request.sets.dimension = 7;
  for (std::uint32_t i = 0; i < count * 7; ++i) {
    request.sets.codes.push_back(static_cast<std::uint16_t>((i * 137) % 1023));
  }
  return request;
}

}  // namespace inferon::worker
