#include "server/trainer/queries/slice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/trainer/estimators/draws.h"
#include "server/trainer/queries/slice_grid.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kTile = 1024;           // Candidates at a time.
constexpr double kLostShare = 0.002;          // Of the mass, by cutting weights off.
constexpr double kGoodGrid = 0.005;           // Nats.
constexpr double kLeastAcceptance = 1e-3;     // Below it draws are refused.
constexpr std::uint64_t kPatience = 100'000;  // Candidates before it may give up.

tl::unexpected<Error> Stopped() { return Fail(ErrorCode::kCancelled, "the query was cancelled"); }

tl::unexpected<Error> TooRare(std::uint64_t accepted, std::uint64_t attempts) {
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("only {} of {} candidates belong to the conditional posterior", accepted,
                          attempts),
              "Fix fewer parameters, or at values nearer to the posterior's mass");
}

}  // namespace

Result<Slice> Slice::Fit(const SpacePosterior& posterior, const Pilot& pilot, SliceColumns columns,
                         std::uint64_t seed, const SliceEffort& effort, std::stop_token stop) {
  const ProposalPoints first = NearestDraws(pilot, columns, effort.centres);
  MixtureProposal proposal = MakeProposal(first, pilot.frame, columns.free);
  Slice slice(posterior, pilot, std::move(columns), seed, std::move(proposal));
  if (Status ok = slice.Adapt(pilot, effort, stop); !ok) return tl::unexpected(ok.error());
  slice.Measure(effort);
  if (std::isfinite(slice.mass_.log_mass)) return slice;
  return Fail(ErrorCode::kFailedPrecondition,
              "the posterior has no density that could be found where the conditions hold",
              "Fix fewer parameters, or at values nearer to the posterior's mass");
}

std::vector<double> Slice::LogTarget(std::span<const double> places,
                                     std::vector<float>& rows) const {
  const std::size_t d = posterior_.dimension(), f = columns_.free.size();
  const std::size_t n = places.size() / f;
  rows.assign(n * d, 0);
  std::vector<double> slopes(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < columns_.fixed.size(); ++c) {
      const std::size_t j = columns_.fixed[c];
      rows[i * d + j] = frame_.ToSpace(j, columns_.at[c]);
    }
    for (std::size_t k = 0; k < f; ++k) {
      const std::size_t j = columns_.free[k];
      rows[i * d + j] = frame_.ToSpace(j, places[i * f + k]);
      slopes[i] += frame_.LogSlope(j, places[i * f + k]);
    }
  }
  std::vector<double> target = LogDensityInSpace(posterior_, rows);
  for (std::size_t i = 0; i < n; ++i) {
    target[i] += slopes[i];
    if (std::isnan(target[i])) target[i] = -std::numeric_limits<double>::infinity();
  }
  return target;
}

Slice::Candidates Slice::Try(const char* stream, std::uint64_t first, std::size_t count) const {
  Candidates all;
  all.places = proposal_.Draw(StreamKey(seed_, stream), first, count);
  all.log_weights = LogTarget(all.places, all.rows);
  const std::size_t f = columns_.free.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(all.log_weights[i])) continue;
    all.log_weights[i] -= proposal_.LogDensity(std::span(all.places).subspan(i * f, f));
  }
  return all;
}

Status Slice::Adapt(const Pilot& pilot, const SliceEffort& effort, std::stop_token stop) {
  ProposalPoints points = NearestDraws(pilot, columns_, effort.centres);
  double best_share = -1;
  MixtureProposal best = proposal_;
  for (int round = 0; round < effort.rounds; ++round) {
    if (stop.stop_requested()) return Stopped();
    const std::string stream = fmt::format("slice-round-{}", round);
    const Candidates tried = Try(stream.c_str(), 0, effort.round);
    const WeightSummary summary = Summarise(tried.log_weights);
    if (summary.effective_share > best_share) {
      best_share = summary.effective_share;
      best = proposal_;
    }
    if (summary.effective_share >= effort.enough || round + 1 == effort.rounds) break;
    if (!std::isfinite(summary.log_mean)) {
      // Nothing was hit: the same centres with wider kernels.
      for (double& v : points.covariance) v *= 4;
    } else {
      points = Reweighted(tried.places, tried.log_weights, points, effort.centres);
    }
    proposal_ = MakeProposal(points, frame_, columns_.free);
  }
  proposal_ = std::move(best);
  return {};
}

