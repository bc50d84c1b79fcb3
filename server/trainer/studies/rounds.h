// Rounds of experiments: parameter sets on disk, jobs at the scheduler, data set on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "common/neuron/device.h"
#include "common/neuron/parameters.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_context.h"

namespace inferon::trainer {

// A round of experiments of a study.
struct Round {
  std::string name;  // Of its data set: "uniform", "check-features".
  std::string step;  // That shows its progress.
  ParameterSets sets;
  std::uint32_t trials = 1;
  std::int32_t priority = 0;
  double failed_share = 0;              // Experiments that may fail for good.
  std::optional<DeviceId> device = {};  // Empty: the study's.
};

// Runs a round and writes its data set; does nothing where the data set is there already. The jobs'
// ids and seeds follow from study, round and sets, so that a second run finds the jobs of the
// first.
Status RunRound(const StudyContext& study, const Round& round, std::stop_token stop);

// Seed for something random in a study, from the study's seed and a name.
std::uint64_t DerivedSeed(std::uint64_t seed, std::string_view name);

// The rounds of the pipeline.
Status RunUniformRound(const StudyContext& study, const std::string& step, std::uint32_t count,
                       std::int32_t priority, std::stop_token stop);
Status RunConstrainedRound(const StudyContext& study, const std::string& step, std::uint32_t count,
                           std::int32_t priority, std::stop_token stop);
// The parameter sets of the validation round again, in another hardware run of the same neuron.
Status RunOtherRun(const StudyContext& study, std::stop_token stop);
inline constexpr const char* kOtherRun = "validation-other-run";  // Name of its data set.

// Effort of a constrained round: <step>.draws.json.
struct DrawEffort {
  std::uint64_t accepted = 0;
  std::uint64_t candidates = 0;
};
Result<DrawEffort> ReadDrawEffort(const StudyContext& study, const std::string& step);

}  // namespace inferon::trainer
