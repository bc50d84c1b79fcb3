// Elementwise arithmetic of a gated recurrent unit and its derivative, without LibTorch.
//
//   r = sigmoid(x_r + p_r)   z = sigmoid(x_z + p_z)   n = tanh(x_n + r (p_n + b))
//   h' = (1 - z) n + z h
// with x = W x_t + bias (3 H columns: r, z, n) and p = U h (3 H columns).
#pragma once

#include <cstddef>

namespace inferon::estimators {

// All arrays hold `rows` rows: input, projection [3 H]; before, after [H]; gates [4 H] gets r, z, n
// and p_n + b, which the derivative needs. bias is b, [H].
void GruCellForward(std::size_t rows, std::size_t hidden, const float* input,
                    const float* projection, const float* bias, const float* before, float* after,
                    float* gates);

// grad_after is the gradient by h'. Writes the gradients by input [3 H] and by projection [3 H];
// the gradient by h is grad_before (the direct part z grad_after; the part through p is the
// caller's). grad_before may be grad_after.
void GruCellBackward(std::size_t rows, std::size_t hidden, const float* gates, const float* before,
                     const float* grad_after, float* grad_input, float* grad_projection,
                     float* grad_before);

}  // namespace inferon::estimators
