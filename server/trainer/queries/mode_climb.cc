#include "server/trainer/queries/mode_climb.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <optional>

namespace inferon::trainer {
namespace {

using Vector = std::vector<double>;

constexpr std::size_t kMemory = 6;       // Steps that the curvature is taken from.
constexpr double kSufficient = 1e-4;     // Of the rise that the slope promises.
constexpr double kShorten = 0.3;         // Of a step that was too long.
constexpr double kShortestStep = 1e-3;   // Below it a climber ends.
constexpr double kLongestStep = 3;       // In deviations of the starts.
constexpr double kLeastGain = 1e-5;      // Nats of a step; less ends a climber,
constexpr double kLeastBestGain = 1e-3;  // and of the best climber over
constexpr int kPatience = 4;             // so many steps ends all.
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

double Dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The free columns of a place with the log density there and its gradient.
struct Place {
  Vector u;
  double value = kMinusInfinity;
  Vector gradient;
};

// Values and gradients at places whose fixed columns stand in `base`.
class Target {
 public:
  Target(const SpacePosterior& posterior, std::span<const float> base,
         std::span<const std::size_t> free)
      : posterior_(posterior), base_(base.begin(), base.end()), free_(free) {}

  std::size_t columns() const { return free_.size(); }
  bool IsBounded(std::size_t k) const { return posterior_.space.map(free_[k]).bounded(); }

  std::vector<float> Row(const Vector& u) const {
    std::vector<float> row = base_;
    for (std::size_t k = 0; k < free_.size(); ++k) row[free_[k]] = static_cast<float>(u[k]);
    return row;
  }
  Vector FreeOf(std::span<const float> row) const {
    Vector u;
    for (const std::size_t j : free_) u.push_back(row[j]);
    return u;
  }

  // False where the estimator has no gradient.
  bool Evaluate(std::vector<Place>& places) const {
    const std::size_t d = posterior_.dimension();
    std::vector<float> rows;
    for (const Place& place : places) {
      const std::vector<float> row = Row(place.u);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const ComputeTurn turn(posterior_.queue);
    const auto slopes =
        posterior_.estimator.LogDensitySlopes(posterior_.x, {rows.data(), places.size(), d});
    if (!slopes) return false;
    const std::vector<std::uint8_t> inside =
        posterior_.inside ? posterior_.inside(rows) : std::vector<std::uint8_t>(places.size(), 1);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::span row = std::span(rows).subspan(i * d, d);
      Set(places[i], row, inside[i] != 0 ? slopes->log_density[i] : kMinusInfinity,
          std::span(slopes->gradient).subspan(i * d, d));
    }
    return true;
  }

 private:
  void Set(Place& place, std::span<const float> row, double value,
           std::span<const float> gradient) const {
    place.gradient.clear();
    for (const std::size_t j : free_) {
      const ParameterMap& map = posterior_.space.map(j);
      const double tilt = posterior_.own_units ? map.LogDerivativeSlope() : 0;
      // A density over the parameter's own unit; what does not depend on u may be left out.
      value += tilt * row[j];
      place.gradient.push_back(gradient[j] + tilt);
    }
    const bool good = std::isfinite(value) && std::ranges::all_of(place.gradient, [](double g) {
                        return std::isfinite(g);
                      });
    place.value = good ? value : kMinusInfinity;
  }

  const SpacePosterior& posterior_;
  const std::vector<float> base_;
  const std::span<const std::size_t> free_;
};

// Covariance of the starts in the free columns, with a floor so that no direction is lost.
class Metric {
 public:
  explicit Metric(const std::vector<Place>& starts)
      : d_(starts.front().u.size()), covariance_(d_ * d_, 0) {
    const double n = static_cast<double>(starts.size());
    Vector mean(d_, 0);
    for (const Place& place : starts) {
      for (std::size_t j = 0; j < d_; ++j) mean[j] += place.u[j] / n;
    }
    for (const Place& place : starts) {
      for (std::size_t j = 0; j < d_; ++j) {
        for (std::size_t k = 0; k < d_; ++k) {
          covariance_[j * d_ + k] += (place.u[j] - mean[j]) * (place.u[k] - mean[k]) / n;
        }
      }
    }
    for (std::size_t j = 0; j < d_; ++j) {
      covariance_[j * d_ + j] = covariance_[j * d_ + j] * 1.01 + 1e-10;
    }
  }
  Vector Times(const Vector& v) const {
    Vector result(d_, 0);
    for (std::size_t j = 0; j < d_; ++j) {
      for (std::size_t k = 0; k < d_; ++k) result[j] += covariance_[j * d_ + k] * v[k];
    }
    return result;
  }

