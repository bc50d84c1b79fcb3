#include "server/trainer/queries/restricted_posterior.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/inference/engine.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kPilotDraws = 2048;
constexpr std::size_t kTile = 1024;
constexpr std::uint64_t kPatience = 50'000;  // Draws before a search may give up.
constexpr double kLeastAcceptance = 0.002;
constexpr double kFewDraws = 0.01;   // Share of draws at places as sparse: worth a warning.
constexpr double kFarOut = 5;        // Distance that has next to no mass.
constexpr double kPoorError = 0.1;   // Nats: worth a warning.
constexpr double kPoorShare = 0.02;  // Effective share of candidates, likewise.
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
// For each point of a marginal density: many points share the time.
constexpr SliceEffort kPointEffort = {256, 5, 0.6, 64, 1024, true};

// An equation that is solved in steps costs a hundred passes: fewer candidates, and no grid of
// thousands of nodes.
SliceEffort EffortFor(const SpacePosterior& posterior, SliceEffort effort, std::size_t free) {
  if (posterior.estimator.exact_density()) return effort;
  effort.measured /= 2;
  effort.round = 256;
  effort.grid = free == 1;
  return effort;
}

tl::unexpected<Error> Stopped() { return Fail(ErrorCode::kCancelled, "the query was cancelled"); }

std::uint64_t SeedOf(std::uint64_t seed, const char* stream) {
  const PhiloxKey key = StreamKey(seed, stream);
  return std::uint64_t{key[0]} << 32 | key[1];
}

std::string Conditions(const Prior& prior, const Partition& partition) {
  std::string text;
  for (std::size_t c = 0; c < partition.fixed.size(); ++c) {
    text += fmt::format("{}{} = {}", c == 0 ? "" : ", ", prior.parameters[partition.fixed[c]].name,
                        partition.values[c]);
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<RestrictedPosterior>> RestrictedPosterior::Make(
    SpacePosterior posterior, const Restriction& restriction, std::uint64_t seed,
    std::stop_token stop) {
  auto partition = Divide(posterior.space.prior(), restriction);
  if (!partition) return tl::unexpected(partition.error());
  std::unique_ptr<RestrictedPosterior> made(
      new RestrictedPosterior(std::move(posterior), std::move(*partition), seed));
  if (!made->partition_.fixed.empty()) {
    if (Status ok = made->FitConditions(stop); !ok) return tl::unexpected(ok.error());
  }
  return made;
}

Status RestrictedPosterior::EnsurePilot(std::stop_token stop) {
  if (pilot_) return {};
  auto pilot = DrawPilot(posterior_, kPilotDraws, SeedOf(seed_, "restricted-pilot"), stop);
  if (!pilot) return tl::unexpected(pilot.error());
  pilot_.emplace(std::move(*pilot));
  return {};
}

Status RestrictedPosterior::FitConditions(std::stop_token stop) {
  if (Status ok = EnsurePilot(stop); !ok) return ok;
  const SliceColumns columns = ColumnsOf({});
  if (Status ok = CheckPlace(columns); !ok) return ok;
  auto slice = Slice::Fit(posterior_, *pilot_, columns, SeedOf(seed_, "condition"),
                          EffortFor(posterior_, SliceEffort(), columns.free.size()), stop);
  if (!slice) return tl::unexpected(slice.error());
  slice_.emplace(std::move(*slice));
  if (slice_->mass().effective_share < kPoorShare) {
    warnings_.push_back(
        fmt::format("the conditional posterior is hard to reach: an effective share of {:.2g} of "
                    "the candidates; take its draws and densities with care",
                    slice_->mass().effective_share));
  }
  return {};
}

Status RestrictedPosterior::CheckPlace(const SliceColumns& columns) {
  const ConditionPlace place = PlaceOf(*pilot_, columns);
  const std::string conditions = Conditions(posterior_.space.prior(), partition_);
  if (place.share == 0 && place.distance > kFarOut) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the posterior has next to no mass where {}: that is {:.1f} times as "
                            "far out as its sparsest draws",
                            conditions, place.distance),
                "Choose values where the posterior's draws are ('posterior sample'), or fix fewer "
                "parameters");
  }
  if (place.share < kFewDraws) {
    warnings_.push_back(fmt::format(
        "{} lies where the posterior has little mass: {} of its draws are at places as "
        "sparse; the answer rests on the estimator's tails",
        conditions, place.share == 0 ? "none" : fmt::format("{:.1f} %", 100 * place.share)));
  }
  return {};
}

SliceColumns RestrictedPosterior::ColumnsOf(std::span<const double> kept) const {
  SliceColumns columns;
  const auto fix = [&](std::size_t j, double value) {
    const ParameterMap& map = posterior_.space.map(j);
    const auto u = static_cast<float>(map.ToSpace(value) + map.cell() / 2);
    columns.fixed.push_back(j);
    columns.at.push_back(pilot_->frame.FromSpace(j, u));
  };
  for (std::size_t c = 0; c < partition_.fixed.size(); ++c) {
    fix(partition_.fixed[c], partition_.values[c]);
  }
  for (std::size_t k = 0; k < kept.size(); ++k) fix(partition_.kept[k], kept[k]);
  columns.free = kept.empty() ? partition_.Free() : partition_.rest;
  return columns;
}

