// The one interface between a worker and what runs experiments: the emulator, a chip, a fake.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/observation.h"
#include "common/neuron/parameters.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"

namespace inferon::worker {

// What a substrate is.
struct SubstrateDescription {
  std::string substrate;       // "emulator" or "brainscales2".
  std::string mode;            // "emulator", "hardware", "zeromock", "simulation" or "fake".
  std::string chip;            // Chip that it is bound to; empty: any.
  std::string calibration_id;  // Hex SHA-256; empty: none.
  std::vector<std::uint32_t> neurons = {};       // That it can run; empty: any.
  std::vector<std::string> profile_sha256 = {};  // Of the profiles that it can run; empty: any.
  double switch_seconds = 0;  // Substrate time that changing to another set-up costs.
};

// A run of consecutive experiments of a job. Experiment e is trial (e % trials) of set (e /
// trials).
struct RunRequest {
  Profile profile;
  Protocol protocol;
  DeviceId device;
  std::uint64_t seed = 0;
  std::uint32_t trials = 1;
  std::uint64_t first_index = 0;  // Index, in the job, of the first experiment.
  std::uint32_t count = 0;        // Experiments.
  ParameterSets sets;             // Row 0 is set (first_index / trials) of the job.
};

// How far a device can be trusted.
enum class DeviceHealth {
  kGood = 1,
  kSuspect,  // Works, but its canary has drifted: results are marked.
  kBad,      // Takes no work.
};
constexpr std::string_view Name(DeviceHealth health) {
  return health == DeviceHealth::kGood      ? "good"
         : health == DeviceHealth::kSuspect ? "suspect"
                                            : "bad";
}

struct HealthReport {
  DeviceHealth health = DeviceHealth::kGood;
  std::string note;  // Why, for people; may be empty.
};

// On an emulator, seed, set index and trial decide every random number: the result depends neither
// on the split into shards nor on the worker.
class Substrate {
 public:
  virtual ~Substrate() = default;
  virtual SubstrateDescription Describe() const = 0;
  // Runs the experiments; kCancelled when stopped, kInvalidArgument for settings that this
  // substrate can never run, other codes for failures that may pass. One call at a time.
  virtual Result<ObservationBatch> Run(const RunRequest& request, std::stop_token stop) = 0;
  // Ready to take work. Thread-safe, as is Report, also while Run runs.
  virtual Status Health() = 0;
  // The health as people see it.
  virtual HealthReport Report() {
    const Status health = Health();
    if (health) return {};
    return {DeviceHealth::kBad, health.error().message};
  }
};

}  // namespace inferon::worker
