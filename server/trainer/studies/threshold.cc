#include "server/trainer/studies/threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/check.h"

namespace inferon::trainer {
namespace {

double Share(std::uint64_t hits, std::uint64_t count) {
  return count == 0 ? std::numeric_limits<double>::quiet_NaN()
                    : static_cast<double>(hits) / static_cast<double>(count);
}

}  // namespace

Result<ThresholdChoice> ChooseThreshold(std::span<const float> scores,
                                        std::span<const std::uint8_t> relevant,
                                        double allowed_rate) {
  INFERON_CHECK(scores.size() == relevant.size());
  std::vector<float> positives;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (relevant[i] != 0) positives.push_back(scores[i]);
  }
  std::sort(positives.begin(), positives.end());
  const std::uint64_t n = positives.size();
  if (n == 0 || statistics::ClopperPearsonUpper(0, n) > allowed_rate) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("the calibration round has {} relevant draws among {}, too few to bound "
                    "a false-negative rate of {}",
                    n, scores.size(), allowed_rate),
        fmt::format("Enlarge the calibration round until it has about {} relevant draws, "
                    "or allow a higher rate",
                    static_cast<int>(std::ceil(std::log(0.05) / std::log1p(-allowed_rate)))));
  }
  std::uint64_t missed = 0;
  while (missed + 1 < n && statistics::ClopperPearsonUpper(missed + 1, n) <= allowed_rate) ++missed;
  ThresholdChoice choice{.threshold = positives[missed], .relevant = n};
  choice.missed = static_cast<std::uint64_t>(
      std::lower_bound(positives.begin(), positives.end(), choice.threshold) - positives.begin());
  choice.bound = statistics::ClopperPearsonUpper(choice.missed, n);
  return choice;
}

double ThresholdAudit::FalseNegativeRate() const { return Share(missed, relevant); }
double ThresholdAudit::FalseNegativeBound() const {
  return statistics::ClopperPearsonUpper(missed, relevant);
}
double ThresholdAudit::Precision() const { return Share(accepted_relevant, accepted); }
double ThresholdAudit::Acceptance() const { return Share(accepted, draws); }

ThresholdAudit AuditThreshold(std::span<const float> scores, std::span<const std::uint8_t> relevant,
                              float threshold) {
  INFERON_CHECK(scores.size() == relevant.size());
  ThresholdAudit audit{.draws = scores.size()};
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool inside = scores[i] >= threshold;
    audit.accepted += inside;
    audit.relevant += relevant[i] != 0;
    audit.accepted_relevant += inside && relevant[i] != 0;
    audit.missed += !inside && relevant[i] != 0;
  }
  return audit;
}

}  // namespace inferon::trainer
