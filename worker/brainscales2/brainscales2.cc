#include "worker/brainscales2/brainscales2.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/canary_run.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/provenance.h"
#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

struct Parts {
  ChipMapping mapping;
  std::string calibration_id;
  FileLock lock;
};

// What must be there before a child is started.
Result<Parts> GatherParts(const DeviceConfig& config) {
  Result<ChipMapping> mapping = FindChipMapping(config.mapping);
  if (!mapping) return tl::unexpected(mapping.error());
  std::string id;
  if (!config.calibration.empty()) {
    const Result<std::string> bytes = ReadFile(config.calibration);
    if (!bytes) return tl::unexpected(bytes.error());
    id = Sha256Hex(*bytes);
  }
  std::filesystem::create_directories(config.state_folder);
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

// Lock order: `device_` and what belongs to it are the runner's thread's; `mu_` guards what the
// heartbeat looks at.
class Brainscales2 : public Substrate {
 public:
  Brainscales2(const DeviceConfig& config, Parts parts, std::vector<std::string> environment,
               Clock& clock)
      : config_(config),
        parts_(std::move(parts)),
        clock_(clock),
        device_(SessionOf(config_, environment), config_.restart, clock),
        canary_(config_, parts_.mapping, parts_.calibration_id) {}

  Status Connect() { return device_.Connect({}); }

  SubstrateDescription Describe() const override {
    return {.substrate = "brainscales2",
            .mode = config_.mode,
            .chip = device_.hello().chip,
            .calibration_id = parts_.calibration_id,
            .neurons = {config_.neuron},
            .switch_seconds = config_.first_settle_us * 1e-6};
  }

  Result<ObservationBatch> Run(const RunRequest& request, std::stop_token stop) override {
    if (request.device.chip != device_.hello().chip) {
      return InvalidArgument(fmt::format("the job wants chip '{}', this worker drives '{}'",
                                         request.device.chip, device_.hello().chip),
                             "Submit it with this --chip");
    }
    const auto plan = PlanBatches(config_, parts_.mapping, parts_.calibration_id, request);
    if (!plan) return tl::unexpected(plan.error());
    Result<ObservationBatch> batch = WithCanary(request, *plan, stop);
    if (device_.bad()) Publish(DeviceHealth::kBad, "the child failed too often in a row");
    return batch;
  }

  Status Health() override {
    const HealthReport report = Report();
    if (report.health != DeviceHealth::kBad) return {};
    return Fail(ErrorCode::kUnavailable, "the device is bad: " + report.note,
                "Look at it with 'inferon worker doctor', then restart the worker");
  }

  HealthReport Report() override {
    const std::lock_guard lock(mu_);
    return report_;
  }

 private:
  Result<ObservationBatch> WithCanary(const RunRequest& request, const BatchPlan& plan,
                                      std::stop_token stop) {
    if (Status looked = LookAtCanary(stop); !looked) return tl::unexpected(looked.error());
    return RunPlan(request, plan, stop);
  }

  Result<ObservationBatch> RunPlan(const RunRequest& request, const BatchPlan& plan,
                                   std::stop_token stop) {
    ObservationBatch batch;
    batch.points = request.protocol.Points();
    RunTotals totals;
    for (std::size_t i = 0; i < plan.batches.size(); ++i) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the run was stopped");
      auto reply = device_.Await(plan.open, plan.batches[i], TimeFor(plan.hardware_us[i]), stop);
      if (!reply) return tl::unexpected(reply.error());
      // The chip works on the next program while this one's samples are put on the grid.
      if (i + 1 < plan.batches.size() && !stop.stop_requested()) {
        device_.Prefetch(plan.open, plan.batches[i + 1]);
      }
      totals.Add(*reply);
      AppendOnGrid(*reply, request.protocol, batch);
    }
    batch.provenance = MakeProvenance({.request = request,
                                       .hello = device_.hello(),
                                       .mapping = parts_.mapping,
                                       .calibration_id = parts_.calibration_id,
                                       .totals = totals,
                                       .health = Report(),
                                       .canary = verdict_,
                                       .canary_age_s = CanaryAge()});
    return batch;
  }

  std::chrono::nanoseconds TimeFor(double hardware_us) const {
    return std::chrono::microseconds(static_cast<std::int64_t>(hardware_us)) + config_.margin +
           config_.queue_time;
  }

  // A health job: before the first run, every so often, and after the child was started again.
  Status LookAtCanary(std::stop_token stop) {
    const bool due = !canary_at_ || device_.starts() != canary_starts_ ||
                     clock_.Now() - *canary_at_ >= config_.canary.interval;
    if (config_.canary.interval.count() == 0 || !due) return {};
    const auto verdict = canary_.Run(device_, stop);
    if (!verdict) return tl::unexpected(verdict.error());
    verdict_ = *verdict;
    canary_at_ = clock_.Now();
    canary_starts_ = device_.starts();
    spdlog::info("{}", verdict->Text());
    Publish(verdict->drifted ? DeviceHealth::kSuspect : DeviceHealth::kGood, verdict->Text());
    return {};
  }

  double CanaryAge() const {
    if (!canary_at_) return -1;
    return std::chrono::duration<double>(clock_.Now() - *canary_at_).count();
  }

  void Publish(DeviceHealth health, const std::string& note) {
    const std::lock_guard lock(mu_);
    if (report_.health != health) spdlog::warn("the device is {}: {}", Name(health), note);
    report_ = {health, note};
  }

  const DeviceConfig config_;
  const Parts parts_;
  Clock& clock_;
  Device device_;
  CanaryRunner canary_;
  std::optional<SteadyTime> canary_at_;
  int canary_starts_ = 0;
  CanaryVerdict verdict_;
  std::mutex mu_;
  HealthReport report_;  // Guarded by mu_.
};

