#include "tests/trainer/normal_mixture.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/philox.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::trainer {
namespace {

using estimators::Axis;
using estimators::MatrixView;
using Vector = std::vector<double>;

// Lower Cholesky factor, plainly.
Vector FactorOf(const Vector& matrix, std::size_t d) {
  Vector factor(d * d, 0);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = matrix[i * d + j];
      for (std::size_t k = 0; k < j; ++k) sum -= factor[i * d + k] * factor[j * d + k];
      factor[i * d + j] = i == j ? std::sqrt(sum) : sum / factor[j * d + j];
    }
  }
  return factor;
}

Vector SolveLower(const Vector& factor, Vector b) {
  const std::size_t d = b.size();
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= factor[i * d + k] * b[k];
    b[i] /= factor[i * d + i];
  }
  return b;
}

Vector SolveUpper(const Vector& factor, Vector b) {
  const std::size_t d = b.size();
  for (std::size_t i = d; i-- > 0;) {
    for (std::size_t k = i + 1; k < d; ++k) b[i] -= factor[k * d + i] * b[k];
    b[i] /= factor[i * d + i];
  }
  return b;
}

double LogNormal(const NormalPart& part, const Vector& z) {
  const std::size_t d = z.size();
  const Vector factor = FactorOf(part.covariance, d);
  Vector centred = z;
  for (std::size_t j = 0; j < d; ++j) centred[j] -= part.mean[j];
  double sum = 0;
  for (const double v : SolveLower(factor, centred)) sum -= 0.5 * v * v;
  for (std::size_t j = 0; j < d; ++j) {
    sum -= std::log(factor[j * d + j]) + 0.5 * std::log(2 * std::numbers::pi);
  }
  return sum;
}

NormalPart PartOf(const NormalPart& part, const std::vector<std::size_t>& kept) {
  const std::size_t d = part.mean.size();
  NormalPart result{part.weight, {}, {}};
  for (const std::size_t j : kept) result.mean.push_back(part.mean[j]);
  for (const std::size_t j : kept) {
    for (const std::size_t k : kept) result.covariance.push_back(part.covariance[j * d + k]);
  }
  return result;
}

class NormalMixtureEstimator : public estimators::DensityEstimator {
 public:
  NormalMixtureEstimator(NormalMixture mixture, std::vector<Axis> axes, bool slopes)
      : mixture_(std::move(mixture)), axes_(std::move(axes)), slopes_(slopes) {}

  std::size_t dimension() const override { return axes_.size(); }
  std::size_t input_columns() const override { return 1; }
  std::size_t weight_count() const override { return 0; }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first, std::vector<double>* density) const override {
    const std::size_t d = dimension();
    std::vector<float> uniform(count * (d + 1)), rows;
    estimators::FillUniform(StreamKey(seed, "mixture"), 0, first * (d + 1), uniform);
    for (std::size_t i = 0; i < count; ++i) {
      const float* own = uniform.data() + i * (d + 1);
      std::size_t k = 0;
      for (double below = mixture_[0].weight; own[0] >= below && k + 1 < mixture_.size();) {
        below += mixture_[++k].weight;
      }
      const Vector factor = FactorOf(mixture_[k].covariance, d);
      for (std::size_t j = 0; j < d; ++j) {
        double z = mixture_[k].mean[j];
        for (std::size_t m = 0; m <= j; ++m) {
          z += factor[j * d + m] * estimators::NormalQuantile(own[1 + m] + 0x1p-25);
        }
        rows.push_back(FromLine(j, z));
      }
    }
    if (density != nullptr) *density = LogDensity(x, {rows.data(), count, d});
    return rows;
  }

  std::vector<double> LogDensity(std::span<const float>, MatrixView theta) const override {
    Vector all;
    for (std::size_t i = 0; i < theta.rows; ++i) all.push_back(One(theta.Row(i)));
    return all;
  }

  // By differences in double precision.
  std::optional<estimators::DensitySlopes> LogDensitySlopes(std::span<const float> x,
                                                            MatrixView theta) const override {
    if (!slopes_) return std::nullopt;
    estimators::DensitySlopes slopes{LogDensity(x, theta), {}};
    constexpr double kStep = 1e-5;
    for (std::size_t i = 0; i < theta.rows; ++i) {
      for (std::size_t j = 0; j < theta.columns; ++j) {
        Vector u(theta.Row(i).begin(), theta.Row(i).end());
        const double place = axes_[j] == Axis::kUnit ? std::clamp(u[j], kStep, 1 - kStep) : u[j];
        u[j] = place + kStep / 2;
        const double above = OneAt(u);
        u[j] = place - kStep / 2;
        slopes.gradient.push_back(static_cast<float>((above - OneAt(u)) / kStep));
      }
    }
    return slopes;
  }

  std::vector<double> LogDensityPairs(const estimators::RowSource&, MatrixView) const override {
    return {};
  }
  double OutlierScore(std::span<const float>) const override { return 0; }
  std::string Save(const std::filesystem::path&) const override { return "{}"; }

 private:
  float FromLine(std::size_t j, double z) const {
    if (axes_[j] == Axis::kLine) return static_cast<float>(z);
    return std::clamp(static_cast<float>(1 / (1 + std::exp(-z))), 0.0f, 0x1.fffffep-1f);
  }
  double One(std::span<const float> row) const { return OneAt({row.begin(), row.end()}); }
  double OneAt(Vector u) const {
    double slope = 0;
    for (std::size_t j = 0; j < u.size(); ++j) {
      if (axes_[j] == Axis::kLine) continue;
      const double inside = std::clamp(u[j], 1e-9, 1 - 1e-9);
      slope -= std::log(inside) + std::log1p(-inside);
      u[j] = std::log(inside) - std::log1p(-inside);
    }
    return LogDensityOf(mixture_, u) + slope;
  }

  const NormalMixture mixture_;
  const std::vector<Axis> axes_;
  const bool slopes_;
};

}  // namespace

