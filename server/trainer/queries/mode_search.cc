#include "server/trainer/queries/mode_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/trainer/queries/evolution.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kBlock = 1024;   // Draws looked at together.
constexpr std::size_t kClimbers = 64;  // Starts; they fit into one pass of a flow.
// Climbers end on ridges, where a spline's knots break the gradient; their differences lie along.
constexpr EvolutionLimits kAfterClimb = {24, 6, 1e-3};
constexpr std::size_t kPolished = 4;         // Of the best that go on cell by cell.
constexpr int kPolishSteps = 32;             // At most.
constexpr std::uint64_t kPatience = 50'000;  // Draws before the search may give up.
constexpr double kLeastAcceptance = 0.002;   // Below it, it does.

tl::unexpected<Error> Stopped() { return Fail(ErrorCode::kCancelled, "the query was cancelled"); }

std::vector<std::size_t> AllColumns(const SpacePosterior& posterior) {
  std::vector<std::size_t> columns(posterior.dimension());
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

// The neighbours of each row: one cell up and down along each free integer.
std::vector<float> Neighbours(const SpacePosterior& posterior, std::span<const float> rows,
                              std::span<const std::size_t> free) {
  const std::size_t d = posterior.dimension();
  std::vector<float> all;
  for (std::size_t at = 0; at < rows.size(); at += d) {
    for (const std::size_t j : free) {
      const auto cell = static_cast<float>(posterior.space.map(j).cell());
      if (cell == 0) continue;
      for (const float way : {-cell, cell}) {
        const float moved = rows[at + j] + way;
        if (moved < 0 || moved > 1) continue;
        all.insert(all.end(), rows.begin() + static_cast<std::ptrdiff_t>(at),
                   rows.begin() + static_cast<std::ptrdiff_t>(at + d));
        all[all.size() - d + j] = moved;
      }
    }
  }
  return all;
}

// Integers go on cell by cell until no neighbour is better.
Result<ModeCandidates> Polish(const SpacePosterior& posterior, ModeCandidates best,
                              std::span<const std::size_t> free, std::stop_token stop) {
  for (int step = 0; step < kPolishSteps; ++step) {
    if (stop.stop_requested()) return Stopped();
    std::vector<float> rows = Neighbours(posterior, best.rows, free);
    if (rows.empty()) return best;
    ModeCandidates next = BestOf(posterior, rows, free, kPolished);
    if (!(next.log_density[0] > best.log_density[0])) return best;
    best = std::move(next);
  }
  return best;
}

// The better half of the climbers' ends and the better half of their starts: ends alone would all
// lie on a few ridges.
ModeCandidates Mixed(ModeCandidates ends, const ModeCandidates& starts, std::size_t d) {
  ends.log_density.resize((ends.size() + 1) / 2);
  ends.rows.resize(ends.size() * d);
  const std::size_t n = std::min(starts.size(), ends.size());
  ends.log_density.insert(ends.log_density.end(), starts.log_density.begin(),
                          starts.log_density.begin() + static_cast<std::ptrdiff_t>(n));
  ends.rows.insert(ends.rows.end(), starts.rows.begin(),
                   starts.rows.begin() + static_cast<std::ptrdiff_t>(n * d));
  return ends;
}

tl::unexpected<Error> TooRare(std::uint64_t accepted, std::uint64_t attempts) {
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("only {} of {} draws lie in the constrained prior", accepted, attempts),
              "The observation is probably far from the training data: check it, or use another "
              "model");
}

}  // namespace

Result<SpaceMode> SearchMode(const SpacePosterior& posterior, std::span<const float> starts,
                             std::span<const std::size_t> free, std::uint64_t seed,
                             std::stop_token stop) {
  ModeCandidates best = BestOf(posterior, starts, free, kClimbers);
  std::erase_if(best.log_density, [](double v) { return !std::isfinite(v); });
  best.rows.resize(best.size() * posterior.dimension());  // Best first: the others are last.
  if (best.size() == 0) {
    return Fail(ErrorCode::kFailedPrecondition, "no draw has a finite density",
                "Check the observation");
  }
  auto climbed = Climb(posterior, best, free, stop);
  if (!climbed) return tl::unexpected(climbed.error());
  auto found = climbed->has_value()
                   ? Evolve(posterior, Mixed(std::move(**climbed), best, posterior.dimension()),
                            free, seed, stop, kAfterClimb)
                   : Evolve(posterior, std::move(best), free, seed, stop);
  if (!found) return tl::unexpected(found.error());
  found->log_density.resize(std::min(kPolished, found->size()));
  found->rows.resize(found->size() * posterior.dimension());
  found = Polish(posterior, std::move(*found), free, stop);
  if (!found) return tl::unexpected(found.error());
  return SpaceMode{posterior.space.FromSpace(std::span(found->rows).first(posterior.dimension())),
                   found->log_density[0]};
}

Result<SpaceMode> SearchMode(const SpacePosterior& posterior, std::uint64_t draws,
                             std::uint64_t seed, std::stop_token stop) {
  const std::vector<std::size_t> free = AllColumns(posterior);
  std::vector<float> starts;
  std::uint64_t accepted = 0, attempts = 0;
  while (accepted < draws) {
    if (stop.stop_requested()) return Stopped();
    const std::size_t count = std::min<std::uint64_t>(kBlock, draws - accepted);
    SpaceDraws more = DrawInSpace(posterior, count, seed, attempts);
    attempts += more.attempts;
    accepted += more.accepted;
    starts.insert(starts.end(), more.rows.begin(), more.rows.end());
    if (starts.size() > 4 * kBlock * posterior.dimension()) {
      starts = BestOf(posterior, starts, free, kClimbers).rows;
    }
    const double share = static_cast<double>(accepted) / static_cast<double>(attempts);
    if (attempts >= kPatience && share < kLeastAcceptance) return TooRare(accepted, attempts);
  }
  return SearchMode(posterior, starts, free, seed, stop);
}

Result<MapEstimate> FindMode(const LoadedModel& model, std::span<const float> x,
                             std::uint64_t draws, std::uint64_t seed, std::stop_token stop) {
  const auto mode = SearchMode(PosteriorOf(model, x), draws, seed, stop);
  if (!mode) return tl::unexpected(mode.error());
  return MapEstimate{{mode->theta.begin(), mode->theta.end()}, mode->log_density};
}

}  // namespace inferon::trainer
