// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) and its
// learning-rate schedule over plain arrays: the state is two vectors that a checkpoint stores.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace inferon::estimators {

// One weight array of a network and its gradient; the owner keeps both in place.
struct WeightSpan {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<float> values;
  std::span<float> gradient;
  bool decays = false;  // Matrices decay, biases do not.
};

std::size_t CountWeights(const std::vector<WeightSpan>& weights);
std::vector<float> GatherValues(const std::vector<WeightSpan>& weights);
// flat has CountWeights elements.
void ScatterValues(std::span<const float> flat, const std::vector<WeightSpan>& weights);
// mean = decay * mean + (1 - decay) * values; mean has CountWeights elements.
void AverageValues(const std::vector<WeightSpan>& weights, double decay, std::vector<float>* mean);
// Euclidean norm of all gradients; not finite if one of them is not.
double GradientNorm(const std::vector<WeightSpan>& weights);

// Rate at a step (from 0): linear warm-up over the first 5 % of the steps, then a cosine to 0.
double LearningRate(double largest, std::uint64_t step, std::uint64_t steps);

struct AdamState {
  std::vector<float> first;   // Running mean of the gradient, by weight.
  std::vector<float> second;  // Running mean of its square.
  std::uint64_t step = 0;
};

// One update; gradients are multiplied by gradient_scale first.
void AdamStep(const std::vector<WeightSpan>& weights, double rate, double weight_decay,
              double gradient_scale, AdamState* state);

}  // namespace inferon::estimators
