// Unbounded, standardised coordinates of the estimator's space: bounded columns go to the line by
// the normal quantile (so that a uniform prior is the normal), then all are centred and scaled by
// draws of a posterior.
#pragma once

#include <span>
#include <vector>

#include "server/trainer/queries/space_posterior.h"

namespace inferon::trainer {

// Immutable.
class Frame {
 public:
  // rows: [n, dimension] in the space, n > 0.
  Frame(const ThetaSpace& space, std::span<const float> rows);

  std::size_t dimension() const { return mean_.size(); }
  double FromSpace(std::size_t column, float u) const;
  float ToSpace(std::size_t column, double w) const;
  // log |du / dw|
  double LogSlope(std::size_t column, double w) const;
  // Where the prior's centre lies and how wide it is, in the frame: exactly so for a prior that is
  // known, about so for one that is known by its draws.
  double PriorCentre(std::size_t column) const { return -mean_[column] / scale_[column]; }
  double PriorWidth(std::size_t column) const { return 1 / scale_[column]; }
  // Places beyond which a bounded column cannot be told from its ends.
  double Lowest(std::size_t column) const;
  double Highest(std::size_t column) const;
  bool IsBounded(std::size_t column) const { return bounded_[column] != 0; }

 private:
  double ToLine(std::size_t column, float u) const;

  std::vector<std::uint8_t> bounded_;
  std::vector<double> mean_, scale_;
};

// Draws in the support that a query learns the posterior's shape from.
struct Pilot {
  std::vector<double> places;  // [n, dimension] in the frame.
  Frame frame;
  std::uint64_t attempts = 0;
  std::size_t size() const { return places.size() / frame.dimension(); }
  std::span<const double> Row(std::size_t i) const {
    return std::span(places).subspan(i * frame.dimension(), frame.dimension());
  }
};
// `count` draws or, where few of the estimator's draws lie in the support, as many as 32 times as
// many attempts give; kFailedPrecondition where these are fewer than 64. kCancelled when stopped.
Result<Pilot> DrawPilot(const SpacePosterior& posterior, std::size_t count, std::uint64_t seed,
                        std::stop_token stop);

}  // namespace inferon::trainer
