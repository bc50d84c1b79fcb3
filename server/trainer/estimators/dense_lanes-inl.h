// Dense layers over a block of rows, for the target that Highway compiles at the moment: one row a
// vector lane. Included like spline_lanes-inl.h.
//
// A block's arrays are column by column: element (column, row) is at [column * kBlock + row].
#include <hwy/highway.h>

#include "server/trainer/estimators/flow_lanes.h"
#include "server/trainer/estimators/spline_lanes-inl.h"

#if defined(INFERON_DENSE_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_DENSE_LANES_INL_H
#undef INFERON_DENSE_LANES_INL_H
#else
#define INFERON_DENSE_LANES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {

inline constexpr std::size_t kBlock = kFlowBlock;
inline constexpr std::size_t kGroup = 4;  // Outputs that are accumulated side by side.
// Vectors of rows side by side: as many as leave all sums in registers.
inline constexpr std::size_t kVectors = HWY_MAX_BYTES >= 64 ? 4 : 2;

// Which weight belongs to output o and input i: weights[o * by_output + i * by_input].
struct Strides {
  std::size_t by_output, by_input;
};

template <std::size_t outputs, bool add>
HWY_INLINE void DenseGroup(const float* weights, Strides strides, const float* bias,
                           std::size_t inputs, const float* in, float* out) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  for (std::size_t row = 0; row < kBlock; row += kVectors * lanes) {
    Vector sum[outputs][kVectors];
    for (std::size_t j = 0; j < outputs; ++j) {
      const Vector start = Constant(bias == nullptr ? 0.0f : bias[j]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[j][v] = start;
        if (add) {
          sum[j][v] = hn::Add(start, hn::Load(f, out + j * kBlock + row + v * lanes));
        }
      }
    }
    const float* weight = weights;
    const float* from = in + row;
    for (std::size_t i = 0; i < inputs; ++i, weight += strides.by_input, from += kBlock) {
      Vector x[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) x[v] = hn::Load(f, from + v * lanes);
      for (std::size_t j = 0; j < outputs; ++j) {
        const Vector w = Constant(weight[j * strides.by_output]);
        for (std::size_t v = 0; v < kVectors; ++v) sum[j][v] = hn::MulAdd(w, x[v], sum[j][v]);
      }
    }
    for (std::size_t j = 0; j < outputs; ++j) {
      for (std::size_t v = 0; v < kVectors; ++v) {
        hn::Store(sum[j][v], f, out + j * kBlock + row + v * lanes);
      }
    }
  }
}

template <bool add>
HWY_INLINE void DenseStrided(const float* weights, Strides strides, const float* bias,
                             std::size_t inputs, std::size_t outputs, const float* in, float* out) {
  std::size_t o = 0;
  const auto at = [&](const float* array, std::size_t stride) {
    return array == nullptr ? nullptr : array + o * stride;
  };
  for (; o + kGroup <= outputs; o += kGroup) {
    DenseGroup<kGroup, add>(at(weights, strides.by_output), strides, at(bias, 1), inputs, in,
                            out + o * kBlock);
  }
  for (; o < outputs; ++o) {
    DenseGroup<1, add>(at(weights, strides.by_output), strides, at(bias, 1), inputs, in,
                       out + o * kBlock);
  }
}

// out [outputs] = W in + bias, plus what is in out already if `add`.
template <bool add>
HWY_INLINE void Dense(const DenseView& layer, const float* bias, const float* in, float* out) {
  DenseStrided<add>(layer.weights, {layer.inputs, 1}, bias, layer.inputs, layer.outputs, in, out);
}

// out [inputs] = W' grad; added to what is in out if `add`.
template <bool add>
HWY_INLINE void DenseTransposed(const DenseView& layer, const float* grad, float* out) {
  DenseStrided<add>(layer.weights, {1, layer.inputs}, nullptr, layer.outputs, layer.inputs, grad,
                    out);
}

HWY_INLINE void Silu(const float* in, std::size_t columns, float* out) {
  const Floats f;
  for (std::size_t i = 0; i < columns * kBlock; i += hn::Lanes(f)) {
    const Vector x = hn::Load(f, in + i);
    hn::Store(hn::Mul(x, Logistic(x)), f, out + i);
  }
}

// grad [columns] *= silu'(in).
HWY_INLINE void SiluBackward(const float* in, std::size_t columns, float* grad) {
  const Floats f;
  const Vector one = Constant(1);
  for (std::size_t i = 0; i < columns * kBlock; i += hn::Lanes(f)) {
    const Vector x = hn::Load(f, in + i);
    const Vector s = Logistic(x);
    const Vector slope = hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one));
    hn::Store(hn::Mul(hn::Load(f, grad + i), slope), f, grad + i);
  }
}

