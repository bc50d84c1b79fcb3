// How candidates of a slice are drawn: the posterior where some columns are held fixed.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "server/trainer/queries/frame.h"
#include "server/trainer/queries/mixture_proposal.h"

namespace inferon::trainer {

// Columns that are held fixed, with their places in the frame; the others are free.
struct SliceColumns {
  std::vector<std::size_t> fixed;
  std::vector<double> at;         // [fixed]
  std::vector<std::size_t> free;  // Ascending, at least one.
};

// Places in the free columns that a proposal is made from.
struct ProposalPoints {
  std::vector<double> places;      // [n, free]
  std::vector<double> covariance;  // [free, free]
  std::size_t centres = 0;         // The first so many of the places are kernels' centres.
};

// A first guess: the draws nearest to the condition, moved along a linear regression of the free
// on the fixed columns (Beaumont, Zhang and Balding, Genetics 162, 2002).
ProposalPoints NearestDraws(const Pilot& pilot, const SliceColumns& columns, std::size_t centres);

// The next guess from weighted candidates ([n, free], log weights [n], some above -inf): centres
// are drawn by weight, the covariance is theirs (population Monte Carlo: Cappe et al., J. Comp.
// Graph. Stat. 13, 2004). Where the weight lies on few candidates, `before` gives the covariance.
ProposalPoints Reweighted(std::span<const double> places, std::span<const double> log_weights,
                          const ProposalPoints& before, std::size_t centres);

MixtureProposal MakeProposal(const ProposalPoints& points, const Frame& frame,
                             const std::vector<std::size_t>& free);

// Summary of importance weights.
struct WeightSummary {
  double log_mean = 0;         // -inf where there is no weight at all.
  double relative_error = 0;   // Standard error of the mean over the mean.
  double effective_share = 0;  // Effective sample size over n.
};
WeightSummary Summarise(std::span<const double> log_weights);

// The place of a condition among a posterior's draws, by the distance to the nearest of them.
struct ConditionPlace {
  double share = 1;     // Of draws that lie at places as sparse as this one.
  double distance = 0;  // In units of the sparsest draw's, or of the posterior's deviations.
};
ConditionPlace PlaceOf(const Pilot& pilot, const SliceColumns& columns);

}  // namespace inferon::trainer
