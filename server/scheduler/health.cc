#include "server/scheduler/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/hash.h"
#include "common/features/features.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

constexpr std::size_t kMostNamed = 4;  // Outliers that a message names.

// Smallest deviation that counts, in the feature's unit, in the order of Feature.
constexpr std::array<double, kFeatureCount> kResolution{
    0.5,                     // Spike count.
    1,    1,    1,           // Latency and intervals: a sampling step, us.
    0.02, 0.02,              // Coefficient of variation, adaptation index.
    1,    1,    1, 1, 0.02,  // Voltages: a count; width: us; time as a fraction.
    1,                       // Baseline: a count.
};
constexpr double kRelativeResolution = 0.01;

struct Chart {
  double mean = 0;
  double reach = 0;
  bool missing = false;
};

Chart ChartOf(std::span<const std::vector<double>> stored, std::size_t at, double sigmas) {
  double sum = 0;
  std::size_t count = 0;
  for (const auto& values : stored) {
    if (std::isnan(values[at])) continue;
    sum += values[at];
    ++count;
  }
  if (2 * count < stored.size() || count == 0) return {0, 0, true};
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (const auto& values : stored) {
    if (!std::isnan(values[at])) squares += (values[at] - mean) * (values[at] - mean);
  }
  const double deviation = count > 1 ? std::sqrt(squares / static_cast<double>(count - 1)) : 0;
  const double least =
      std::max(kResolution[at % kFeatureCount], kRelativeResolution * std::abs(mean));
  return {mean, sigmas * std::max(deviation, least), false};
}

std::string NameAt(std::size_t at) {
  return fmt::format("{} of set {}", FeatureName(static_cast<Feature>(at % kFeatureCount)),
                     at / kFeatureCount);
}

}  // namespace

std::vector<double> CanaryFeatures(const ObservationBatch& batch, const Protocol& protocol,
                                   std::uint32_t trials) {
  const std::size_t sets = batch.size() / trials;
  std::vector<double> means(sets * kFeatureCount);
  for (std::size_t set = 0; set < sets; ++set) {
    std::array<double, kFeatureCount> sums{};
    std::array<std::uint32_t, kFeatureCount> counts{};
    for (std::uint32_t trial = 0; trial < trials; ++trial) {
      const Features features = ExtractFeatures(Extract(batch, set * trials + trial), protocol);
      for (std::size_t f = 0; f < kFeatureCount; ++f) {
        if (IsMissing(features[f])) continue;
        sums[f] += features[f];
        ++counts[f];
      }
    }
    for (std::size_t f = 0; f < kFeatureCount; ++f) {
      const bool there = 2 * counts[f] > trials;
      means[set * kFeatureCount + f] = there ? sums[f] / counts[f] : std::nan("");
    }
  }
  return means;
}

std::string ChartName(const Canary& canary, const Capabilities& can) {
  const DeviceId& device = canary.spec.device;
  return fmt::format("{}/{}/{}/{}/{}/{}", canary.substrate, canary.revision,
                     can.chip.empty() ? device.chip : can.chip, device.neuron,
                     can.mode.empty() ? "-" : can.mode,
                     can.calibration_id.empty() ? "-" : can.calibration_id);
}

Judgement Judge(std::span<const std::vector<double>> stored, const std::vector<double>& features,
                const Canary& canary) {
  if (stored.size() < canary.baseline_checks) return {Verdict::kBaseline, ""};
  std::vector<std::string> outside;
  for (std::size_t at = 0; at < features.size(); ++at) {
    const Chart limits = ChartOf(stored, at, canary.limit_sigmas);
    if (limits.missing != std::isnan(features[at])) {
      outside.push_back(
          fmt::format("{} is {} now", NameAt(at), limits.missing ? "there" : "missing"));
    } else if (!limits.missing && std::abs(features[at] - limits.mean) > limits.reach) {
      outside.push_back(fmt::format("{} is {:.4g}, outside {:.4g} ± {:.2g}", NameAt(at),
                                    features[at], limits.mean, limits.reach));
    }
  }
  if (outside.empty()) return {Verdict::kGood, ""};
  const std::size_t more = outside.size() - std::min(outside.size(), kMostNamed);
  outside.resize(outside.size() - more);
  return {Verdict::kOutlier, fmt::format("{}{}", fmt::join(outside, "; "),
                                         more == 0 ? "" : fmt::format("; and {} more", more))};
}

HealthStep AfterCheck(HealthStep before, Verdict verdict) {
  if (verdict == Verdict::kGood || verdict == Verdict::kBaseline) {
    const std::uint64_t row = before.good_checks + 1;
    if (before.health == WorkerHealth::kBad && row < 2) return {WorkerHealth::kBad, row};
    return {WorkerHealth::kGood, row};
  }
  const bool doubtful =
      before.health == WorkerHealth::kSuspect || before.health == WorkerHealth::kBad;
  const bool bad = doubtful || verdict == Verdict::kFailed;
  return {bad ? WorkerHealth::kBad : WorkerHealth::kSuspect, 0};
}

bool CheckIsDue(HealthStep step, std::optional<std::chrono::duration<double>> since_last,
                const Canary& canary) {
  const bool open = step.health == WorkerHealth::kUnknown ||
                    step.health == WorkerHealth::kSuspect ||
                    (step.health == WorkerHealth::kBad && step.good_checks > 0);
  return open || !since_last || since_last->count() >= canary.interval_seconds;
}

}  // namespace inferon::scheduler
