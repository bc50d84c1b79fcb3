#include "server/trainer/estimators/path.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "server/trainer/estimators/unit_line.h"

namespace inferon::estimators {
namespace {

// Least and largest standard deviation of the noise of a diffusion. A unit column is uniform to
// about 0.2 % at the largest.
struct NoiseRange {
  double least, largest;
};
constexpr NoiseRange kUnitNoise{2e-4, 1.2};
constexpr NoiseRange kLineNoise{1e-3, 40};
constexpr double kUnitDeviation = 0.28867513459481287;  // Of a uniform number.
constexpr double kTimePower = 3;                        // Of flow matching's time: tau^3.
constexpr double kWidestGate = 0.25;                    // Scale on which it closes.
constexpr int kImages = 4;                              // Reflected images on each side.

double LogRatio(NoiseRange range) { return std::log(range.largest / range.least); }
double NoiseAt(NoiseRange range, double tau) {
  return range.least * std::exp(LogRatio(range) * tau);
}

// The straight path at time s, for data of unit variance: the best linear guess of the motion is
// own * state, and what is left has the variance field^2.
PathPoint StraightPoint(double s) {
  const double variance = s * s + (1 - s) * (1 - s);
  return {1 / std::sqrt(variance), (2 * s - 1) / variance, 1 / std::sqrt(variance)};
}

// With sigma = tan(angle), the state is cos(angle) data + sin(angle) noise, and
// d state / d angle = -F. The time is a unit column's sigma.
PathPoint NoisePoint(double tau) {
  const double sigma = NoiseAt(kLineNoise, tau);
  const double by_time =
      sigma * LogRatio(kLineNoise) / (LogRatio(kUnitNoise) * NoiseAt(kUnitNoise, tau));
  return {1, 0, -by_time / (1 + sigma * sigma)};
}

// Uniform data stay uniform under reflected noise: the best guess without a network is no motion.
PathPoint ReflectedPoint(double tau) {
  const double sigma = NoiseAt(kUnitNoise, tau);
  const double both = std::sqrt(sigma * sigma + kUnitDeviation * kUnitDeviation);
  return {1 / kUnitDeviation, 0, -kUnitDeviation / both};
}

double LogNormal(double z) { return -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi); }

// To [-1/2, 1/2] by reflection; -1 where the direction turned.
float Fold(double value, float* folded) {
  double v = value + 0.5;
  v -= 2 * std::floor(v / 2);  // [0, 2)
  const bool back = v > 1;
  *folded = static_cast<float>((back ? 2 - v : v) - 0.5);
  return back ? -1.0f : 1.0f;
}

// Mean of the images of `from`, seen from `at` under noise sigma.
double MeanImage(double from, double at, double sigma) {
  double nearest = 1e300;
  double offsets[2 * (2 * kImages + 1)];
  std::size_t n = 0;
  for (int k = -kImages; k <= kImages; ++k) {
    // The reflection of a centred value at 1/2 is 1 - value.
    for (const double image : {from + 2 * k, 1 - from + 2 * k}) {
      offsets[n++] = image - at;
      nearest = std::min(nearest, std::abs(image - at));
    }
  }
  double weights = 0, sum = 0;
  for (const double offset : offsets) {
    const double w =
        std::exp((nearest - std::abs(offset)) * (nearest + std::abs(offset)) / (2 * sigma * sigma));
    weights += w;
    sum += w * offset;
  }
  return at + sum / weights;
}

}  // namespace

void DescribeTime(double tau, float* out) {
  *out++ = static_cast<float>(2 * tau - 1);
  *out++ = static_cast<float>(4 * tau * tau - 1);
  for (int k = 1; k <= 6; ++k) {
    *out++ = static_cast<float>(std::sin(k * std::numbers::pi * tau));
    *out++ = static_cast<float>(std::cos(k * std::numbers::pi * tau));
  }
}

Path::Path(DensityFamily family, std::size_t dimension, const std::vector<Axis>& axes)
    : straight_(family == DensityFamily::kFlowMatching) {
  for (std::size_t j = 0; j < dimension; ++j) {
    const bool unit = axes.empty() || axes[j] == Axis::kUnit;
    columns_.push_back(straight_ ? (unit ? Column::kStraightUnit : Column::kStraight)
                                 : (unit ? Column::kReflected : Column::kNoise));
  }
}

