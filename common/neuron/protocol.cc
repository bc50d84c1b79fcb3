#include "common/neuron/protocol.h"

#include <fmt/format.h>

#include <cmath>

namespace inferon {
namespace {

constexpr std::size_t kMaxSteps = 64;
constexpr double kMinDuration = 10, kMaxDuration = 20'000;
constexpr double kMinGrid = 0.1, kMaxGrid = 100;
constexpr double kMaxScale = 10;

// Written so that NaN is outside.
bool Inside(double value, double low, double high) { return value >= low && value <= high; }

Status ValidateStep(const Protocol& protocol, std::size_t i) {
  const CurrentStep& step = protocol.steps[i];
  if (!Inside(step.start_us, 0, protocol.duration_us) || !(step.stop_us > step.start_us) ||
      !(step.stop_us <= protocol.duration_us)) {
    return InvalidArgument(
        fmt::format("current step {} lasts from {} to {} us, outside 0..{} us or empty", i + 1,
                    step.start_us, step.stop_us, protocol.duration_us),
        "Let every step start at 0 us or later, stop after its start and end with the recording");
  }
  if (!Inside(step.scale, -kMaxScale, kMaxScale)) {
    return InvalidArgument(fmt::format("current step {} has scale {}, outside {}..{}", i + 1,
                                       step.scale, -kMaxScale, kMaxScale),
                           "Give the amplitude relative to the profile's stimulus current");
  }
  if (i > 0 && step.start_us < protocol.steps[i - 1].stop_us) {
    return InvalidArgument(
        fmt::format("current step {} starts before step {} has stopped", i + 1, i),
        "List the steps in order of time, without overlap");
  }
  return {};
}

}  // namespace

Status ValidateProtocol(const Protocol& protocol) {
  if (!Inside(protocol.duration_us, kMinDuration, kMaxDuration)) {
    return InvalidArgument(fmt::format("the recording lasts {} us, outside {}..{}",
                                       protocol.duration_us, kMinDuration, kMaxDuration),
                           "Choose a duration within the range");
  }
  if (!Inside(protocol.grid_step_us, kMinGrid, kMaxGrid) ||
      protocol.grid_step_us > protocol.duration_us) {
    return InvalidArgument(fmt::format("the grid step is {} us, outside {}..{} or longer than the "
                                       "recording",
                                       protocol.grid_step_us, kMinGrid, kMaxGrid),
                           "Choose a grid step within the range");
  }
  if (protocol.steps.size() > kMaxSteps) {
    return InvalidArgument(fmt::format("the protocol has {} current steps, more than {}",
                                       protocol.steps.size(), kMaxSteps),
                           "Use fewer steps");
  }
  for (std::size_t i = 0; i < protocol.steps.size(); ++i) {
    if (Status valid = ValidateStep(protocol, i); !valid) return valid;
  }
  return {};
}

}  // namespace inferon