 private:
  const std::size_t d_;
  Vector covariance_;
};

// One start on its way up.
class Climber {
 public:
  Climber(Place start, const Target& target, const Metric& metric)
      : at_(std::move(start)), target_(target), metric_(metric) {
    Aim();
  }
  const Place& at() const { return at_; }
  bool done() const { return done_; }

  Place Trial() const {
    Place trial{at_.u, kMinusInfinity, {}};
    for (std::size_t k = 0; k < trial.u.size(); ++k) {
      trial.u[k] += step_ * direction_[k];
      if (target_.IsBounded(k)) trial.u[k] = std::clamp(trial.u[k], 0.0, 1.0);
    }
    return trial;
  }

  void Take(Place trial) {
    Vector moved = trial.u;
    for (std::size_t k = 0; k < moved.size(); ++k) moved[k] -= at_.u[k];
    if (!(trial.value > at_.value + kSufficient * std::max(0.0, Dot(at_.gradient, moved)))) {
      step_ *= kShorten;
      done_ = step_ < kShortestStep;
      return;
    }
    const double gain = trial.value - at_.value;
    Remember(std::move(moved), trial.gradient);
    at_ = std::move(trial);
    if (gain < kLeastGain) done_ = true;
    Aim();
  }

 private:
  struct Step {
    Vector s, y;
    double rho;
  };

  // Of the rise: y is minus the change of the gradient, positive along s where the log density
  // bends down.
  void Remember(Vector s, const Vector& gradient) {
    Vector y = at_.gradient;
    for (std::size_t k = 0; k < y.size(); ++k) y[k] -= gradient[k];
    const double bend = Dot(s, y);
    if (!(bend > 1e-10 * std::sqrt(Dot(s, s) * Dot(y, y)))) return;
    steps_.push_back({std::move(s), std::move(y), 1 / bend});
    if (steps_.size() > kMemory) steps_.pop_front();
  }

  bool Blocked(std::size_t k, double way) const {
    return target_.IsBounded(k) && ((at_.u[k] <= 0 && way < 0) || (at_.u[k] >= 1 && way > 0));
  }

  // The direction from here: two loops over the remembered steps.
  void Aim() {
    step_ = 1;
    Vector q = at_.gradient;
    for (std::size_t k = 0; k < q.size(); ++k) {
      if (Blocked(k, q[k])) q[k] = 0;
    }
    std::vector<double> shares(steps_.size());
    for (std::size_t i = steps_.size(); i-- > 0;) {
      shares[i] = steps_[i].rho * Dot(steps_[i].s, q);
      for (std::size_t k = 0; k < q.size(); ++k) q[k] -= shares[i] * steps_[i].y[k];
    }
    Vector r = metric_.Times(q);
    if (!steps_.empty()) {
      const Step& last = steps_.back();
      const double scale = 1 / (last.rho * Dot(last.y, metric_.Times(last.y)));
      for (double& v : r) v *= scale;
    }
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const double share = shares[i] - steps_[i].rho * Dot(steps_[i].y, r);
      for (std::size_t k = 0; k < r.size(); ++k) r[k] += share * steps_[i].s[k];
    }
    for (std::size_t k = 0; k < r.size(); ++k) {
      if (Blocked(k, r[k])) r[k] = 0;
    }
    // A first step is as long as the metric says; none is longer than the starts are wide.
    const double rise = Dot(at_.gradient, r);
    if (!(rise > 0)) {
      if (steps_.empty()) {
        done_ = true;
        return;
      }
      steps_.clear();
      Aim();
      return;
    }
    const double length = std::sqrt(rise);
    if (steps_.empty() && length > kLongestStep) {
      for (double& v : r) v *= kLongestStep / length;
    }
    direction_ = std::move(r);
  }

