#include "server/trainer/registry/repair.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>

namespace inferon::trainer {
namespace {

using estimators::Axis;
using estimators::DensityEstimator;
using estimators::MatrixView;

constexpr std::size_t kCentreDraws = 256;  // That say where a posterior lies and how wide it is.
constexpr std::uint64_t kCentreSeed = 0x5EED;
constexpr double kEdge = 1e-6;  // Unit columns keep this distance from 0 and 1.
constexpr double kMostLogScale = 1.6, kMostShift = 2;
constexpr std::size_t kMostRows = 2000, kMostApproximateRows = 500;
constexpr std::size_t kLeastPairs =
    10;  // For each parameter: with fewer, chance has no known size.
constexpr int kSweeps = 3;
constexpr int kSteps = 9;  // Of each golden-section search: to 0.02 in the first sweep.

// Coordinates in which a column is moved.
double ToLine(double u, Axis axis) {
  if (axis == Axis::kLine) return u;
  const double inside = std::clamp(u, kEdge, 1 - kEdge);
  return std::log(inside) - std::log1p(-inside);
}
double FromLine(double z, Axis axis) {
  if (axis == Axis::kLine) return z;
  return std::clamp(1 / (1 + std::exp(-z)), kEdge, 1 - kEdge);
}
// Log of |dz / du|.
double LogSlope(double u, Axis axis) {
  if (axis == Axis::kLine) return 0;
  const double inside = std::clamp(u, kEdge, 1 - kEdge);
  return -std::log(inside) - std::log1p(-inside);
}

bool IsClamped(double u, Axis axis) {
  constexpr double kRounding = 1e-9;  // u may have been a float.
  return axis == Axis::kUnit && (u <= kEdge + kRounding || u >= 1 - kEdge - kRounding);
}
// Derivative of LogSlope by u.
double LogSlopeSlope(double u, Axis axis) {
  if (axis == Axis::kLine) return 0;
  const double inside = std::clamp(u, kEdge, 1 - kEdge);
  return 1 / (1 - inside) - 1 / inside;
}

Axis AxisOf(const std::vector<Axis>& axes, std::size_t j) {
  return axes.empty() ? Axis::kUnit : axes[j];
}

// Of one posterior, on the line.
struct Centre {
  std::vector<double> mean, deviation;
};

Centre CentreOf(const DensityEstimator& estimator, std::span<const float> x,
                const std::vector<Axis>& axes) {
  const std::size_t d = estimator.dimension();
  const std::vector<float> draws = estimator.Sample(x, kCentreDraws, kCentreSeed, 0, nullptr);
  Centre centre{std::vector<double>(d, 0), std::vector<double>(d, 0)};
  for (std::size_t j = 0; j < d; ++j) {
    double sum = 0, squares = 0;
    for (std::size_t i = j; i < draws.size(); i += d) {
      const double z = ToLine(draws[i], AxisOf(axes, j));
      sum += z;
      squares += z * z;
    }
    centre.mean[j] = sum / kCentreDraws;
    const double variance = squares / kCentreDraws - centre.mean[j] * centre.mean[j];
    centre.deviation[j] = std::sqrt(std::max(variance, 1e-12));
  }
  return centre;
}

// The centres of the observations that were asked about last: a search of the mode asks about one a
// hundred times. Thread-safe.
class CentreCache {
 public:
  template <typename Make>
  Centre Get(std::span<const float> x, const Make& make) {
    {
      const std::scoped_lock lock(mutex_);
      if (const Centre* known = Find(x)) return *known;
    }
    Centre centre = make();
    const std::scoped_lock lock(mutex_);
    if (Find(x) != nullptr) return centre;  // Another thread was as fast.
    recent_.emplace_front(std::vector<float>(x.begin(), x.end()), centre);
    if (recent_.size() > kMost) recent_.pop_back();
    return centre;
  }

 private:
  // Moves what it finds to the front; null where there is none. By bytes: a missing value is a NaN.
  const Centre* Find(std::span<const float> x) {
    const auto found = std::ranges::find_if(recent_, [&](const auto& entry) {
      return entry.first.size() == x.size() &&
             std::memcmp(entry.first.data(), x.data(), x.size_bytes()) == 0;
    });
    if (found == recent_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, found);
    return &recent_.front().second;
  }

