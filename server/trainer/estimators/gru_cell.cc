#include "server/trainer/estimators/gru_cell.h"

#include "server/trainer/estimators/fast_math.h"

namespace inferon::estimators {

INFERON_VECTOR_CLONES
void GruCellForward(std::size_t rows, std::size_t hidden, const float* __restrict input,
                    const float* __restrict projection, const float* __restrict bias,
                    const float* __restrict before, float* __restrict after,
                    float* __restrict gates) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < hidden; ++i) {
      const float r = FastSigmoid(input[i] + projection[i]);
      const float z = FastSigmoid(input[hidden + i] + projection[hidden + i]);
      const float inner = projection[2 * hidden + i] + bias[i];
      const float n = 2.0f * FastSigmoid(2.0f * (input[2 * hidden + i] + r * inner)) - 1.0f;
      gates[i] = r;
      gates[hidden + i] = z;
      gates[2 * hidden + i] = n;
      gates[3 * hidden + i] = inner;
      after[i] = (1.0f - z) * n + z * before[i];
    }
    input += 3 * hidden;
    projection += 3 * hidden;
    before += hidden;
    after += hidden;
    gates += 4 * hidden;
  }
}

INFERON_VECTOR_CLONES
void GruCellBackward(std::size_t rows, std::size_t hidden, const float* __restrict gates,
                     const float* __restrict before, const float* grad_after,
                     float* __restrict grad_input, float* __restrict grad_projection,
                     float* grad_before) {
  for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < hidden; ++i) {
      const float r = gates[i];
      const float z = gates[hidden + i];
      const float n = gates[2 * hidden + i];
      const float inner = gates[3 * hidden + i];
      const float g = grad_after[i];
      const float grad_n = g * (1.0f - z) * (1.0f - n * n);
      const float grad_z = g * (before[i] - n) * z * (1.0f - z);
      const float grad_r = grad_n * inner * r * (1.0f - r);
      grad_input[i] = grad_r;
      grad_input[hidden + i] = grad_z;
      grad_input[2 * hidden + i] = grad_n;
      grad_projection[i] = grad_r;
      grad_projection[hidden + i] = grad_z;
      grad_projection[2 * hidden + i] = grad_n * r;
      grad_before[i] = g * z;
    }
    gates += 4 * hidden;
    before += hidden;
    grad_after += hidden;
    grad_input += 3 * hidden;
    grad_projection += 3 * hidden;
    grad_before += hidden;
  }
}

}  // namespace inferon::estimators
