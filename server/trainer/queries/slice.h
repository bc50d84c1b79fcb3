// The posterior where some columns are held fixed: p(free, fixed | x) as a function of the free
// columns. Its integral is the marginal density of the fixed columns, and the normaliser of the
// conditional posterior p(free | fixed, x).
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "server/trainer/queries/slice_proposal.h"

namespace inferon::trainer {

// How much is spent on a slice.
struct SliceEffort {
  std::size_t round = 512;      // Candidates of each round that adapts the proposal,
  int rounds = 5;               // at most so many rounds,
  double enough = 0.6;          // until the effective share reaches this.
  std::size_t centres = 96;     // Kernels of the proposal.
  std::size_t measured = 4096;  // Candidates that mass and acceptance are measured with.
  bool grid = true;             // One or two free columns: the mass comes from a grid.
};

// The mass of a slice.
struct SliceMass {
  double log_mass = 0;         // log of the integral over the free columns, nats over the space.
  double standard_error = 0;   // Of log_mass; on a grid, its difference from one of half the nodes.
  double effective_share = 0;  // Of the candidates.
  std::size_t nodes = 0;       // Of the grid; 0: from candidates.
  std::size_t candidates = 0;
};

// What it refers to outlives it. Not thread-safe.
class Slice {
 public:
  // A function of the arguments only. kCancelled when stopped; kFailedPrecondition where no
  // candidate lies where the posterior has any density.
  static Result<Slice> Fit(const SpacePosterior& posterior, const Pilot& pilot,
                           SliceColumns columns, std::uint64_t seed, const SliceEffort& effort,
                           std::stop_token stop);

  const SliceMass& mass() const { return mass_; }
  // Draws of the conditional posterior, `count` of them, the next of a sequence: whole rows,
  // [count, dimension] in the space, fixed columns as they are. By rejection from the proposal; a
  // weight beyond a limit counts as the limit, see distortion(). kFailedPrecondition where far
  // fewer candidates are accepted than were in the measurement, or too few at all.
  Result<std::vector<float>> Next(std::size_t count, std::stop_token stop);
  // Share of the candidates that become draws: measured, then counted.
  double acceptance() const;
  // Share of the mass that is lost because weights are cut off.
  double distortion() const { return distortion_; }

 private:
  Slice(const SpacePosterior& posterior, const Pilot& pilot, SliceColumns columns,
        std::uint64_t seed, MixtureProposal proposal)
      : posterior_(posterior),
        frame_(pilot.frame),
        columns_(std::move(columns)),
        seed_(seed),
        proposal_(std::move(proposal)) {}

  struct Candidates {
    std::vector<double> places;       // [n, free]
    std::vector<float> rows;          // [n, dimension]
    std::vector<double> log_weights;  // [n]
  };
  // Log density over the free columns' frame at places ([n, free]); rows gets the places in the
  // space.
  std::vector<double> LogTarget(std::span<const double> places, std::vector<float>& rows) const;
  Candidates Try(const char* stream, std::uint64_t first, std::size_t count) const;
  Status Adapt(const Pilot& pilot, const SliceEffort& effort, std::stop_token stop);
  void Measure(const SliceEffort& effort);
  void MeasureOnGrid(const Candidates& measured);
  void SetLimit(std::vector<double> log_weights);

  const SpacePosterior& posterior_;
  const Frame& frame_;
  const SliceColumns columns_;
  const std::uint64_t seed_;
  MixtureProposal proposal_;
  SliceMass mass_;
  double log_limit_ = 0;  // Of a weight.
  double expected_ = 0;   // Acceptance, measured.
  double distortion_ = 0;
  std::uint64_t attempts_ = 0, accepted_ = 0;
  std::vector<float> waiting_;  // Accepted rows that were not handed out yet.
};

}  // namespace inferon::trainer
