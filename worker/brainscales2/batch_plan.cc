#include "worker/brainscales2/batch_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

constexpr std::size_t kMostExperiments = 4096;  // In one program, as in the child.
// Reply of one program: leaves room for spikes and the header below the frame's limit.
constexpr double kMostReplyBytes = 200.0 * (1 << 20);
constexpr double kBytesPerUs = kSamplesPerUs * 6;  // A sample is 2 bytes of value, 4 of time.
// Of each recording and each program, as in child/bss2_program.py.
constexpr double kRecordingOverheadUs = 100 + 10 + 5;
constexpr double kProgramOverheadUs = 1000;

std::int64_t Cycles(double us) { return std::llround(us * kCyclesPerUs); }

std::size_t MostExperiments(const Protocol& protocol) {
  const double bytes = (protocol.duration_us + kRecordingOverheadUs) * kBytesPerUs;
  return std::min(kMostExperiments, static_cast<std::size_t>(kMostReplyBytes / bytes));
}

// Relative amplitude of the stimulus; 1 without any.
Result<double> StimulusScale(const Protocol& protocol) {
  for (const CurrentStep& step : protocol.steps) {
    if (step.scale == protocol.steps.front().scale) continue;
    return InvalidArgument("the steps of the protocol have different amplitudes",
                           "Give all steps one scale: on the chip an amplitude has to settle for "
                           "milliseconds before its step");
  }
  return protocol.steps.empty() ? 1.0 : protocol.steps.front().scale;
}

Status CheckRequest(const DeviceConfig& config, const RunRequest& request) {
  if (Status valid = ValidateProtocol(request.protocol); !valid) return valid;
  if (request.device.neuron != config.neuron) {
    return InvalidArgument(
        fmt::format("the job wants neuron {}, this worker drives neuron {} of its chip",
                    request.device.neuron, config.neuron),
        fmt::format("Submit it with --neuron {}, or change 'neuron' in the device configuration",
                    config.neuron));
  }
  if (request.trials == 0 || request.count == 0) {
    return InvalidArgument("the request has no experiment", "Ask for at least one");
  }
  const std::uint64_t first = request.first_index / request.trials;
  const std::uint64_t last = (request.first_index + request.count - 1) / request.trials;
  if (request.sets.dimension != request.profile.dimension() ||
      request.sets.size() != last - first + 1) {
    return InvalidArgument(
        fmt::format("{} parameter sets of {} codes do not fit {} experiments of profile '{}'",
                    request.sets.size(), request.sets.dimension, request.count,
                    request.profile.name),
        "Give one row for each set that the experiments touch");
  }
  return {};
}

// Everything of a batch but its experiments.
BatchRequest EmptyBatch(const ChipMapping& mapping, const RunRequest& request) {
  BatchRequest batch;
  batch.fields = SetFields(mapping, request.profile);
  batch.duration_cycles = Cycles(request.protocol.duration_us);
  if (request.protocol.steps.empty() || request.protocol.steps.front().scale != 0) {
    for (const CurrentStep& step : request.protocol.steps) {
      batch.steps_cycles.emplace_back(Cycles(step.start_us), Cycles(step.stop_us));
    }
  }
  // Steps that touch are one: the bit stays on.
  auto& steps = batch.steps_cycles;
  for (std::size_t i = 1; i < steps.size();) {
    if (steps[i].first > steps[i - 1].second) {
      ++i;
      continue;
    }
    steps[i - 1].second = steps[i].second;
    steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(i));
  }
  batch.seed = request.seed;
  batch.trials = request.trials;
  return batch;
}

Result<std::vector<std::vector<std::uint16_t>>> AllValues(const ChipMapping& mapping,
                                                          const RunRequest& request) {
  std::vector<std::vector<std::uint16_t>> values;
  for (std::size_t row = 0; row < request.sets.size(); ++row) {
    auto fields = SetValues(mapping, request.profile, request.sets[row]);
    if (!fields) return tl::unexpected(fields.error());
    values.push_back(std::move(*fields));
  }
  return values;
}

}  // namespace

double HardwareTime(const DeviceConfig& config, const BatchRequest& batch, bool first) {
  double us = kProgramOverheadUs;
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    const bool written = i == 0 || batch.rows[i] != batch.rows[i - 1];
    us += written ? config.settle_us : config.trial_pause_us;
    us += kRecordingOverheadUs + static_cast<double>(batch.duration_cycles) / kCyclesPerUs;
  }
  return first ? us + config.first_settle_us - config.settle_us : us;
}

Result<BatchPlan> PlanBatches(const DeviceConfig& config, const ChipMapping& mapping,
                              const std::string& calibration_id, const RunRequest& request) {
  if (Status ok = CheckRequest(config, request); !ok) return tl::unexpected(ok.error());
  const Result<double> scale = StimulusScale(request.protocol);
  if (!scale) return tl::unexpected(scale.error());
  Result<FieldValues> fixed = FixedFields(mapping, request.profile, *scale == 0 ? 1 : *scale);
  if (!fixed) return tl::unexpected(fixed.error());
  const auto values = AllValues(mapping, request);
  if (!values) return tl::unexpected(values.error());

  BatchPlan plan{.open = {.neuron = config.neuron,
                          .calibration = config.calibration.string(),
                          .calibration_id = calibration_id,
                          .fixed = std::move(*fixed),
                          .readout_source = mapping.readout_source,
                          .fast_clock_scale = mapping.fast_clock_scale,
                          .slow_clock_scale = mapping.slow_clock_scale,
                          .settle_us = config.settle_us,
                          .first_settle_us = config.first_settle_us,
                          .trial_pause_us = config.trial_pause_us}};
  const std::uint64_t first_set = request.first_index / request.trials;
  BatchRequest batch = EmptyBatch(mapping, request);
  std::optional<std::uint64_t> written;  // Set of the last row.
  const auto close = [&] {
    plan.hardware_us.push_back(HardwareTime(config, batch, plan.batches.empty()));
    plan.batches.push_back(std::move(batch));
    batch = EmptyBatch(mapping, request);
    written.reset();
  };
  for (std::uint64_t e = request.first_index; e < request.first_index + request.count; ++e) {
    const std::uint64_t set = e / request.trials;
    if (batch.rows.empty()) batch.first_index = e;
    if (written != set) {
      const auto& row = (*values)[set - first_set];
      batch.codes.insert(batch.codes.end(), row.begin(), row.end());
      written = set;
    }
    batch.rows.push_back(static_cast<std::uint32_t>(batch.codes.size() / batch.fields.size() - 1));
    const bool full = HardwareTime(config, batch, false) >= config.batch_seconds * 1e6 ||
                      batch.rows.size() >= MostExperiments(request.protocol);
    if (full) close();
  }
  if (!batch.rows.empty()) close();
  return plan;
}

}  // namespace inferon::worker