Result<std::vector<float>> RestrictedPosterior::NextOfAll(std::size_t count, std::stop_token stop) {
  const std::size_t d = posterior_.dimension();
  while (waiting_.size() < count * d) {
    if (stop.stop_requested()) return Stopped();
    const SpaceDraws more = DrawInSpace(posterior_, kTile, seed_, attempts_);
    attempts_ += more.attempts;
    accepted_ += more.accepted;
    waiting_.insert(waiting_.end(), more.rows.begin(), more.rows.end());
    const double share = static_cast<double>(accepted_) / static_cast<double>(attempts_);
    if (attempts_ < kPatience || share >= kLeastAcceptance) continue;
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("only {} of {} draws lie in the constrained prior", accepted_, attempts_),
        "The observation is probably far from the training data: check it, or use another "
        "model");
  }
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count * d);
  std::vector<float> rows(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  return rows;
}

Result<RestrictedPosterior::Draws> RestrictedPosterior::Next(std::size_t count,
                                                             std::stop_token stop) {
  auto rows = slice_ ? slice_->Next(count, stop) : NextOfAll(count, stop);
  if (!rows) return tl::unexpected(rows.error());
  const std::size_t d = posterior_.dimension();
  const std::vector<double> theta = posterior_.space.FromSpace(*rows);
  Draws draws;
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::size_t j : partition_.kept) draws.theta.push_back(theta[i * d + j]);
  }
  if (!partition_.rest.empty()) return draws;
  auto densities = WholeSets(draws.theta, stop);
  if (!densities) return tl::unexpected(densities.error());
  draws.log_density = std::move(densities->log_density);
  return draws;
}

SliceMass RestrictedPosterior::Normaliser() const {
  if (slice_) return slice_->mass();
  SliceMass mass;
  mass.effective_share = 1;
  if (!posterior_.inside || !pilot_) return mass;
  const double n = static_cast<double>(pilot_->attempts);
  const double share = static_cast<double>(pilot_->size()) / n;
  mass.log_mass = std::log(share);
  mass.standard_error = std::sqrt((1 - share) / (share * n));
  return mass;
}

bool RestrictedPosterior::InSupport(std::span<const double> row) const {
  for (std::size_t k = 0; k < row.size(); ++k) {
    const ParameterPrior& prior = posterior_.space.prior().parameters[partition_.kept[k]];
    if (!inferon::InSupport(prior, row[k])) return false;
  }
  return true;
}

double RestrictedPosterior::LogUnits(std::span<const double> row) const {
  double sum = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    sum += posterior_.LogUnit(partition_.kept[k], row[k]);
  }
  return sum;
}

Result<RestrictedPosterior::Densities> RestrictedPosterior::LogDensity(std::span<const double> rows,
                                                                       std::stop_token stop) {
  if (Status ok = EnsurePilot(stop); !ok) return tl::unexpected(ok.error());
  return partition_.rest.empty() ? WholeSets(rows, stop) : Integrals(rows, stop);
}

std::vector<float> RestrictedPosterior::FullRows(std::span<const double> kept) const {
  const std::size_t d = posterior_.dimension(), k = partition_.kept.size();
  const std::size_t n = kept.size() / k;
  std::vector<double> theta(n * d);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < partition_.fixed.size(); ++c) {
      theta[i * d + partition_.fixed[c]] = partition_.values[c];
    }
    for (std::size_t c = 0; c < k; ++c) theta[i * d + partition_.kept[c]] = kept[i * k + c];
  }
  return posterior_.space.Centres(theta);
}

// Of sets without a rest: the estimator's density over the normaliser of the conditions.
Result<RestrictedPosterior::Densities> RestrictedPosterior::WholeSets(std::span<const double> rows,
                                                                      std::stop_token stop) {
  const std::size_t k = partition_.kept.size(), n = rows.size() / k;
  const SliceMass normaliser = Normaliser();
  Densities all{std::vector<double>(n, kMinusInfinity),
                std::vector<double>(n, normaliser.standard_error)};
  std::vector<std::size_t> inside;
  std::vector<double> kept;
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = rows.subspan(i * k, k);
    if (!InSupport(row)) continue;
    inside.push_back(i);
    kept.insert(kept.end(), row.begin(), row.end());
  }
  for (std::size_t at = 0; at < inside.size(); at += kTile) {
    if (stop.stop_requested()) return Stopped();
    const std::size_t count = std::min(kTile, inside.size() - at);
    const auto part = std::span(kept).subspan(at * k, count * k);
    const std::vector<double> density = LogDensityInSpace(posterior_, FullRows(part));
    for (std::size_t i = 0; i < count; ++i) {
      all.log_density[inside[at + i]] =
          density[i] + LogUnits(part.subspan(i * k, k)) - normaliser.log_mass;
    }
  }
  return all;
}

