// Conditional and marginal posteriors: draws, densities and modes of p(kept | fixed, x), with the
// rest of the parameters integrated out.
//
// Everything comes from slices (slice.h). With Z(S) the mass of the slice that holds the columns S
// fixed, p(kept | fixed, x) = Z(kept and fixed) / Z(fixed); Z of all columns is the estimator's own
// density, and Z of none is the share of its draws that lie in the support. So a conditional
// density has one estimated number, the same for all points, and a marginal one another for each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/priors/partition.h"
#include "server/trainer/queries/mode_search.h"
#include "server/trainer/queries/slice.h"

namespace inferon::trainer {

// Not thread-safe.
class RestrictedPosterior {
 public:
  struct Draws {
    std::vector<double> theta;  // [n, kept], in the parameters' own units.
    // [n], log p(draw | conditions, x) in the posterior's unit; empty where parameters are
    // integrated out.
    std::vector<double> log_density;
  };
  struct Densities {
    std::vector<double> log_density;     // [n]; -inf outside the support.
    std::vector<double> standard_error;  // [n]
  };

  // What `posterior` refers to outlives the result. All that follows is a function of (posterior,
  // restriction, seed). Errors of Divide before any work; kFailedPrecondition where the posterior
  // has next to no mass at the conditions; kCancelled when stopped.
  static Result<std::unique_ptr<RestrictedPosterior>> Make(SpacePosterior posterior,
                                                           const Restriction& restriction,
                                                           std::uint64_t seed,
                                                           std::stop_token stop);

  std::size_t columns() const { return partition_.kept.size(); }
  // The next draws, `count` of them; however they are grouped into calls, they are the same.
  Result<Draws> Next(std::size_t count, std::stop_token stop);
  // Of rows [n, kept] in the parameters' own units. kInvalidArgument for more than kMostIntegrals
  // rows where parameters are integrated out.
  Result<Densities> LogDensity(std::span<const double> rows, std::stop_token stop);
  // The mode over the free parameters, searched from the best of `draws` conditional draws.
  // kInvalidArgument where the restriction names parameters.
  Result<SpaceMode> Mode(std::uint64_t draws, std::stop_token stop);

  // Complete once the answers are there.
  RestrictionReport Report() const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  RestrictedPosterior(SpacePosterior posterior, Partition partition, std::uint64_t seed)
      : posterior_(std::move(posterior)), partition_(std::move(partition)), seed_(seed) {}

  Status FitConditions(std::stop_token stop);
  Status CheckPlace(const SliceColumns& columns);
  Status EnsurePilot(std::stop_token stop);
  // Draws of all parameters, whole rows: without conditions.
  Result<std::vector<float>> NextOfAll(std::size_t count, std::stop_token stop);
  // Slice of the fixed columns and of these kept ones, [kept] in their own units.
  SliceColumns ColumnsOf(std::span<const double> kept) const;
  Result<Densities> Integrals(std::span<const double> rows, std::stop_token stop);
  Result<Densities> WholeSets(std::span<const double> rows, std::stop_token stop);
  // Rows [n, dimension] in the space, integers at their centres, from rows of kept columns.
  std::vector<float> FullRows(std::span<const double> kept) const;
  bool InSupport(std::span<const double> row) const;
  double LogUnits(std::span<const double> row) const;
  // log Z(fixed) with its standard error.
  SliceMass Normaliser() const;
  std::string Method() const;

  const SpacePosterior posterior_;
  const Partition partition_;
  const std::uint64_t seed_;
  std::optional<Pilot> pilot_;
  std::optional<Slice> slice_;                 // Of the conditions.
  std::uint64_t attempts_ = 0, accepted_ = 0;  // Of draws without conditions.
  std::vector<float> waiting_;
  std::optional<SliceMass> last_integral_;
  std::vector<std::string> warnings_;
};

}  // namespace inferon::trainer
