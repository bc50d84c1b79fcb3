// How a study gets experiments run: the scheduler, or something in process for tests.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/observation.h"
#include "common/neuron/parameters.h"
#include "common/neuron/protocol.h"

namespace inferon::trainer {

// A batch of experiments. Experiment e is trial (e mod trials) of set (e div trials).
struct ExperimentJob {
  std::string project = "default";  // Id.
  std::string request_id;           // [A-Za-z0-9._-]{1,100}; the same id runs once.
  std::string title;
  ParameterSets sets;
  std::uint32_t trials = 1;
  std::string profile_toml;
  Protocol protocol;
  DeviceId device;
  std::uint64_t seed = 0;
  std::string substrate = "emulator";
  std::int32_t priority = 0;
};

// Results of consecutive experiments: observations, or why all of them failed for good.
struct ExperimentResults {
  std::uint64_t first_index = 0;
  std::uint32_t count = 0;
  ObservationBatch observations;  // size() == count, or 0 where they failed.
  std::string error;              // Empty where they succeeded.
};

// Thread-safe. Calls end with kCancelled when a stop is requested.
class Experiments {
 public:
  virtual ~Experiments() = default;
  // Submits once (idempotent by request id) and returns the job's name.
  virtual Result<std::string> Submit(const ExperimentJob& job, std::stop_token stop) = 0;
  // Hands over all results of a job in index order, each once, waiting for those that are not done.
  // An error of `take` ends the call and is returned. kFailedPrecondition where the job was
  // cancelled before all results were there.
  virtual Status Collect(const std::string& job_name, std::uint64_t experiments,
                         std::stop_token stop,
                         const std::function<Status(ExperimentResults)>& take) = 0;
  // Cancels a job; one that has ended stays as it is.
  virtual Status Cancel(const std::string& job_name, std::stop_token stop) = 0;
};

}  // namespace inferon::trainer
