// Health checks: features of canary runs on a control chart, and what follows for the worker.
// Functions of a snapshot; nothing here knows a kind of substrate.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// Features (common/features) of each of `sets` parameter sets, averaged over its trials, set after
// set. NaN: missing in more than half of the trials.
std::vector<double> CanaryFeatures(const ObservationBatch& batch, const Protocol& protocol,
                                   std::uint32_t trials);

// Which checks are compared with each other: those of the same canary, neuron and calibration; on
// workers that are not bound to a chip the worker does not matter.
std::string ChartName(const Canary& canary, const Capabilities& can);

struct Judgement {
  Verdict verdict = Verdict::kFailed;
  std::string message;  // What is outside the limits; empty where nothing is.
};

// Shewhart's chart: a value is inside when it lies within limit_sigmas standard deviations of the
// mean of the stored values. The deviation is that of the stored values, but at least the
// feature's resolution (one sampling step, one count of the converter, half a spike, 1 % of the
// mean), so that a substrate which repeats itself exactly is not judged by its last digit. With
// fewer than baseline_checks stored values the check becomes one of them.
Judgement Judge(std::span<const std::vector<double>> stored, const std::vector<double>& features,
                const Canary& canary);

struct HealthStep {
  WorkerHealth health = WorkerHealth::kUnknown;
  std::uint64_t good_checks = 0;  // In a row.
};

// Health after a check. One outlier makes suspect, a second in a row (or a check that did not run)
// bad; two good ones in a row make a bad worker good again.
HealthStep AfterCheck(HealthStep before, Verdict verdict);

// A worker with a canary takes work of users while it is good only.
constexpr bool MayServe(WorkerHealth health) { return health == WorkerHealth::kGood; }

// Whether a check is due: never checked since it came, its doubtful health has to be settled, or
// the last check is an interval old. A bad worker is checked again after an interval, and at once
// after a first good check.
bool CheckIsDue(HealthStep step, std::optional<std::chrono::duration<double>> since_last,
                const Canary& canary);

}  // namespace inferon::scheduler