  static constexpr std::size_t kMost = 16;
  std::mutex mutex_;
  std::list<std::pair<std::vector<float>, Centre>> recent_;  // Guarded by mutex_.
};

// Place before the repair of a place after it, with the log of the density's factor added to
// `log_factor`.
float Undo(double u, std::size_t j, const Repair& repair, const Centre& centre, Axis axis,
           double& log_factor) {
  const double z = ToLine(u, axis);
  const double before =
      centre.mean[j] +
      (z - centre.mean[j] - repair.shift[j] * centre.deviation[j]) / repair.scale[j];
  const double u_before = FromLine(before, axis);
  log_factor += LogSlope(u, axis) - LogSlope(u_before, axis) - std::log(repair.scale[j]);
  return static_cast<float>(u_before);
}

float Apply(double u, std::size_t j, const Repair& repair, const Centre& centre, Axis axis) {
  const double z = ToLine(u, axis);
  const double after = centre.mean[j] + repair.shift[j] * centre.deviation[j] +
                       repair.scale[j] * (z - centre.mean[j]);
  return static_cast<float>(FromLine(after, axis));
}

class RepairedEstimator : public DensityEstimator {
 public:
  RepairedEstimator(std::unique_ptr<DensityEstimator> inner, Repair repair, std::vector<Axis> axes)
      : inner_(std::move(inner)), repair_(std::move(repair)), axes_(std::move(axes)) {}

  std::size_t dimension() const override { return inner_->dimension(); }
  std::size_t input_columns() const override { return inner_->input_columns(); }
  std::size_t weight_count() const override { return inner_->weight_count(); }
  bool exact_density() const override { return inner_->exact_density(); }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const std::size_t d = dimension();
    const Centre centre = CentreAt(x);
    std::vector<float> draws = inner_->Sample(x, count, seed, first_draw, nullptr);
    for (std::size_t i = 0; i < draws.size(); ++i) {
      draws[i] = Apply(draws[i], i % d, repair_, centre, AxisOf(axes_, i % d));
    }
    if (log_density != nullptr) *log_density = Density(x, centre, {draws.data(), count, d});
    return draws;
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    return Density(x, CentreAt(x), theta);
  }

  std::optional<estimators::DensitySlopes> LogDensitySlopes(std::span<const float> x,
                                                            MatrixView theta) const override {
    const std::size_t d = dimension();
    const Undone undone = UndoAll(CentreAt(x), theta);
    auto slopes = inner_->LogDensitySlopes(x, {undone.before.data(), theta.rows, d});
    if (!slopes) return std::nullopt;
    for (std::size_t i = 0; i < theta.rows; ++i) slopes->log_density[i] += undone.log_factor[i];
    for (std::size_t i = 0; i < theta.rows * d; ++i) {
      const Axis axis = AxisOf(axes_, i % d);
      const double u = theta.data[i], before = undone.before[i];
      // At a clamp nothing moves, and the density there is constant.
      if (IsClamped(u, axis)) {
        slopes->gradient[i] = 0;
        continue;
      }
      const double speed =
          IsClamped(before, axis)
              ? 0
              : std::exp(LogSlope(u, axis) - LogSlope(before, axis)) / repair_.scale[i % d];
      slopes->gradient[i] = static_cast<float>(
          (slopes->gradient[i] - LogSlopeSlope(before, axis)) * speed + LogSlopeSlope(u, axis));
    }
    return slopes;
  }

  std::vector<double> LogDensityPairs(const estimators::RowSource& x,
                                      MatrixView theta) const override {
    std::vector<double> all;
    std::vector<float> row(x.columns);
    for (std::uint32_t i = 0; i < theta.rows; ++i) {
      x.fill(std::span(&i, 1), row.data());
      all.push_back(LogDensity(row, {theta.data + i * theta.columns, 1, theta.columns})[0]);
    }
    return all;
  }

  double OutlierScore(std::span<const float> x) const override { return inner_->OutlierScore(x); }
  std::string Save(const std::filesystem::path& weights) const override {
    return inner_->Save(weights);
  }