double LogDensityOf(const NormalMixture& mixture, const Vector& z) {
  double sum = 0, largest = -1e300;
  Vector logs;
  for (const NormalPart& part : mixture) {
    logs.push_back(std::log(part.weight) + LogNormal(part, z));
    largest = std::max(largest, logs.back());
  }
  for (const double v : logs) sum += std::exp(v - largest);
  return largest + std::log(sum);
}

NormalMixture MarginalOf(const NormalMixture& mixture, const std::vector<std::size_t>& kept) {
  NormalMixture result;
  for (const NormalPart& part : mixture) result.push_back(PartOf(part, kept));
  return result;
}

NormalMixture ConditionalOf(const NormalMixture& mixture, const std::vector<std::size_t>& fixed,
                            const Vector& values) {
  NormalMixture result;
  double total = 0;
  for (const NormalPart& part : mixture) {
    const std::size_t d = part.mean.size(), c = fixed.size();
    std::vector<std::size_t> free;
    for (std::size_t j = 0; j < d; ++j) {
      if (std::ranges::find(fixed, j) == fixed.end()) free.push_back(j);
    }
    const NormalPart held = PartOf(part, fixed);
    const Vector factor = FactorOf(held.covariance, c);
    Vector off = values;
    for (std::size_t k = 0; k < c; ++k) off[k] -= held.mean[k];
    const Vector solved = SolveUpper(factor, SolveLower(factor, off));
    NormalPart next = PartOf(part, free);
    for (std::size_t i = 0; i < free.size(); ++i) {
      Vector cross;
      for (const std::size_t k : fixed) cross.push_back(part.covariance[free[i] * d + k]);
      for (std::size_t k = 0; k < c; ++k) next.mean[i] += cross[k] * solved[k];
      const Vector own = SolveUpper(factor, SolveLower(factor, cross));
      for (std::size_t j = 0; j < free.size(); ++j) {
        for (std::size_t k = 0; k < c; ++k) {
          next.covariance[j * free.size() + i] -= part.covariance[free[j] * d + fixed[k]] * own[k];
        }
      }
    }
    next.weight = part.weight * std::exp(LogNormal(held, values));
    total += next.weight;
    result.push_back(std::move(next));
  }
  for (NormalPart& part : result) part.weight /= total;
  return result;
}

std::unique_ptr<estimators::DensityEstimator> MakeNormalMixture(NormalMixture mixture,
                                                                std::vector<Axis> axes,
                                                                bool slopes) {
  return std::make_unique<NormalMixtureEstimator>(std::move(mixture), std::move(axes), slopes);
}

}  // namespace inferon::trainer
