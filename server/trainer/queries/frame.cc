#include "server/trainer/queries/frame.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "common/base/check.h"
#include "server/trainer/estimators/unit_line.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kMostAttempts = 32;  // For each draw that is wanted.
constexpr std::size_t kLeastDraws = 64;
constexpr double kLeastScale = 1e-6;
constexpr double kEnd = 5.42;  // Normal quantile of 1 - 2^-25, which single precision ends at.

}  // namespace

Frame::Frame(const ThetaSpace& space, std::span<const float> rows) {
  const std::size_t d = space.dimension();
  const double n = static_cast<double>(rows.size() / d);
  INFERON_CHECK(n > 0);
  for (std::size_t j = 0; j < d; ++j) {
    bounded_.push_back(space.map(j).bounded() ? 1 : 0);
    double sum = 0, squares = 0;
    for (std::size_t i = j; i < rows.size(); i += d) {
      const double z = ToLine(j, rows[i]);
      sum += z;
      squares += z * z;
    }
    mean_.push_back(sum / n);
    const double variance = squares / n - mean_[j] * mean_[j];
    scale_.push_back(std::max(kLeastScale, std::sqrt(std::max(variance, 0.0))));
  }
}

double Frame::ToLine(std::size_t column, float u) const {
  return bounded_[column] != 0 ? estimators::UnitToLine(u) : double{u};
}

double Frame::FromSpace(std::size_t column, float u) const {
  return (ToLine(column, u) - mean_[column]) / scale_[column];
}

float Frame::ToSpace(std::size_t column, double w) const {
  const double z = mean_[column] + scale_[column] * w;
  return bounded_[column] != 0 ? estimators::LineToUnit(z) : static_cast<float>(z);
}

double Frame::LogSlope(std::size_t column, double w) const {
  const double z = mean_[column] + scale_[column] * w;
  return std::log(scale_[column]) - (bounded_[column] != 0 ? estimators::LogUnitToLineSlope(z) : 0);
}

double Frame::Lowest(std::size_t column) const { return (-kEnd - mean_[column]) / scale_[column]; }
double Frame::Highest(std::size_t column) const { return (kEnd - mean_[column]) / scale_[column]; }

Result<Pilot> DrawPilot(const SpacePosterior& posterior, std::size_t count, std::uint64_t seed,
                        std::stop_token stop) {
  const std::size_t d = posterior.dimension();
  SpaceDraws all;
  while (all.accepted < count && all.attempts < kMostAttempts * count) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the query was cancelled");
    const SpaceDraws more = DrawInSpace(posterior, count, seed, all.attempts);
    all.rows.insert(all.rows.end(), more.rows.begin(), more.rows.end());
    all.attempts += more.attempts;
    all.accepted += more.accepted;
  }
  if (all.accepted < kLeastDraws) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("only {} of {} draws lie in the constrained prior", all.accepted, all.attempts),
        "The observation is probably far from the training data: check it, or use another "
        "model");
  }
  Pilot pilot{{}, Frame(posterior.space, all.rows), all.attempts};
  pilot.places.reserve(all.rows.size());
  for (std::size_t i = 0; i < all.rows.size(); ++i) {
    pilot.places.push_back(pilot.frame.FromSpace(i % d, all.rows[i]));
  }
  return pilot;
}

}  // namespace inferon::trainer