 private:
  Centre CentreAt(std::span<const float> x) const {
    return centres_.Get(x, [&] { return CentreOf(*inner_, x, axes_); });
  }

  struct Undone {
    std::vector<float> before;       // [rows, dimension]
    std::vector<double> log_factor;  // [rows]
  };
  Undone UndoAll(const Centre& centre, MatrixView theta) const {
    const std::size_t d = dimension();
    Undone undone{std::vector<float>(theta.rows * d), std::vector<double>(theta.rows, 0)};
    for (std::size_t i = 0; i < theta.rows * d; ++i) {
      undone.before[i] = Undo(theta.data[i], i % d, repair_, centre, AxisOf(axes_, i % d),
                              undone.log_factor[i / d]);
    }
    return undone;
  }

  std::vector<double> Density(std::span<const float> x, const Centre& centre,
                              MatrixView theta) const {
    const Undone undone = UndoAll(centre, theta);
    std::vector<double> density =
        inner_->LogDensity(x, {undone.before.data(), theta.rows, dimension()});
    for (std::size_t i = 0; i < density.size(); ++i) density[i] += undone.log_factor[i];
    return density;
  }

  const std::unique_ptr<DensityEstimator> inner_;
  const Repair repair_;
  const std::vector<Axis> axes_;
  mutable CentreCache centres_;
};

// Mean log density of the pairs under a repair.
class Score {
 public:
  Score(const DensityEstimator& estimator, const estimators::RowSource& x, MatrixView theta,
        const std::vector<Axis>& axes, std::stop_token stop)
      : density_(estimator.ForPairs(x)), theta_(theta), axes_(axes), stop_(std::move(stop)) {
    std::vector<float> row(x.columns);
    for (std::uint32_t i = 0; i < theta.rows && !stop_.stop_requested(); ++i) {
      x.fill(std::span(&i, 1), row.data());
      centres_.push_back(CentreOf(estimator, row, axes));
    }
  }

  // 0 once it is stopped.
  double operator()(const Repair& repair) const {
    if (stop_.stop_requested()) return 0;
    const std::size_t d = theta_.columns;
    std::vector<float> before(theta_.rows * d);
    double sum = 0;
    for (std::size_t i = 0; i < theta_.rows; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        before[i * d + j] =
            Undo(theta_.data[i * d + j], j, repair, centres_[i], AxisOf(axes_, j), sum);
      }
    }
    // A pair far outside of a posterior must not rule the fit.
    constexpr double kLeast = -100;
    for (const double v : density_({before.data(), theta_.rows, d})) {
      sum += std::isfinite(v) ? std::max(v, kLeast) : kLeast;
    }
    return sum / static_cast<double>(theta_.rows);
  }

 private:
  const estimators::PairDensity density_;
  const MatrixView theta_;
  const std::vector<Axis>& axes_;
  const std::stop_token stop_;
  std::vector<Centre> centres_;
};

// Twice the log likelihood that so many needless factors gain at most, in 99 of 100 fits: the
// quantile of chi-square (Wilks), after Wilson and Hilferty, PNAS 17, 1931.
double ChanceGain(std::size_t factors) {
  constexpr double kQuantile = 2.3263;  // Of the standard normal distribution.
  const double spread = 2.0 / (9.0 * static_cast<double>(factors));
  return static_cast<double>(factors) * std::pow(1 - spread + kQuantile * std::sqrt(spread), 3);
}

// Sets `value` where `score` is largest on [low, high], by golden section; keeps it where nothing
// is better.
template <typename ScoreNow>
void Climb(double& value, double low, double high, const ScoreNow& score) {
  constexpr double kGolden = 0.6180339887498949;
  const double start = value;
  const double before = score();
  const auto at = [&](double v) {
    value = v;
    return score();
  };
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
  double fa = at(a), fb = at(b);
  for (int step = 0; step < kSteps; ++step) {
    if (fa > fb) {
      high = b;
      b = a;
      fb = fa;
      a = high - kGolden * (high - low);
      fa = at(a);
    } else {
      low = a;
      a = b;
      fa = fb;
      b = low + kGolden * (high - low);
      fb = at(b);
    }
  }
  if (at(0.5 * (low + high)) <= before) value = start;
}

}  // namespace

