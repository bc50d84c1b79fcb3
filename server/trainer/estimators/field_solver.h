// Solves a path's equation for blocks of rows. Without LibTorch.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "server/trainer/estimators/field_lanes.h"
#include "server/trainer/estimators/flow_block.h"
#include "server/trainer/estimators/path.h"

namespace inferon::estimators {

// The memory of one block; not thread-safe. A row's result depends on this row only.
class FieldSolver {
 public:
  FieldSolver(const FieldView& field, const Path& path, std::size_t steps);

  // The context of all rows, or of each row ([rows, context]).
  void SetContext(std::span<const float> context);
  void SetRowContexts(MatrixView contexts);

  // Uniform numbers [n, d] become draws in place, n <= kFlowBlock; log_density [n] may be null.
  void Draw(std::size_t n, float* values, double* log_density);
  // log_density [theta.rows] of at most kFlowBlock rows.
  void LogDensity(MatrixView theta, double* log_density);

 private:
  // d state / d time and, unless null, the divergence by tau of the block at tau.
  void Motion(const float* state, double tau, float* motion, double* divergence);
  // One step of Bogacki and Shampine's third-order method, after Motion has filled motion_[0].
  void Step(double from, double to);
  // stage_ = state_ + change * motion, reflected; `turned` gets the signs.
  void MoveTo(double change, const float* motion);
  // From one end to the other; adds the integral of the divergence over tau to `integral` unless
  // null.
  void Solve(bool to_noise, double* integral);

  const Path& path_;
  const std::size_t steps_, dimension_, context_;
  FieldLanes field_;
  Arena arena_;
  float *state_, *stage_, *turned_, *input_, *out_, *slopes_;
  std::array<float*, 3> motion_{};
  std::vector<float> shared_;  // Context and time of all rows; empty: of each row.
  MatrixView rows_;
};

}  // namespace inferon::estimators