Result<std::string> RunCalibration(const DeviceConfig& config,
                                   const std::vector<std::string>& environment, Clock& clock,
                                   std::stop_token stop) {
  if (config.calibration.empty() || config.calibrate_command.empty()) {
    return Fail(ErrorCode::kFailedPrecondition,
                "the device configuration has no 'calibration' or no 'calibrate_command'",
                "Name the file and the command of your lab that writes it");
  }
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

Result<std::unique_ptr<Substrate>> OpenBrainscales2(const DeviceConfig& config,
                                                    std::vector<std::string> environment,
                                                    Clock& clock) {
  Result<Parts> parts = GatherParts(config);
  if (!parts) return tl::unexpected(parts.error());
  auto substrate =
      std::make_unique<Brainscales2>(config, std::move(*parts), std::move(environment), clock);
  if (Status connected = substrate->Connect(); !connected) {
    return tl::unexpected(connected.error());
  }
  return std::unique_ptr<Substrate>(std::move(substrate));
}

Result<std::string> Recalibrate(const DeviceConfig& config, std::vector<std::string> environment,
                                Clock& clock, std::stop_token stop) {
  const Result<Parts> parts = GatherParts(config);  // Its lock keeps workers away.
  if (!parts) return tl::unexpected(parts.error());
  const Result<Profile> profile = BuiltInProfile("adex-paper");
  if (!profile) return tl::unexpected(profile.error());
  Device device(SessionOf(config, environment), config.restart, clock);
  if (Status connected = device.Connect(stop); !connected) {
    return tl::unexpected(connected.error());
  }
  if (device.hello().shared) {
    return Fail(ErrorCode::kFailedPrecondition, "the chip is shared: other users may have it",
                "Stop quiggeldy, or allocate the FPGA for you alone");
  }
  const Result<std::string> id = RunCalibration(config, environment, clock, stop);
  if (!id) return tl::unexpected(id.error());
  const Result<FieldValues> fixed = FixedFields(parts->mapping, *profile, 1);
  if (!fixed) return tl::unexpected(fixed.error());
  const OpenRequest open{.neuron = config.neuron,
                         .calibration = config.calibration.string(),
                         .calibration_id = *id,
                         .fixed = *fixed,
                         .readout_source = parts->mapping.readout_source,
                         .fast_clock_scale = parts->mapping.fast_clock_scale,
                         .slow_clock_scale = parts->mapping.slow_clock_scale,
                         .settle_us = config.settle_us,
                         .first_settle_us = config.first_settle_us,
                         .trial_pause_us = config.trial_pause_us};
  const auto frame = device.Ask(open, EncodeCalibrate(config.calibration.string(), *id, true),
                                config.margin, stop);
  if (!frame) return tl::unexpected(frame.error());
  const auto taken = DecodeCalibrationId(*frame, "calibrated");
  if (!taken) return tl::unexpected(taken.error());
  CanaryRunner canary(config, parts->mapping, *id);
  if (Status made = canary.MakeNewReference(device, stop); !made) {
    return tl::unexpected(made.error());
  }
  return *taken;
}

}  // namespace inferon::worker