// Columns of a row of a transposed block: the inputs, a one for the bias, zeros up to whole
// vectors.
HWY_INLINE std::size_t TransposedWidth(std::size_t columns) {
  return (columns + 1 + kLanes - 1) / kLanes * kLanes;
}

// Transposes the columns in tiles of 4 by 4; returns how many.
HWY_INLINE std::size_t TransposeTiles([[maybe_unused]] const float* in,
                                      [[maybe_unused]] std::size_t columns,
                                      [[maybe_unused]] std::size_t width,
                                      [[maybe_unused]] float* out) {
  std::size_t c = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<float, 4> f;
  const hn::CappedTag<double, 2> pairs;
  for (; c + 4 <= columns; c += 4) {
    for (std::size_t row = 0; row < kBlock; row += 4) {
      const auto a0 = hn::Load(f, in + (c + 0) * kBlock + row);
      const auto a1 = hn::Load(f, in + (c + 1) * kBlock + row);
      const auto a2 = hn::Load(f, in + (c + 2) * kBlock + row);
      const auto a3 = hn::Load(f, in + (c + 3) * kBlock + row);
      const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(f, a0, a1));
      const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(f, a2, a3));
      const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(f, a0, a1));
      const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(f, a2, a3));
      float* to = out + row * width + c;
      hn::Store(hn::BitCast(f, hn::InterleaveLower(pairs, low01, low23)), f, to);
      hn::Store(hn::BitCast(f, hn::InterleaveUpper(pairs, low01, low23)), f, to + width);
      hn::Store(hn::BitCast(f, hn::InterleaveLower(pairs, high01, high23)), f, to + 2 * width);
      hn::Store(hn::BitCast(f, hn::InterleaveUpper(pairs, high01, high23)), f, to + 3 * width);
    }
  }
#endif
  return c;
}

// in [columns][kBlock] to out [kBlock][TransposedWidth(columns)].
HWY_INLINE void Transpose(const float* in, std::size_t columns, float* out) {
  const std::size_t width = TransposedWidth(columns);
  const std::size_t c = TransposeTiles(in, columns, width, out);
  for (std::size_t row = 0; row < kBlock; ++row) {
    float* to = out + row * width;
    for (std::size_t rest = c; rest < columns; ++rest) to[rest] = in[rest * kBlock + row];
    to[columns] = 1;
    for (std::size_t rest = columns + 1; rest < width; ++rest) to[rest] = 0;
  }
}

template <std::size_t outputs, std::size_t vectors>
HWY_INLINE void OuterTile(const float* grad, const float* transposed, std::size_t width,
                          float* sums) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  Vector sum[outputs][vectors];
  for (std::size_t j = 0; j < outputs; ++j) {
    for (std::size_t v = 0; v < vectors; ++v) sum[j][v] = hn::Load(f, sums + j * width + v * lanes);
  }
  for (std::size_t row = 0; row < kBlock; ++row) {
    Vector x[vectors];
    for (std::size_t v = 0; v < vectors; ++v) {
      x[v] = hn::Load(f, transposed + row * width + v * lanes);
    }
    for (std::size_t j = 0; j < outputs; ++j) {
      const Vector g = Constant(grad[j * kBlock + row]);
      for (std::size_t v = 0; v < vectors; ++v) sum[j][v] = hn::MulAdd(g, x[v], sum[j][v]);
    }
  }
  for (std::size_t j = 0; j < outputs; ++j) {
    for (std::size_t v = 0; v < vectors; ++v) hn::Store(sum[j][v], f, sums + j * width + v * lanes);
  }
}

template <std::size_t outputs>
HWY_INLINE void OuterGroup(const float* grad, const float* transposed, std::size_t width,
                           float* sums) {
  const std::size_t lanes = hn::Lanes(Floats());
  std::size_t i = 0;
  for (; i + kVectors * lanes <= width; i += kVectors * lanes) {
    OuterTile<outputs, kVectors>(grad, transposed + i, width, sums + i);
  }
  for (; i < width; i += lanes) {
    OuterTile<outputs, 1>(grad, transposed + i, width, sums + i);
  }
}

// sums [outputs][width] += sum over rows of grad [outputs][kBlock] times transposed
// [kBlock][width]: the gradient by the weights and, in the column after them, by the bias.
HWY_INLINE void Outer(const float* grad, std::size_t outputs, const float* transposed,
                      std::size_t width, float* sums) {
  std::size_t o = 0;
  for (; o + kGroup <= outputs; o += kGroup) {
    OuterGroup<kGroup>(grad + o * kBlock, transposed, width, sums + o * width);
  }
  for (; o < outputs; ++o) {
    OuterGroup<1>(grad + o * kBlock, transposed, width, sums + o * width);
  }
}

}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
