#include "worker/brainscales2/brainscales2.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <mutex>

#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/canary_run.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/monitors.h"
#include "worker/brainscales2/parts.h"
#include "worker/brainscales2/provenance.h"
#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

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

  Status Connect() {
    if (Status connected = device_.Connect({}); !connected) return connected;
    // A canary that can never run must not fail the jobs that wait for it.
    if (config_.canary.interval.count() == 0) return {};
    const Result<OpenRequest> canary = canary_.Setting(device_.hello().chip);
    if (canary) return {};
    return Fail(ErrorCode::kFailedPrecondition,
                "the canary cannot run here: " + canary.error().message,
                "Give 'profile' and 'codes' in [canary] that fit the chip mapping, or interval_s = "
                "0 for none");
  }

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
    if (!batch && batch.error().code == ErrorCode::kFailedPrecondition) {
      // Not the job's fault, and nothing that trying again here can mend: somebody has to put this
      // host right. The job goes elsewhere or waits, instead of failing shard by shard.
      Publish(DeviceHealth::kBad, batch.error().message);
      return Fail(ErrorCode::kUnavailable, batch.error().message, batch.error().advice);
    }
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
      if (const std::string fault = JudgeSupplies(reply->monitors, config_.monitors.limits);
          !fault.empty()) {
        Publish(DeviceHealth::kSuspect, fault);
      }
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
    if (!verdict) {
      // Whatever it is, it is not the job's fault.
      Error error = verdict.error();
      if (error.code == ErrorCode::kInvalidArgument) error.code = ErrorCode::kFailedPrecondition;
      error.message = "the canary cannot run: " + error.message;
      return tl::unexpected(std::move(error));
    }
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

}  // namespace inferon::worker
