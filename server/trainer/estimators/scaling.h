// Input scaling, fitted once on training rows and stored with the weights.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {

// Feature columns: robust standardisation, tails compressed, missing values explicit. A row of c
// values becomes 2 c: asinh((v - median) / spread), 0 where v is not finite; then c indicators of
// missing values (1 = missing).
class FeatureScaling {
 public:
  static FeatureScaling Fit(MatrixView rows);
  static Result<FeatureScaling> Load(const TensorFile& file, std::size_t columns);
  void Save(TensorFile* file) const;
  std::size_t columns() const { return median_.size(); }
  std::size_t outputs() const { return 2 * columns(); }
  // in [columns], out [outputs].
  void Apply(const float* in, float* out) const;
  // out [3 columns]: as Apply, then the standardised values cut to [-kCut, kCut], so that a linear
  // dependence on x needs no undoing of asinh.
  static constexpr float kCut = 8;
  void ApplyBoth(const float* in, float* out) const;
  // As Apply without the compression: linear in the input, for distances.
  void ApplyLinear(const float* in, float* out) const;

 private:
  std::vector<float> median_;
  std::vector<float> spread_;  // > 0; the scale of a normal with the same quartiles.
};

// Traces: one mean and one standard deviation for all points; a value that is not finite counts as
// the mean.
class TraceScaling {
 public:
  static TraceScaling Fit(MatrixView rows);
  static Result<TraceScaling> Load(const TensorFile& file);
  void Save(TensorFile* file) const;
  void Apply(const float* in, std::size_t points, float* out) const;

 private:
  float mean_ = 0;
  float inverse_ = 1;
};

}  // namespace inferon::estimators