void Slice::Measure(const SliceEffort& effort) {
  const Candidates measured = Try("slice-measure", 0, effort.measured);
  const WeightSummary summary = Summarise(measured.log_weights);
  mass_ = {summary.log_mean, summary.relative_error, summary.effective_share, 0, effort.measured};
  if (!std::isfinite(mass_.log_mass)) return;
  SetLimit(measured.log_weights);
  if (effort.grid && columns_.free.size() <= kMostGridColumns) MeasureOnGrid(measured);
}

void Slice::MeasureOnGrid(const Candidates& measured) {
  std::vector<GridAxis> axes;
  for (std::size_t k = 0; k < columns_.free.size(); ++k) {
    axes.push_back(AxisOf(frame_, columns_.free, k, measured.places, measured.log_weights));
  }
  const GridMass grid = Integrate(axes, [this](std::span<const double> places) {
    std::vector<float> rows;
    return LogTarget(places, rows);
  });
  // A grid that misses what candidates have found, or knows less than they, is not believed.
  const double apart = std::abs(grid.log_mass - mass_.log_mass);
  if (!(apart < 0.05 + 5 * mass_.standard_error + 2 * grid.error)) return;
  if (grid.error > std::max(mass_.standard_error, kGoodGrid)) return;
  mass_.log_mass = grid.log_mass;
  mass_.standard_error = grid.error;
  mass_.nodes = grid.nodes;
}

void Slice::SetLimit(std::vector<double> log_weights) {
  std::ranges::sort(log_weights, std::greater<>());
  const double largest = log_weights.front();
  std::vector<double> weights;
  for (const double v : log_weights) weights.push_back(std::exp(v - largest));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  // The lowest limit that loses at most kLostShare: walk down the largest weights.
  double lost = 0;
  std::size_t k = 0;
  while (k + 1 < weights.size()) {
    const double more = static_cast<double>(k + 1) * (weights[k] - weights[k + 1]);
    if (lost + more > kLostShare * total) break;
    lost += more;
    ++k;
  }
  log_limit_ = log_weights[k];
  distortion_ = lost / total;
  expected_ = (total - lost) / (weights[k] * static_cast<double>(weights.size()));
}

double Slice::acceptance() const {
  if (attempts_ < kTile) return expected_;
  return static_cast<double>(accepted_) / static_cast<double>(attempts_);
}

Result<std::vector<float>> Slice::Next(std::size_t count, std::stop_token stop) {
  const std::size_t d = posterior_.dimension();
  if (expected_ < kLeastAcceptance) {
    return TooRare(static_cast<std::uint64_t>(expected_ * static_cast<double>(mass_.candidates)),
                   mass_.candidates);
  }
  while (waiting_.size() < count * d) {
    if (stop.stop_requested()) return Stopped();
    const Candidates tried = Try("slice-draws", attempts_, kTile);
    std::vector<float> chance(kTile);
    estimators::FillUniform(StreamKey(seed_, "slice-keep"), 0, attempts_, chance);
    for (std::size_t i = 0; i < kTile; ++i) {
      if (!(chance[i] < std::exp(tried.log_weights[i] - log_limit_))) continue;
      waiting_.insert(waiting_.end(), tried.rows.begin() + static_cast<std::ptrdiff_t>(i * d),
                      tried.rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
      ++accepted_;
    }
    attempts_ += kTile;
    if (attempts_ >= kPatience && acceptance() < 0.1 * expected_) {
      return TooRare(accepted_, attempts_);
    }
  }
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count * d);
  std::vector<float> rows(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  return rows;
}

}  // namespace inferon::trainer