  Place at_;
  const Target& target_;
  const Metric& metric_;
  std::deque<Step> steps_;
  Vector direction_;
  double step_ = 1;
  bool done_ = false;
};

double BestValue(const std::vector<Climber>& climbers) {
  double best = kMinusInfinity;
  for (const Climber& climber : climbers) best = std::max(best, climber.at().value);
  return best;
}

// One trial of each climber that goes on; false where none does.
bool Advance(const Target& target, std::vector<Climber>& climbers) {
  std::vector<Place> trials;
  std::vector<Climber*> owners;
  for (Climber& climber : climbers) {
    if (climber.done()) continue;
    trials.push_back(climber.Trial());
    owners.push_back(&climber);
  }
  if (trials.empty()) return false;
  target.Evaluate(trials);
  for (std::size_t i = 0; i < trials.size(); ++i) owners[i]->Take(std::move(trials[i]));
  return true;
}

std::vector<float> Rows(const Target& target, const std::vector<Climber>& climbers) {
  std::vector<float> rows;
  for (const Climber& climber : climbers) {
    const std::vector<float> row = target.Row(climber.at().u);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

}  // namespace

ModeCandidates Valued(const SpacePosterior& posterior, std::span<const float> rows,
                      std::span<const std::size_t> free) {
  const std::size_t d = posterior.dimension();
  ModeCandidates all{{rows.begin(), rows.end()}, {}};
  Snap(posterior.space, all.rows);
  all.log_density = LogDensityInSpace(posterior, all.rows);
  const std::vector<double> theta = posterior.space.FromSpace(all.rows);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::size_t j : free) all.log_density[i] += posterior.LogUnit(j, theta[i * d + j]);
    if (std::isnan(all.log_density[i])) all.log_density[i] = kMinusInfinity;
  }
  return all;
}

ModeCandidates BestOf(const SpacePosterior& posterior, std::span<const float> rows,
                      std::span<const std::size_t> free, std::size_t most) {
  const std::size_t d = posterior.dimension();
  const ModeCandidates all = Valued(posterior, rows, free);
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return all.log_density[a] > all.log_density[b]; });
  ModeCandidates best;
  for (std::size_t k = 0; k < std::min(most, all.size()); ++k) {
    const auto row = all.rows.begin() + static_cast<std::ptrdiff_t>(order[k] * d);
    best.rows.insert(best.rows.end(), row, row + static_cast<std::ptrdiff_t>(d));
    best.log_density.push_back(all.log_density[order[k]]);
  }
  return best;
}

Result<std::optional<ModeCandidates>> Climb(const SpacePosterior& posterior,
                                            const ModeCandidates& starts,
                                            std::span<const std::size_t> free,
                                            std::stop_token stop) {
  const std::size_t d = posterior.dimension();
  const Target target(posterior, std::span(starts.rows).first(d), free);
  std::vector<Place> places;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    places.push_back({target.FreeOf(std::span(starts.rows).subspan(i * d, d)), 0, {}});
  }
  if (!target.Evaluate(places)) return std::nullopt;
  const Metric metric(places);
  std::vector<Climber> climbers;
  for (Place& place : places) climbers.emplace_back(std::move(place), target, metric);
  double before = BestValue(climbers);
  for (int step = 1; step < kMostSteps; ++step) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the query was cancelled");
    if (!Advance(target, climbers)) break;
    if (step % kPatience != 0) continue;
    const double now = BestValue(climbers);
    if (now - before < kLeastBestGain) break;
    before = now;
  }
  std::vector<float> rows = Rows(target, climbers);
  rows.insert(rows.end(), starts.rows.begin(),
              starts.rows.begin() + static_cast<std::ptrdiff_t>(d));
  return BestOf(posterior, rows, free, climbers.size());
}

}  // namespace inferon::trainer
