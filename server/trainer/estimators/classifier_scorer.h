// Scoring of the classifier in plain loops: every row goes through the same operations in the same
// order whatever stands beside it, with IEEE additions and multiplications only, so that a score is
// the same bits in every batch and on every machine.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {

// Inputs of the network for one theta: per coordinate 2 u - 1, 2 sqrt(u) - 1 and (u - c) / (u + c).
// A current or conductance acts by its ratio to others, so small codes need resolution.
inline constexpr std::size_t kExpansion = 3;
void ExpandTheta(const float* theta, std::size_t dimension, float* out);

// kInvalidArgument for options out of range.
Status CheckClassifierOptions(const ClassifierOptions& options);

// Weight names of a member: Prefix(m) + "first.weight" and so on.
std::string MemberPrefix(std::size_t member);

// One member: h = relu(W0 e + b0); blocks h = relu(h + W2 relu(W1 h + b1) + b2); logit = w h + b.
class ResidualScorer {
 public:
  // kDataLoss when weights are missing or of another shape.
  static Result<ResidualScorer> Load(const TensorFile& file, const ClassifierOptions& options,
                                     std::size_t member);
  // Adds each row's probability to out [rows].
  void AddProbabilities(MatrixView theta, float* out) const;

 private:
  // Weights in groups of outputs: [groups][inputs][kGroup], padded with zeros.
  struct Layer {
    std::size_t inputs = 0;
    std::size_t groups = 0;
    std::vector<float> weights;
    std::vector<float> bias;
  };
  static Result<Layer> LoadLayer(const TensorFile& file, const std::string& name,
                                 std::size_t inputs, std::size_t outputs);
  friend struct ScorerKernel;

  std::size_t dimension_ = 0;
  std::vector<Layer> layers_;  // First, then two for each block, then the logit.
};

}  // namespace inferon::estimators
