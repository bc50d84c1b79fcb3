#include "worker/emulator/emulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "worker/emulator/instance.h"
#include "worker/emulator/kernel_choice.h"
#include "worker/emulator/lane.h"
#include "worker/emulator/schedule.h"

namespace inferon::worker {
namespace {

// To be raised when the same request gives other numbers than before.
constexpr int kEmulatorVersion = 2;
constexpr std::uint64_t kMaxTraceValues = std::uint64_t{1} << 30;
constexpr std::size_t kMaxChipName = 64;

Status ValidateDevice(const DeviceId& device) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (device.chip.empty() || device.chip.size() > kMaxChipName ||
      !std::all_of(device.chip.begin(), device.chip.end(), plain)) {
    return InvalidArgument(fmt::format("'{}' is no name of a chip", device.chip),
                           "Use 1 to 64 of the characters A-Z a-z 0-9 . _ -");
  }
  if (device.neuron > kMaxNeuron || device.run > kMaxRun) {
    return InvalidArgument(
        fmt::format("neuron {} or run {} is out of range", device.neuron, device.run),
        fmt::format("Use neurons 0..{} and runs 0..{}", kMaxNeuron, kMaxRun));
  }
  return {};
}

// Rows that a request must carry.
std::size_t RowsOf(const RunRequest& request) {
  const std::uint64_t first = request.first_index / request.trials;
  const std::uint64_t last = (request.first_index + request.count - 1) / request.trials;
  return static_cast<std::size_t>(last - first + 1);
}

Status ValidateSets(const RunRequest& request) {
  const std::size_t dimension = request.profile.dimension();
  if (request.sets.dimension != dimension || dimension == 0) {
    return InvalidArgument(fmt::format("a parameter set has {} codes, the profile '{}' has {} free "
                                       "parameters",
                                       request.sets.dimension, request.profile.name, dimension),
                           "Give one code for each free parameter, in the profile's order");
  }
  if (request.sets.codes.size() != RowsOf(request) * dimension) {
    return InvalidArgument(
        fmt::format("{} experiments from index {} on need {} parameter sets, "
                    "not {} codes",
                    request.count, request.first_index, RowsOf(request), request.sets.codes.size()),
        "Give a row for each set that the experiments touch");
  }
  for (std::size_t i = 0; i < request.sets.codes.size(); ++i) {
    if (request.sets.codes[i] > kMaxCode) {
      return InvalidArgument(fmt::format("code {} of {} is outside 0..{}", request.sets.codes[i],
                                         request.profile.ParameterNames()[i % dimension], kMaxCode),
                             "Use codes 0..1022; 1023 would switch the cell off");
    }
  }
  return {};
}

Status Validate(const RunRequest& request) {
  if (Status valid = ValidateProtocol(request.protocol); !valid) return valid;
  if (Status valid = ValidateDevice(request.device); !valid) return valid;
  if (request.trials == 0 || request.count == 0) {
    return InvalidArgument("the request has no experiment",
                           "Ask for at least one trial of one set");
  }
  if (std::uint64_t{request.count} * request.protocol.Points() > kMaxTraceValues) {
    return InvalidArgument(fmt::format("{} traces of {} points are too many for one run",
                                       request.count, request.protocol.Points()),
                           "Split the request");
  }
  return ValidateSets(request);
}

// The protocol belongs to it: features of stored observations need the stimulus window.
nlohmann::json ProtocolJson(const Protocol& protocol) {
  nlohmann::json steps = nlohmann::json::array();
  for (const CurrentStep& step : protocol.steps) {
    steps.push_back({step.start_us, step.stop_us, step.scale});
  }
  return {{"steps", steps},
          {"duration_us", protocol.duration_us},
          {"grid_step_us", protocol.grid_step_us}};
}

std::string Provenance(const RunRequest& request) {
  const nlohmann::json provenance = {{"substrate", "emulator"},
                                     {"emulator_version", kEmulatorVersion},
                                     {"profile", request.profile.name},
                                     {"profile_sha256", request.profile.sha256},
                                     {"chip", request.device.chip},
                                     {"neuron", request.device.neuron},
                                     {"run", request.device.run},
                                     {"seed", request.seed},
                                     {"protocol", ProtocolJson(request.protocol)}};
  return provenance.dump();
}

// One request on its way through the threads. Blocks of kLanes experiments are claimed one by one;
// each writes to its own part of the result, so the split does not show.
class Execution {
 public:
  Execution(const RunRequest& request, Kernel kernel)
      : request_(request),
        kernel_(kernel),
        schedule_(request.profile, request.protocol, request.seed),
        device_(request.profile, request.device, request.seed),
        spikes_((request.count + kLanes - 1) / kLanes) {
    batch_.points = request.protocol.Points();
    batch_.trace.resize(request.count * batch_.points);
    batch_.spike_count.resize(request.count);
    batch_.provenance = Provenance(request);
  }

  std::size_t Blocks() const { return spikes_.size(); }

