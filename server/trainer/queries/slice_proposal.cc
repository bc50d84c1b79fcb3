#include "server/trainer/queries/slice_proposal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace inferon::trainer {
namespace {

constexpr std::size_t kLeastNeighbours = 256;  // Of the regression.
constexpr double kRidge = 1e-6;
constexpr std::size_t kSparse = 16;   // The neighbour whose distance says how sparse a place is.
constexpr std::size_t kJudges = 256;  // Draws that a condition is compared with.

double SquaredDistance(const Pilot& pilot, std::size_t i, const SliceColumns& columns,
                       std::span<const double> at) {
  const auto row = pilot.Row(i);
  double sum = 0;
  for (std::size_t c = 0; c < columns.fixed.size(); ++c) {
    const double v = row[columns.fixed[c]] - at[c];
    sum += v * v;
  }
  return sum;
}

// Draws by their distance from the condition; the first `count` in order.
std::vector<std::size_t> Nearest(const Pilot& pilot, const SliceColumns& columns,
                                 std::size_t count) {
  std::vector<double> distance(pilot.size());
  for (std::size_t i = 0; i < distance.size(); ++i) {
    distance[i] = SquaredDistance(pilot, i, columns, columns.at);
  }
  std::vector<std::size_t> order(pilot.size());
  std::iota(order.begin(), order.end(), 0);
  const std::size_t n = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return distance[a] != distance[b] ? distance[a] < distance[b] : a < b;
                    });
  order.resize(n);
  return order;
}

// Weighted covariance of rows about their weighted mean; weights sum to 1.
std::vector<double> Covariance(std::span<const double> rows, std::size_t d,
                               std::span<const double> weights) {
  std::vector<double> mean(d, 0), covariance(d * d, 0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (std::size_t j = 0; j < d; ++j) mean[j] += weights[i] * rows[i * d + j];
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      const double v = weights[i] * (rows[i * d + j] - mean[j]);
      for (std::size_t k = 0; k < d; ++k) covariance[j * d + k] += v * (rows[i * d + k] - mean[k]);
    }
  }
  return covariance;
}

std::vector<double> Equal(std::size_t n) {
  return std::vector<double>(n, 1 / static_cast<double>(n));
}

// Moves rows of the free columns to where the condition holds: subtracts B (fixed - at) with B from
// the rows' own covariances.
void Regress(std::span<const double> fixed, std::size_t c, std::span<const double> at,
             std::span<double> free, std::size_t f) {
  const std::size_t n = free.size() / f;
  std::vector<double> both(n * (c + f));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < c; ++j) both[i * (c + f) + j] = fixed[i * c + j];
    for (std::size_t j = 0; j < f; ++j) both[i * (c + f) + c + j] = free[i * f + j];
  }
  const std::vector<double> covariance = Covariance(both, c + f, Equal(n));
  std::vector<double> among(c * c);
  for (std::size_t j = 0; j < c; ++j) {
    for (std::size_t k = 0; k < c; ++k) among[j * c + k] = covariance[j * (c + f) + k];
  }
  const statistics::Cholesky factor(std::move(among), c, kRidge);
  for (std::size_t j = 0; j < f; ++j) {
    std::vector<double> slope(c);
    for (std::size_t k = 0; k < c; ++k) slope[k] = covariance[k * (c + f) + c + j];
    factor.Solve(slope);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < c; ++k) {
        free[i * f + j] -= slope[k] * (fixed[i * c + k] - at[k]);
      }
    }
  }
}

}  // namespace

ProposalPoints NearestDraws(const Pilot& pilot, const SliceColumns& columns, std::size_t centres) {
  const std::size_t c = columns.fixed.size(), f = columns.free.size();
  const auto nearest = Nearest(pilot, columns, std::max(kLeastNeighbours, 8 * (c + f)));
  std::vector<double> fixed, free;
  for (const std::size_t i : nearest) {
    for (const std::size_t j : columns.fixed) fixed.push_back(pilot.Row(i)[j]);
    for (const std::size_t j : columns.free) free.push_back(pilot.Row(i)[j]);
  }
  if (c > 0) Regress(fixed, c, columns.at, free, f);
  std::vector<double> covariance = Covariance(free, f, Equal(nearest.size()));
  return {std::move(free), std::move(covariance), std::min(centres, nearest.size())};
}

