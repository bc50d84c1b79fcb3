#include "worker/brainscales2/doctor_chip.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "worker/brainscales2/canary_run.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/monitors.h"
#include "worker/brainscales2/parts.h"

namespace inferon::worker {
namespace {

Check Missing(const char* name, const Error& error) {
  return {name, CheckState::kMissing, error.message, error.advice};
}

std::string Describe(const HealthReply& health) {
  const auto celsius = health.monitors.temperature_c;
  return fmt::format("{}, supplies {:.2f} V, a sawtooth of {} samples without a break",
                     celsius ? fmt::format("{:.1f} C", *celsius) : "no temperature",
                     fmt::join(health.monitors.supply_v, " "), health.sawtooth_samples);
}

Check CheckMonitors(const DeviceConfig& config, const OpenRequest& open, Device& device) {
  const auto health = device.Examine(open, config.margin + config.queue_time, {});
  if (!health) return Missing("monitors", health.error());
  const std::string fault = JudgeHealth(*health, config.monitors.limits);
  if (fault.empty()) return {"monitors", CheckState::kOk, Describe(*health), ""};
  return {"monitors", CheckState::kMissing, fault,
          "Look at the board; limits are in [monitors] of the device configuration"};
}

Check CheckCanary(CanaryRunner& canary, Device& device) {
  const auto verdict = canary.Run(device, {});
  if (!verdict) return Missing("canary", verdict.error());
  if (!verdict->drifted) return {"canary", CheckState::kOk, verdict->Text(), ""};
  return {"canary", CheckState::kMissing, verdict->Text(),
          "Recalibrate: inferon worker calibrate --exclusive"};
}

}  // namespace

void ExamineChip(const DeviceConfig& config, const std::vector<std::string>& environment,
                 Clock& clock, const std::function<void(const Check&)>& show) {
  DeviceConfig once = config;
  once.restart.max_failures = 1;
  once.monitors.sawtooth = false;  // A step of its own here.
  const Result<Parts> parts = GatherParts(once);
  if (!parts) return show(Missing("chip", parts.error()));
  Device device(SessionOf(once, environment), once.restart, clock);
  if (const Status connected = device.Connect({}); !connected) {
    return show(Missing("chip", connected.error()));
  }
  const Hello& hello = device.hello();
  show({"chip", CheckState::kOk,
        fmt::format("{} answers in mode {}, bitfile '{}'", hello.chip, hello.mode, hello.bitfile),
        ""});
  if (hello.mode == "zeromock") {
    return show({"monitors", CheckState::kSkipped, "the vendor's mock brings no samples", ""});
  }
  CanaryRunner canary(once, parts->mapping, parts->calibration_id);
  const Result<OpenRequest> open = canary.Setting(hello.chip);
  if (!open) return show(Missing("monitors", open.error()));
  const Check monitors = CheckMonitors(once, *open, device);
  show(monitors);
  if (monitors.state != CheckState::kOk) return;
  if (once.canary.interval.count() == 0) {
    return show({"canary", CheckState::kSkipped, "none is configured", ""});
  }
  show(CheckCanary(canary, device));
}

}  // namespace inferon::worker
