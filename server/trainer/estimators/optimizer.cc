#include "server/trainer/estimators/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "server/trainer/estimators/fast_math.h"

namespace inferon::estimators {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
constexpr double kWarmUp = 0.05;

struct Update {
  float scale;       // Of the gradient.
  float rate;        // Corrected for the start of the first moment.
  float correction;  // 1 / sqrt of the second moment's start correction.
  float keep;        // 1 - rate * decay.
};

INFERON_VECTOR_CLONES
void UpdateArray(std::size_t n, const float* gradient, Update u, float* w, float* first,
                 float* second) {
  constexpr auto kB1 = static_cast<float>(kBeta1);
  constexpr auto kB2 = static_cast<float>(kBeta2);
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] * u.scale;
    first[i] = kB1 * first[i] + (1 - kB1) * g;
    second[i] = kB2 * second[i] + (1 - kB2) * (g * g);
    w[i] = w[i] * u.keep -
           u.rate * first[i] /
               (__builtin_sqrtf(second[i]) * u.correction + static_cast<float>(kEpsilon));
  }
}

INFERON_VECTOR_CLONES
void AverageArray(std::size_t n, const float* values, float decay, float* mean) {
  for (std::size_t i = 0; i < n; ++i) mean[i] += (1 - decay) * (values[i] - mean[i]);
}

}  // namespace

std::size_t CountWeights(const std::vector<WeightSpan>& weights) {
  std::size_t count = 0;
  for (const WeightSpan& w : weights) count += w.values.size();
  return count;
}

std::vector<float> GatherValues(const std::vector<WeightSpan>& weights) {
  std::vector<float> flat;
  flat.reserve(CountWeights(weights));
  for (const WeightSpan& w : weights) flat.insert(flat.end(), w.values.begin(), w.values.end());
  return flat;
}

void ScatterValues(std::span<const float> flat, const std::vector<WeightSpan>& weights) {
  for (const WeightSpan& w : weights) {
    std::copy_n(flat.begin(), w.values.size(), w.values.begin());
    flat = flat.subspan(w.values.size());
  }
}

void AverageValues(const std::vector<WeightSpan>& weights, double decay, std::vector<float>* mean) {
  float* at = mean->data();
  for (const WeightSpan& w : weights) {
    AverageArray(w.values.size(), w.values.data(), static_cast<float>(decay), at);
    at += w.values.size();
  }
}

double GradientNorm(const std::vector<WeightSpan>& weights) {
  double squares = 0;
  for (const WeightSpan& w : weights) {
    for (const float g : w.gradient) squares += static_cast<double>(g) * g;
  }
  return std::sqrt(squares);
}

double LearningRate(double largest, std::uint64_t step, std::uint64_t steps) {
  const double warm = std::max(1.0, kWarmUp * static_cast<double>(steps));
  const double at = static_cast<double>(step) + 1;
  if (at <= warm) return largest * at / warm;
  const double done = (at - warm) / std::max(1.0, static_cast<double>(steps) - warm);
  return largest * 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
}

void AdamStep(const std::vector<WeightSpan>& weights, double rate, double weight_decay,
              double gradient_scale, AdamState* state) {
  state->step += 1;
  const auto t = static_cast<double>(state->step);
  const double first_start = 1 - std::pow(kBeta1, t);
  const double second_start = 1 - std::pow(kBeta2, t);
  std::size_t at = 0;
  for (const WeightSpan& w : weights) {
    const Update update{static_cast<float>(gradient_scale), static_cast<float>(rate / first_start),
                        static_cast<float>(1 / std::sqrt(second_start)),
                        static_cast<float>(1 - (w.decays ? rate * weight_decay : 0.0))};
    UpdateArray(w.values.size(), w.gradient.data(), update, w.values.data(),
                state->first.data() + at, state->second.data() + at);
    at += w.values.size();
  }
}

}  // namespace inferon::estimators