ProposalPoints Reweighted(std::span<const double> places, std::span<const double> log_weights,
                          const ProposalPoints& before, std::size_t centres) {
  const std::size_t n = log_weights.size(), f = places.size() / n;
  const double largest = *std::ranges::max_element(log_weights);
  std::vector<double> weights(n);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    weights[i] = std::exp(log_weights[i] - largest);
    sum += weights[i];
    squares += weights[i] * weights[i];
  }
  for (double& weight : weights) weight /= sum;
  ProposalPoints next;
  next.centres = centres;
  // Systematic resampling.
  double below = weights[0];
  std::size_t i = 0;
  for (std::size_t k = 0; k < centres; ++k) {
    const double place = (static_cast<double>(k) + 0.5) / static_cast<double>(centres);
    while (below < place && i + 1 < n) below += weights[++i];
    next.places.insert(next.places.end(), places.begin() + static_cast<std::ptrdiff_t>(i * f),
                       places.begin() + static_cast<std::ptrdiff_t>((i + 1) * f));
  }
  const bool enough = sum * sum / squares > 4.0 * static_cast<double>(f) + 8;
  next.covariance = enough ? Covariance(places, f, weights) : before.covariance;
  return next;
}

MixtureProposal MakeProposal(const ProposalPoints& points, const Frame& frame,
                             const std::vector<std::size_t>& free) {
  const std::size_t f = free.size();
  // Silverman's width of a normal kernel in f dimensions.
  const double count = static_cast<double>(points.centres);
  const double dimensions = static_cast<double>(f);
  const double width = std::pow(4 / ((dimensions + 2) * count), 1 / (dimensions + 4));
  std::vector<double> covariance = points.covariance;
  for (double& v : covariance) v *= width * width;
  MixtureProposal::Wide wide;
  for (const std::size_t j : free) {
    wide.centre.push_back(frame.PriorCentre(j));
    wide.width.push_back(frame.PriorWidth(j));
  }
  const auto end = points.places.begin() + static_cast<std::ptrdiff_t>(points.centres * f);
  return {{points.places.begin(), end}, std::move(covariance), std::move(wide)};
}

WeightSummary Summarise(std::span<const double> log_weights) {
  const double n = static_cast<double>(log_weights.size());
  const double largest = *std::ranges::max_element(log_weights);
  if (!std::isfinite(largest)) return {-std::numeric_limits<double>::infinity(), 0, 0};
  double sum = 0, squares = 0;
  for (const double v : log_weights) {
    const double weight = std::exp(v - largest);
    sum += weight;
    squares += weight * weight;
  }
  const double share = sum * sum / (n * squares);
  return {largest + std::log(sum / n), std::sqrt(std::max(0.0, 1 / share - 1) / n), share};
}

ConditionPlace PlaceOf(const Pilot& pilot, const SliceColumns& columns) {
  if (columns.fixed.empty()) return {};
  const std::size_t k = std::min(kSparse, pilot.size() - 1);
  // Distance to the k-th nearest draw, `skip` itself left out.
  const auto sparseness = [&](std::span<const double> at, std::size_t skip) {
    std::vector<double> distance;
    for (std::size_t i = 0; i < pilot.size(); ++i) {
      if (i != skip) distance.push_back(SquaredDistance(pilot, i, columns, at));
    }
    std::ranges::nth_element(distance, distance.begin() + static_cast<std::ptrdiff_t>(k - 1));
    return std::sqrt(distance[k - 1]);
  };
  const double own = sparseness(columns.at, pilot.size());
  double sparsest = 1;
  std::size_t sparser = 0;
  const std::size_t judges = std::min(kJudges, pilot.size());
  for (std::size_t i = 0; i < judges; ++i) {
    std::vector<double> at;
    for (const std::size_t j : columns.fixed) at.push_back(pilot.Row(i)[j]);
    const double distance = sparseness(at, i);
    sparsest = std::max(sparsest, distance);
    if (distance >= own) ++sparser;
  }
  return {static_cast<double>(sparser) / static_cast<double>(judges), own / sparsest};
}

}  // namespace inferon::trainer