Result<RestrictedPosterior::Densities> RestrictedPosterior::Integrals(std::span<const double> rows,
                                                                      std::stop_token stop) {
  const std::size_t k = partition_.kept.size(), n = rows.size() / k;
  if (n > kMostIntegrals) {
    return InvalidArgument(
        fmt::format("{} points are more than {}: each is an integral over the parameters that are "
                    "left out",
                    n, kMostIntegrals),
        "Ask for fewer at a time");
  }
  const SliceMass normaliser = Normaliser();
  const SliceEffort effort = EffortFor(posterior_, kPointEffort, partition_.rest.size());
  Densities all;
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = rows.subspan(i * k, k);
    all.log_density.push_back(kMinusInfinity);
    all.standard_error.push_back(0);
    if (!InSupport(row)) continue;
    const auto slice =
        Slice::Fit(posterior_, *pilot_, ColumnsOf(row), SeedOf(seed_, "integral"), effort, stop);
    if (!slice && slice.error().code == ErrorCode::kCancelled) {
      return tl::unexpected(slice.error());
    }
    if (!slice) continue;  // No density was found there.
    last_integral_ = slice->mass();
    all.log_density.back() = slice->mass().log_mass + LogUnits(row) - normaliser.log_mass;
    all.standard_error.back() = std::hypot(slice->mass().standard_error, normaliser.standard_error);
    worst = std::max(worst, all.standard_error.back());
  }
  if (worst > kPoorError) {
    warnings_.push_back(
        fmt::format("standard errors of the log densities reach {:.2f} nats", worst));
  }
  return all;
}

Result<SpaceMode> RestrictedPosterior::Mode(std::uint64_t draws, std::stop_token stop) {
  if (!partition_.rest.empty()) {
    return InvalidArgument(
        "the mode of some parameters with the others integrated out is not "
        "offered",
        "Fix the others by conditions, or look at draws of these parameters");
  }
  if (!slice_) return SearchMode(posterior_, draws, seed_, stop);
  auto starts = slice_->Next(draws, stop);
  if (!starts) return tl::unexpected(starts.error());
  const std::vector<std::size_t> free = partition_.Free();
  auto mode = SearchMode(posterior_, *starts, free, seed_, stop);
  if (!mode) return mode;
  mode->log_density -= Normaliser().log_mass;
  // Values as they were given, not as single precision has them.
  for (std::size_t c = 0; c < partition_.fixed.size(); ++c) {
    mode->theta[partition_.fixed[c]] = partition_.values[c];
  }
  return mode;
}

std::string RestrictedPosterior::Method() const {
  const auto of = [](const SliceMass& mass) {
    return mass.nodes > 0
               ? fmt::format("on a grid of {} nodes", mass.nodes)
               : fmt::format("by importance sampling with {} candidates", mass.candidates);
  };
  std::string text;
  if (slice_) {
    text = fmt::format(
        "conditional densities are normalised {}, conditional draws come by "
        "rejection from the candidates' distribution",
        of(slice_->mass()));
  } else if (!last_integral_) {
    text = "marginal draws are columns of joint draws, without approximation";
  }
  if (!last_integral_) return text;
  return fmt::format("{}{}each marginal density is an integral {}", text, text.empty() ? "" : "; ",
                     of(*last_integral_));
}

RestrictionReport RestrictedPosterior::Report() const {
  RestrictionReport report;
  const Prior& prior = posterior_.space.prior();
  for (const std::size_t j : partition_.kept) report.parameters.push_back(prior.parameters[j].name);
  report.method = Method();
  if (!slice_) {
    if (attempts_ > 0) {
      report.acceptance = static_cast<double>(accepted_) / static_cast<double>(attempts_);
    }
    if (last_integral_) report.effective_share = last_integral_->effective_share;
    return report;
  }
  report.log_condition_density = slice_->mass().log_mass;
  for (std::size_t c = 0; c < partition_.fixed.size(); ++c) {
    report.log_condition_density += posterior_.LogUnit(partition_.fixed[c], partition_.values[c]);
  }
  report.standard_error = slice_->mass().standard_error;
  if (posterior_.inside) {  // Over the support, as all conditional densities.
    const double n = static_cast<double>(pilot_->attempts);
    const double share = static_cast<double>(pilot_->size()) / n;
    report.log_condition_density -= std::log(share);
    report.standard_error = std::hypot(report.standard_error, std::sqrt((1 - share) / (share * n)));
  }
  report.effective_share = slice_->mass().effective_share;
  report.acceptance = slice_->acceptance();
  report.distortion = slice_->distortion();
  return report;
}

}  // namespace inferon::trainer
