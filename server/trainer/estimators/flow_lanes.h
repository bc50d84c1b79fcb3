// A coupling flow without LibTorch, for queries and for training: one row a vector lane, all layers
// of a block of rows while it is in the cache, nothing allocated for a batch.
//
// A row's result depends on this row only, to the last bit: neither on the rows beside it, nor on
// how many there are, nor on the vector width (AVX2 or AVX-512). So queries of many clients can be
// put together in any way. The tests hold an oracle in LibTorch's operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/spline.h"

namespace inferon::estimators {

inline constexpr std::size_t kFlowBlock = 64;  // Rows that go through the layers together.

// y = W x + b, with weights that somebody else owns.
struct DenseView {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  const float* weights = nullptr;  // [outputs, inputs]
  const float* bias = nullptr;     // [outputs]; null: none.
  float* grad_weights = nullptr;   // As weights; only a training needs it.
  float* grad_bias = nullptr;
};

// One coupling layer. With s = silu, k = scale * kept columns + shift and context c:
//   a = s(context(c) + theta(k)),  parameters = last(s(a + second(s(first(a)))))
struct FlowLayerView {
  CouplingShape shape;
  std::vector<std::uint32_t> kept;  // Columns that the conditioner sees.
  std::vector<float> scale, shift;  // [kept]
  DenseView context, theta, first, second, last;
};

// Layers from theta to the base.
struct FlowView {
  std::size_t dimension = 0;
  std::vector<std::uint8_t> line;  // By column, see CouplingShape.
  std::vector<FlowLayerView> layers;
  std::size_t context_columns() const { return layers.empty() ? 0 : layers[0].context.inputs; }
};

// Answers of a flow whose weights no longer change. const calls are thread-safe.
class FlowLanes {
 public:
  explicit FlowLanes(FlowView flow);

  // What depends on one context ([context_columns]) only; for the calls below.
  std::vector<float> Condition(std::span<const float> context) const;
  // log q(theta_i | context), out [theta.rows].
  void LogDensity(std::span<const float> condition, MatrixView theta, float* out) const;
  // log q(theta_i | context_i), out [theta.rows].
  void LogDensityPairs(MatrixView context, MatrixView theta, float* out) const;
  // As LogDensity, with the derivatives of out[i] by theta_i in gradient [theta.rows, dimension].
  void LogDensitySlopes(std::span<const float> condition, MatrixView theta, float* out,
                        float* gradient) const;
  // Uniform numbers [rows, dimension] in [0, 1) become draws, in place; log_density [rows] gets
  // the log density of each.
  void Draw(std::span<const float> condition, std::size_t rows, float* values,
            float* log_density) const;

 private:
  FlowView flow_;
};

// Gradients of a flow whose weights an optimiser changes between the calls. Not thread-safe.
class FlowGradient {
 public:
  explicit FlowGradient(FlowView flow);
  ~FlowGradient();
  FlowGradient(const FlowGradient&) = delete;
  FlowGradient& operator=(const FlowGradient&) = delete;

  // L = sum of log q(theta_i | context_i). Returns L; adds weight * dL/dw to the gradient of each
  // weight w; grad_context [rows, context_columns] becomes weight * dL/d context.
  double Add(MatrixView context, MatrixView theta, float weight, float* grad_context);

 private:
  struct Work;
  double AddBlock(MatrixView context, MatrixView theta, float weight, float* grad_context);

  FlowView flow_;
  std::unique_ptr<Work> work_;
};

}  // namespace inferon::estimators