double Path::Time(double tau) const {
  return straight_ ? std::pow(tau, kTimePower) : NoiseAt(kUnitNoise, tau);
}

double Path::TauAt(double time) const {
  return straight_ ? std::cbrt(time) : std::log(time / kUnitNoise.least) / LogRatio(kUnitNoise);
}

double Path::TimeSpeed(double tau) const {
  return straight_ ? kTimePower * tau * tau : Time(tau) * LogRatio(kUnitNoise);
}

PathPoint Path::At(std::size_t column, double tau) const {
  switch (columns_[column]) {
    case Column::kStraight:
    case Column::kStraightUnit:
      return StraightPoint(Time(tau));
    case Column::kNoise:
      return NoisePoint(tau);
    case Column::kReflected:
      break;
  }
  return ReflectedPoint(tau);
}

Path::Gate Path::GateAt(std::size_t column, double tau, float state) const {
  if (columns_[column] != Column::kReflected) return {};
  const double width = std::min(NoiseAt(kUnitNoise, tau), kWidestGate);
  const double low = std::tanh((0.5 + state) / width), high = std::tanh((0.5 - state) / width);
  const double slope = ((1 - low * low) * high - low * (1 - high * high)) / width;
  return {static_cast<float>(low * high), static_cast<float>(slope)};
}

double Path::Enter(const float* theta, float* state) const {
  double log_slope = 0;
  for (std::size_t j = 0; j < columns_.size(); ++j) {
    state[j] = theta[j];
    if (columns_[j] == Column::kReflected) state[j] = std::clamp(theta[j], 0.0f, 1.0f) - 0.5f;
    if (columns_[j] != Column::kStraightUnit) continue;
    const double z = UnitToLine(theta[j]);
    state[j] = static_cast<float>(z);
    log_slope += LogUnitToLineSlope(z);
  }
  return log_slope;
}

void Path::Leave(const float* state, float* theta) const {
  constexpr float kBelowOne = 0x1.fffffep-1f;
  for (std::size_t j = 0; j < columns_.size(); ++j) {
    theta[j] = state[j];
    if (columns_[j] == Column::kReflected) theta[j] = std::clamp(state[j] + 0.5f, 0.0f, kBelowOne);
    if (columns_[j] == Column::kStraightUnit) theta[j] = LineToUnit(state[j]);
  }
}

float Path::Reflect(std::size_t column, float* state) const {
  return columns_[column] == Column::kReflected ? Fold(*state, state) : 1.0f;
}

float Path::Base(std::size_t column, double uniform) const {
  if (columns_[column] == Column::kReflected) return static_cast<float>(uniform - 0.5);
  return static_cast<float>(UnitToLine(uniform + 0x1.0p-25));
}

double Path::LogBase(std::size_t column, double state) const {
  return columns_[column] == Column::kReflected ? 0 : LogNormal(state);
}

void Path::Example(const float* data, const double* noise, double tau, float* input, float* gate,
                   float* target) const {
  const double time = Time(tau), angle = std::atan(NoiseAt(kLineNoise, tau));
  for (std::size_t j = 0; j < columns_.size(); ++j) {
    const PathPoint p = At(j, tau);
    double state = 0, motion = 0;  // d state / d time, as this one pair of data and noise has it.
    if (columns_[j] == Column::kReflected) {
      float folded = 0;
      Fold(data[j] + time * noise[j], &folded);
      state = folded;
      motion = (state - MeanImage(data[j], state, time)) / time;
    } else if (columns_[j] == Column::kNoise) {
      state = std::cos(angle) * data[j] + std::sin(angle) * noise[j];
      motion = p.field * (std::sin(angle) * data[j] - std::cos(angle) * noise[j]);
    } else {
      state = (1 - time) * data[j] + time * noise[j];
      motion = noise[j] - data[j];
    }
    input[j] = static_cast<float>(p.scale * state);
    gate[j] = GateAt(j, tau, static_cast<float>(state)).value;
    target[j] = static_cast<float>((motion - p.own * state) / p.field);
  }
}

}  // namespace inferon::estimators
