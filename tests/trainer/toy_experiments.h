// Experiments run in process by a toy neuron: a pure function of job, index and trial.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "server/trainer/studies/experiments.h"
#include "server/trainer/studies/study_spec.h"

namespace inferon::trainer {

// Codes of the first parameter from here on make a relevant neuron (1..50 spikes); below, it is
// silent or fires 100 times.
inline constexpr std::uint16_t kToyRelevant = 900;

// A protocol of 40 points, and a study of a few hundred experiments on it.
Protocol ToyProtocol();
StudySpec ToySpec();
// Observation of the toy for one parameter set.
ObservationBatch ToyObservations(const ExperimentJob& job, std::uint64_t first,
                                 std::uint64_t count);

// Thread-safe. Remembers in a folder what was submitted under which id, over restarts, and refuses
// another content as a scheduler does.
class ToyExperiments : public Experiments {
 public:
  explicit ToyExperiments(std::filesystem::path folder);

  Result<std::string> Submit(const ExperimentJob& job, std::stop_token stop) override;
  Status Collect(const std::string& job_name, std::uint64_t experiments, std::stop_token stop,
                 const std::function<Status(ExperimentResults)>& take) override;
  Status Cancel(const std::string& job_name, std::stop_token stop) override;

  std::set<std::string> cancelled() const;
  std::set<std::string> submitted() const;
  std::map<std::string, ExperimentJob> jobs() const;  // By name.

  // Changes what the toy answers; set before use.
  std::function<bool(const ExperimentJob&, std::uint64_t index)> fails;  // For good.
  std::function<Status(const ExperimentJob&)> refuse;                    // At submission.
  std::function<std::string(const ExperimentJob&)> mode;  // Of the device, in the provenance.
  bool hang = false;                                      // Collect waits until it is stopped.

 private:
  const std::filesystem::path folder_;
  mutable std::mutex mu_;
  std::map<std::string, ExperimentJob> jobs_;  // Guarded by mu_; by name.
  std::set<std::string> cancelled_;            // Guarded by mu_.
};

}  // namespace inferon::trainer