std::string RepairJson(const Repair& repair) {
  if (repair.gain == 0) return {};
  return nlohmann::json{{"kind", "scale and shift about the posterior's own centre"},
                        {"scale", repair.scale},
                        {"shift", repair.shift},
                        {"pairs", repair.pairs},
                        {"gain_nats", repair.gain}}
      .dump();
}

Result<Repair> RepairFromJson(const std::string& text, std::size_t dimension) {
  Repair repair;
  try {
    const nlohmann::json j = nlohmann::json::parse(text);
    j.at("scale").get_to(repair.scale);
    j.at("shift").get_to(repair.shift);
    j.at("pairs").get_to(repair.pairs);
    j.at("gain_nats").get_to(repair.gain);
  } catch (const nlohmann::json::exception&) {
    repair.scale.clear();
  }
  const bool sane = repair.scale.size() == dimension && repair.shift.size() == dimension &&
                    std::ranges::all_of(repair.scale, [](double s) { return s > 0 && s < 100; });
  if (sane) return repair;
  return Fail(ErrorCode::kDataLoss, "the model's repair is damaged",
              "Restore the model's folder or train it again");
}

Result<Repair> FitRepair(const DensityEstimator& estimator, const estimators::RowSource& x,
                         MatrixView theta, const std::vector<Axis>& axes, std::stop_token stop) {
  const std::size_t d = theta.columns;
  Repair repair{std::vector<double>(d, 1), std::vector<double>(d, 0), theta.rows, 0};
  if (theta.rows < kLeastPairs * d) return repair;
  const Score score(estimator, x, theta, axes, stop);
  const double before = score(repair);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    const double half = sweep == 0 ? 1 : 0.3;  // Of the whole range; later sweeps refine.
    for (std::size_t j = 0; j < d; ++j) {
      double log_scale = std::log(repair.scale[j]);
      const auto scaled = [&] {
        repair.scale[j] = std::exp(log_scale);
        return score(repair);
      };
      Climb(log_scale, std::max(-kMostLogScale, log_scale - half * kMostLogScale),
            std::min(kMostLogScale, log_scale + half * kMostLogScale), scaled);
      repair.scale[j] = std::exp(log_scale);
      double& shift = repair.shift[j];
      Climb(shift, std::max(-kMostShift, shift - half * kMostShift),
            std::min(kMostShift, shift + half * kMostShift), [&] { return score(repair); });
    }
  }
  repair.gain = score(repair) - before;
  if (2 * static_cast<double>(theta.rows) * repair.gain < ChanceGain(2 * d)) {
    repair = {std::vector<double>(d, 1), std::vector<double>(d, 0), theta.rows, 0};
  }
  if (stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "the training was stopped while its repair was fitted");
  }
  return repair;
}

Result<Repair> FitHeldoutRepair(const DensityEstimator& estimator, const estimators::RowSource& x,
                                const std::function<std::vector<float>(std::uint32_t row)>& theta,
                                std::span<const std::uint32_t> heldout,
                                const std::vector<Axis>& axes, std::stop_token stop) {
  const std::size_t most = estimator.exact_density() ? kMostRows : kMostApproximateRows;
  auto rows = heldout.subspan(heldout.size() / 2);
  rows = rows.first(std::min(rows.size(), most));
  std::vector<float> points;
  for (const std::uint32_t row : rows) {
    const std::vector<float> point = theta(row);
    points.insert(points.end(), point.begin(), point.end());
  }
  const estimators::RowSource some{rows.size(), x.columns,
                                   [&](std::span<const std::uint32_t> indices, float* out) {
                                     std::vector<std::uint32_t> wanted;
                                     for (const std::uint32_t i : indices)
                                       wanted.push_back(rows[i]);
                                     x.fill(wanted, out);
                                   }};
  return FitRepair(estimator, some, {points.data(), rows.size(), estimator.dimension()}, axes,
                   std::move(stop));
}

std::unique_ptr<DensityEstimator> MakeRepairedEstimator(std::unique_ptr<DensityEstimator> inner,
                                                        Repair repair, std::vector<Axis> axes) {
  return std::make_unique<RepairedEstimator>(std::move(inner), std::move(repair), std::move(axes));
}

}  // namespace inferon::trainer