  // Runs blocks until none is left or a stop is requested. An exception ends this thread's work
  // and is kept for Finish.
  void Work(std::stop_token stop) noexcept {
    try {
      Scratch scratch(batch_.points, schedule_.SpikeCapacity());
      while (!stop.stop_requested() && !failed_.load(std::memory_order_relaxed)) {
        const std::size_t block = next_.fetch_add(1, std::memory_order_relaxed);
        if (block >= Blocks()) return;
        RunBlock(block, scratch);
      }
    } catch (...) {
      const std::lock_guard lock(mu_);
      if (!error_) error_ = std::current_exception();
      failed_ = true;
    }
  }

  // After all threads have ended: the whole batch. Throws what a thread threw.
  ObservationBatch Finish() {
    if (error_) std::rethrow_exception(error_);
    for (const std::vector<float>& times : spikes_) {
      batch_.spike_time_us.insert(batch_.spike_time_us.end(), times.begin(), times.end());
    }
    return std::move(batch_);
  }

 private:
  struct Scratch {
    Scratch(std::size_t points, std::uint32_t capacity)
        : unused_trace(points),
          times(std::make_unique_for_overwrite<float[]>(std::size_t{kLanes} * capacity)) {}
    LaneCoefficients lanes;
    std::vector<std::uint16_t> unused_trace;  // Of lanes beyond the last experiment.
    std::unique_ptr<float[]> times;  // Mostly untouched: few neurons fire at their largest rate.
  };

  void RunBlock(std::size_t block, Scratch& scratch) {
    const std::size_t first = block * kLanes;
    const std::size_t used = std::min<std::size_t>(kLanes, request_.count - first);
    const std::uint32_t capacity = schedule_.SpikeCapacity();
    KernelOutput output{};
    output.spike_capacity = capacity;
    for (std::size_t i = 0; i < kLanes; ++i) {
      FillLaneFor(first + std::min(i, used - 1), static_cast<int>(i), scratch.lanes);
      output.trace[i] = i < used ? batch_.trace.data() + (first + i) * batch_.points
                                 : scratch.unused_trace.data();
      output.spike_time_us[i] = scratch.times.get() + i * capacity;
    }
    kernel_(scratch.lanes, schedule_.kernel(), output);
    for (std::size_t i = 0; i < used; ++i) {
      batch_.spike_count[first + i] = output.spike_count[i];
      spikes_[block].insert(spikes_[block].end(), output.spike_time_us[i],
                            output.spike_time_us[i] + output.spike_count[i]);
    }
  }

  void FillLaneFor(std::size_t experiment, int lane, LaneCoefficients& lanes) const {
    const std::uint64_t index = request_.first_index + experiment;
    const std::uint64_t set = index / request_.trials;
    const std::uint64_t row = set - request_.first_index / request_.trials;
    const auto trial = static_cast<std::uint32_t>(index % request_.trials);
    const NeuronInstance neuron = device_.Write(request_.sets[row], set, trial);
    FillLane(request_.profile, neuron, {set, trial}, request_.seed, lane, lanes);
  }

  const RunRequest& request_;
  const Kernel kernel_;
  const Schedule schedule_;
  const DeviceModel device_;
  ObservationBatch batch_;                  // Each block has its own rows.
  std::vector<std::vector<float>> spikes_;  // Each block has its own entry.
  std::atomic<std::size_t> next_{0};        // Next block.
  std::atomic<bool> failed_{false};
  std::mutex mu_;
  std::exception_ptr error_;  // Guarded by mu_ while threads run.
};

class Emulator : public Substrate {
 public:
  explicit Emulator(const EmulatorOptions& options)
      : threads_(options.threads > 0 ? options.threads
                                     : std::max(1u, std::thread::hardware_concurrency())),
        kernel_(options.kernel != nullptr ? options.kernel : BestKernel()) {}

  SubstrateDescription Describe() const override {
    return {.substrate = "emulator", .mode = "emulator", .chip = "", .calibration_id = ""};
  }

  Result<ObservationBatch> Run(const RunRequest& request, std::stop_token stop) override {
    if (Status valid = Validate(request); !valid) return tl::unexpected(valid.error());
    try {
      Execution execution(request, kernel_);
      RunThreads(execution, stop);
      if (stop.stop_requested()) {
        return Fail(ErrorCode::kCancelled, "the run was stopped before its end");
      }
      return execution.Finish();
    } catch (const std::bad_alloc&) {
      return Fail(ErrorCode::kResourceExhausted, "the run does not fit into memory",
                  "Run fewer experiments at a time");
    } catch (const std::exception& exception) {
      return Fail(ErrorCode::kInternal, std::string("the emulator failed: ") + exception.what());
    }
  }

  Status Health() override { return {}; }

 private:
  void RunThreads(Execution& execution, std::stop_token stop) const {
    const std::size_t helpers = std::min<std::size_t>(threads_, execution.Blocks()) - 1;
    std::vector<std::jthread> pool;  // Joined on leaving.
    for (std::size_t i = 0; i < helpers; ++i) {
      pool.emplace_back([&execution, stop] { execution.Work(stop); });
    }
    execution.Work(stop);
  }

  const std::size_t threads_;
  const Kernel kernel_;
};

}  // namespace

std::unique_ptr<Substrate> MakeEmulator(const EmulatorOptions& options) {
  return std::make_unique<Emulator>(options);
}

}  // namespace inferon::worker
