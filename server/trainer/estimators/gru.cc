#include "server/trainer/estimators/gru.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "server/trainer/estimators/gru_cell.h"
#include "server/trainer/estimators/layers.h"

namespace inferon::estimators {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Unrolled {
  at::Tensor states;  // [T + 1, B, H], from the state 0 on.
  at::Tensor gates;   // [T, B, 4 H]
};

Unrolled Unroll(const at::Tensor& input, const at::Tensor& recurrent, const at::Tensor& bias) {
  const std::int64_t steps = input.size(0), rows = input.size(1), hidden = recurrent.size(1);
  Unrolled u{at::empty({steps + 1, rows, hidden}, Floats()),
             at::empty({steps, rows, 4 * hidden}, Floats())};
  u.states.select(0, 0).zero_();
  const at::Tensor transposed = recurrent.t();
  at::Tensor projection = EmptyTensor({rows, 3 * hidden});
  const std::int64_t state_size = rows * hidden;
  for (std::int64_t t = 0; t < steps; ++t) {
    at::mm_out(projection, u.states.select(0, t), transposed);
    GruCellForward(static_cast<std::size_t>(rows), static_cast<std::size_t>(hidden),
                   Data(input) + t * 3 * state_size, Data(projection), Data(bias),
                   Data(u.states) + t * state_size, MutableData(u.states) + (t + 1) * state_size,
                   MutableData(u.gates) + t * 4 * state_size);
  }
  return u;
}

// States after each step, [T, B, H], from the projected input [T, B, 3 H].
struct GruOperation : torch::autograd::Function<GruOperation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& recurrent, const at::Tensor& bias) {
    Unrolled u = Unroll(input, recurrent, bias);
    context->save_for_backward({recurrent, u.states, u.gates});
    return u.states.narrow(0, 1, input.size(0)).clone();
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& recurrent = saved[0];
    const at::Tensor& states = saved[1];
    const at::Tensor& gates = saved[2];
    const std::int64_t steps = gates.size(0), rows = gates.size(1), hidden = recurrent.size(1);
    const std::int64_t state_size = rows * hidden;
    at::Tensor grad_input = at::empty({steps, rows, 3 * hidden}, Floats());
    at::Tensor grad_projection = at::empty({steps, rows, 3 * hidden}, Floats());
    at::Tensor grad_state = at::zeros({rows, hidden}, Floats());
    for (std::int64_t t = steps - 1; t >= 0; --t) {
      grad_state.add_(gradients[0].select(0, t));
      GruCellBackward(static_cast<std::size_t>(rows), static_cast<std::size_t>(hidden),
                      Data(gates) + t * 4 * state_size, Data(states) + t * state_size,
                      Data(grad_state), MutableData(grad_input) + t * 3 * state_size,
                      MutableData(grad_projection) + t * 3 * state_size, MutableData(grad_state));
      grad_state.addmm_(grad_projection.select(0, t), recurrent);
    }
    const at::Tensor flat = grad_projection.view({steps * rows, 3 * hidden});
    const at::Tensor before = states.narrow(0, 0, steps).reshape({steps * rows, hidden});
    const at::Tensor grad_recurrent = at::mm(flat.t(), before);
    const at::Tensor grad_bias = flat.narrow(1, 2 * hidden, hidden).sum(0);
    return {grad_input, grad_recurrent, grad_bias};
  }
};

}  // namespace

at::Tensor Gru::operator()(const at::Tensor& sequence) const {
  if (!sequence.is_cpu()) return Portable(sequence);
  return GruOperation::apply(input(sequence).contiguous(), recurrent, bias);
}

at::Tensor Gru::Portable(const at::Tensor& sequence) const {
  const std::int64_t hidden = recurrent.size(1);
  const at::Tensor none = at::zeros({2 * hidden}, bias.options());
  const std::vector<at::Tensor> weights = {
      Beside(input.weight, sequence), Beside(recurrent, sequence), Beside(input.bias, sequence),
      Beside(at::cat({none, bias}), sequence)};
  const at::Tensor start = at::zeros({1, sequence.size(1), hidden}, sequence.options());
  return std::get<0>(at::gru(sequence, start, weights, /*has_biases=*/true, /*num_layers=*/1,
                             /*dropout=*/0, KeepsForBackward(), /*bidirectional=*/false,
                             /*batch_first=*/false));
}

Gru MakeGru(WeightStore* store, const std::string& name, std::int64_t in, std::int64_t hidden) {
  Gru gru;
  gru.input = MakeLinear(store, name + ".input", in, 3 * hidden);
  gru.recurrent = store->Add(name + ".recurrent", {3 * hidden, hidden},
                             std::sqrt(1.0 / static_cast<double>(hidden)));
  gru.bias = store->Add(name + ".bias", {hidden}, 0);
  return gru;
}

}  // namespace inferon::estimators
