// Splines of one vector of rows, for the target that Highway compiles at the moment. Included by
// .cc files that go through hwy/foreach_target.h, once for each target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "server/trainer/estimators/spline.h"

#if defined(INFERON_SPLINE_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_SPLINE_LANES_INL_H
#undef INFERON_SPLINE_LANES_INL_H
#else
#define INFERON_SPLINE_LANES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, whatever the machine offers: arrays below are sized by it.
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
inline constexpr std::size_t kLanes = 16;

HWY_INLINE Vector Constant(float value) { return hn::Set(Floats(), value); }

HWY_INLINE Vector Clamped(Vector x, float low, float high) {
  return hn::Min(hn::Max(x, Constant(low)), Constant(high));
}

// log(1 + e^u).
HWY_INLINE Vector Softplus(Vector u) {
  const Vector small = hn::Exp(Floats(), hn::Neg(hn::Abs(u)));
  return hn::Add(hn::Max(u, Constant(0)), hn::Log1p(Floats(), small));
}

HWY_INLINE Vector Logistic(Vector u) {
  const Vector one = Constant(1);
  const Vector exponent = hn::Min(hn::Neg(u), Constant(87));  // Highway's Exp ends at 104.
  return hn::Div(one, hn::Add(one, hn::Exp(Floats(), exponent)));
}

HWY_INLINE Vector SlopeOf(Vector raw) {
  return hn::MulAdd(Constant(1 - kMinSlope),
                    Softplus(hn::Add(raw, Constant(static_cast<float>(kSlopeShift)))),
                    Constant(kMinSlope));
}

HWY_INLINE Vector SlopeDerivative(Vector raw) {
  return hn::Mul(Constant(1 - kMinSlope),
                 Logistic(hn::Add(raw, Constant(static_cast<float>(kSlopeShift)))));
}

// Softmax of the logits of one array of bins; bin j's size is kMinBin + rest * share[j].
class BinShares {
 public:
  HWY_INLINE BinShares(std::size_t bins, std::size_t stride, const float* logits)
      : rest_(Constant(1.0f - static_cast<float>(bins) * kMinBin)) {
    const Floats f;
    Vector largest = hn::LoadU(f, logits);
    for (std::size_t j = 1; j < bins; ++j) {
      largest = hn::Max(largest, hn::LoadU(f, logits + j * stride));
    }
    Vector sum = Constant(0);
    for (std::size_t j = 0; j < bins; ++j) {
      const Vector e = hn::Exp(f, hn::Sub(hn::LoadU(f, logits + j * stride), largest));
      hn::Store(e, f, share_ + j * kLanes);
      sum = hn::Add(sum, e);
    }
    inverse_ = hn::Div(Constant(1), sum);
  }
  HWY_INLINE Vector Share(std::size_t j) const {
    return hn::Mul(hn::Load(Floats(), share_ + j * kLanes), inverse_);
  }
  HWY_INLINE Vector Size(std::size_t j) const {
    return hn::MulAdd(rest_, Share(j), Constant(kMinBin));
  }
  HWY_INLINE Vector rest() const { return rest_; }

 private:
  HWY_ALIGN_MAX float share_[kMaxBins * kLanes];
  Vector rest_;
  Vector inverse_;
};

// The bin of each row that holds a value, in both directions, with its knots' raw slopes. In the
// paper's notation: width, height, mean slope s, slopes d0 and d1 at the left and right knot.
struct Piece {
  Vector index;  // Of the bin.
  Vector left, w, bottom, h;
  Vector raw0, raw1;
  Vector s, d0, d1, curvature;
};

// The bin is looked for along x if along_x, else along y. The first and last raw slope of a line
// column's parameters mean something else: its end slopes are 1.
template <bool along_x, bool line>
HWY_INLINE Piece FindPiece(std::size_t bins, std::size_t stride, const BinShares& widths,
                           const BinShares& heights, const float* slopes, Vector value) {
  const Floats f;
  const Vector zero = Constant(0);
  Piece p;
  p.index = zero;
  p.left = p.bottom = zero;
  p.w = widths.Size(0);
  p.h = heights.Size(0);
  const auto raw = [&](std::size_t j) HWY_ATTR {
    return line && (j == 0 || j == bins) ? zero : hn::LoadU(f, slopes + j * stride);
  };
  p.raw0 = raw(0);
  p.raw1 = raw(1);
  Vector x = p.w, y = p.h;
  for (std::size_t j = 1; j < bins; ++j) {
    const auto beyond = hn::Ge(value, along_x ? x : y);
    const Vector w = widths.Size(j), h = heights.Size(j);
    p.index = hn::IfThenElse(beyond, Constant(static_cast<float>(j)), p.index);
    p.left = hn::IfThenElse(beyond, x, p.left);
    p.bottom = hn::IfThenElse(beyond, y, p.bottom);
    p.w = hn::IfThenElse(beyond, w, p.w);
    p.h = hn::IfThenElse(beyond, h, p.h);
    p.raw0 = hn::IfThenElse(beyond, raw(j), p.raw0);
    p.raw1 = hn::IfThenElse(beyond, raw(j + 1), p.raw1);
    x = hn::Add(x, w);
    y = hn::Add(y, h);
  }
  p.s = hn::Div(p.h, p.w);
  p.d0 = SlopeOf(p.raw0);
  p.d1 = SlopeOf(p.raw1);
  p.curvature = hn::Sub(hn::Add(p.d0, p.d1), hn::Add(p.s, p.s));
  return p;
}

// The rational quadratic at t in [0, 1] of the bin.
struct Quadratic {
  Vector t, rest, q;  // t, 1 - t, t (1 - t)
  Vector numerator, denominator, slope_numerator;
};

HWY_INLINE Quadratic QuadraticAt(const Piece& p, Vector t) {
  Quadratic r;
  r.t = t;
  r.rest = hn::Sub(Constant(1), t);
  r.q = hn::Mul(t, r.rest);
  r.numerator = hn::MulAdd(p.s, hn::Mul(t, t), hn::Mul(p.d0, r.q));
  r.denominator = hn::MulAdd(p.curvature, r.q, p.s);
  r.slope_numerator =
      hn::MulAdd(p.d1, hn::Mul(t, t),
                 hn::MulAdd(hn::Add(p.s, p.s), r.q, hn::Mul(p.d0, hn::Mul(r.rest, r.rest))));
  return r;
}

HWY_INLINE Vector LogSlope(const Piece& p, const Quadratic& at) {
  const Vector ratio = hn::Div(p.s, at.denominator);
  return hn::Log(Floats(), hn::Mul(hn::Mul(ratio, ratio), at.slope_numerator));
}

// A line column's affine part z = scale x + shift.
struct Affine {
  Vector relative, log_scale, scale, shift;  // relative: log_scale / kMaxLogScale
};

HWY_INLINE Affine AffineOf(std::size_t bins, std::size_t stride, const float* slopes) {
  const Floats f;
  constexpr auto kMost = static_cast<float>(kMaxLogScale);
  Affine a;
  // Highway's Tanh overflows far out, where the tangent is 1 anyway.
  a.relative = hn::Tanh(f, Clamped(hn::Mul(hn::LoadU(f, slopes), Constant(1 / kMost)), -10, 10));
  a.log_scale = hn::Mul(a.relative, Constant(kMost));
  a.scale = hn::Exp(f, a.log_scale);
  a.shift = hn::LoadU(f, slopes + (bins == 0 ? 1 : bins) * stride);
  return a;
}

HWY_INLINE hn::Mask<Floats> InTail(Vector z) {
  return hn::Not(hn::Lt(hn::Abs(z), Constant(static_cast<float>(kTail))));
}
HWY_INLINE Vector ToUnit(Vector z) {
  return Clamped(hn::MulAdd(z, Constant(static_cast<float>(0.5 / kTail)), Constant(0.5f)), 0, 1);
}
HWY_INLINE Vector ToLine(Vector unit) {
  constexpr auto kEnd = static_cast<float>(kTail);
  return hn::MulSub(unit, Constant(2 * kEnd), Constant(kEnd));
}

// A point of the map and its log derivative there.
struct Point {
  Vector value, log_slope;
};

template <bool line>
HWY_INLINE Point UnitForward(std::size_t bins, std::size_t stride, const float* parameters,
                             Vector x) {
  const BinShares widths(bins, stride, parameters);
  const BinShares heights(bins, stride, parameters + bins * stride);
  const Piece p =
      FindPiece<true, line>(bins, stride, widths, heights, parameters + 2 * bins * stride, x);
  const Quadratic at = QuadraticAt(p, Clamped(hn::Div(hn::Sub(x, p.left), p.w), 0, 1));
  const Vector y = hn::MulAdd(p.h, hn::Div(at.numerator, at.denominator), p.bottom);
  return {Clamped(y, 0, 1), LogSlope(p, at)};
}

template <bool line>
HWY_INLINE Point UnitInverse(std::size_t bins, std::size_t stride, const float* parameters,
                             Vector y) {
  const Vector zero = Constant(0);
  const BinShares widths(bins, stride, parameters);
  const BinShares heights(bins, stride, parameters + bins * stride);
  const Piece p =
      FindPiece<false, line>(bins, stride, widths, heights, parameters + 2 * bins * stride, y);
  const Vector rise = hn::Min(hn::Max(hn::Sub(y, p.bottom), zero), p.h);
  const Vector bend = hn::Mul(rise, p.curvature);
  const Vector a = hn::MulAdd(p.h, hn::Sub(p.s, p.d0), bend);
  const Vector b = hn::MulSub(p.h, p.d0, bend);
  const Vector c = hn::Neg(hn::Mul(p.s, rise));
  const Vector square = hn::NegMulAdd(hn::Mul(Constant(4), a), c, hn::Mul(b, b));
  const Vector sum = hn::Add(b, hn::Sqrt(hn::Max(square, zero)));
  const Vector root = hn::Div(hn::Mul(Constant(-2), c), sum);
  const Vector t = hn::IfThenElseZero(hn::Gt(sum, zero), Clamped(root, 0, 1));
  return {Clamped(hn::MulAdd(t, p.w, p.left), 0, 1), LogSlope(p, QuadraticAt(p, t))};
}

template <bool line>
HWY_INLINE Point ForwardAt(std::size_t bins, std::size_t stride, const float* parameters,
                           Vector x) {
  if constexpr (!line) return UnitForward<false>(bins, stride, parameters, Clamped(x, 0, 1));
  const Affine affine = AffineOf(bins, stride, parameters + 2 * bins * stride);
  const Vector z = hn::MulAdd(affine.scale, x, affine.shift);
  if (bins == 0) return {z, affine.log_scale};
  const auto tail = InTail(z);
  const Point inner = UnitForward<true>(bins, stride, parameters, ToUnit(z));
  return {hn::IfThenElse(tail, z, ToLine(inner.value)),
          hn::Add(affine.log_scale, hn::IfThenZeroElse(tail, inner.log_slope))};
}

template <bool line>
HWY_INLINE Point InverseAt(std::size_t bins, std::size_t stride, const float* parameters,
                           Vector y) {
  if constexpr (!line) return UnitInverse<false>(bins, stride, parameters, Clamped(y, 0, 1));
  const Affine affine = AffineOf(bins, stride, parameters + 2 * bins * stride);
  if (bins == 0) return {hn::Div(hn::Sub(y, affine.shift), affine.scale), affine.log_scale};
  const auto tail = InTail(y);
  const Point inner = UnitInverse<true>(bins, stride, parameters, ToUnit(y));
  const Vector z = hn::IfThenElse(tail, y, ToLine(inner.value));
  return {hn::Div(hn::Sub(z, affine.shift), affine.scale),
          hn::Add(affine.log_scale, hn::IfThenZeroElse(tail, inner.log_slope))};
}

// Gradient by the logits of an array of bins, from the gradients by the start and by the size of
// the rows' bins.
HWY_INLINE void StoreLogitGradient(const BinShares& shares, std::size_t bins, std::size_t stride,
                                   Vector index, Vector grad_start, Vector grad_size, float* out) {
  const Floats f;
  Vector mean = Constant(0);
  for (std::size_t j = 0; j < bins; ++j) {
    const Vector number = Constant(static_cast<float>(j));
    const Vector direct = hn::IfThenElse(hn::Lt(number, index), grad_start,
                                         hn::IfThenElseZero(hn::Eq(number, index), grad_size));
    mean = hn::MulAdd(direct, shares.Share(j), mean);
    hn::StoreU(direct, f, out + j * stride);
  }
  for (std::size_t j = 0; j < bins; ++j) {
    const Vector direct = hn::LoadU(f, out + j * stride);
    const Vector scale = hn::Mul(shares.Share(j), shares.rest());
    hn::StoreU(hn::Mul(scale, hn::Sub(direct, mean)), f, out + j * stride);
  }
}

// Gradient by the argument and, stored, by the parameters of UnitForward.
template <bool line>
HWY_INLINE Vector UnitBackward(std::size_t bins, std::size_t stride, const float* parameters,
                               Vector x, Vector grad_y, Vector grad_log, float* grad_parameters) {
  const Floats f;
  const Vector one = Constant(1), two = Constant(2);
  const BinShares widths(bins, stride, parameters);
  const BinShares heights(bins, stride, parameters + bins * stride);
  const Piece p =
      FindPiece<true, line>(bins, stride, widths, heights, parameters + 2 * bins * stride, x);
  const Vector t = Clamped(hn::Div(hn::Sub(x, p.left), p.w), 0, 1);
  const Quadratic at = QuadraticAt(p, t);
  const Vector inverse = hn::Div(one, at.denominator);
  const Vector share = hn::Mul(at.numerator, inverse);  // Of the bin's height, below.
  const Vector turn = hn::NegMulAdd(two, t, one);       // 1 - 2 t
  const Vector tt = hn::Mul(t, t), rr = hn::Mul(at.rest, at.rest), twice_q = hn::Mul(two, at.q);
  const Vector twice_log = hn::Mul(two, grad_log);
  const Vector by_num = hn::Mul(hn::Mul(grad_y, p.h), inverse);
  const Vector by_den = hn::NegMulSub(by_num, share, hn::Mul(twice_log, inverse));
  const Vector by_slope = hn::Div(grad_log, at.slope_numerator);
  Vector by_s = hn::MulAdd(by_num, tt, hn::Div(twice_log, p.s));
  by_s = hn::MulAdd(by_den, hn::Sub(one, twice_q), by_s);
  by_s = hn::MulAdd(by_slope, twice_q, by_s);
  const Vector by_d0 = hn::MulAdd(hn::Add(by_num, by_den), at.q, hn::Mul(by_slope, rr));
  const Vector by_d1 = hn::MulAdd(by_den, at.q, hn::Mul(by_slope, tt));
  const Vector num_by_t = hn::MulAdd(hn::Mul(two, p.s), t, hn::Mul(p.d0, turn));
  const Vector slope_by_t =
      hn::Mul(two, hn::MulAdd(p.d1, t, hn::MulSub(p.s, turn, hn::Mul(p.d0, at.rest))));
  Vector by_t = hn::Mul(by_num, num_by_t);
  by_t = hn::MulAdd(hn::Mul(by_den, p.curvature), turn, by_t);
  by_t = hn::MulAdd(by_slope, slope_by_t, by_t);
  const Vector per_width = hn::Div(one, p.w);
  const Vector by_x = hn::Mul(by_t, per_width);
  const Vector by_w = hn::Neg(hn::Mul(hn::MulAdd(by_t, t, hn::Mul(by_s, p.s)), per_width));
  StoreLogitGradient(widths, bins, stride, p.index, hn::Neg(by_x), by_w, grad_parameters);
  StoreLogitGradient(heights, bins, stride, p.index, grad_y,
                     hn::MulAdd(grad_y, share, hn::Mul(by_s, per_width)),
                     grad_parameters + bins * stride);
  const Vector left = hn::Mul(by_d0, SlopeDerivative(p.raw0));
  const Vector right = hn::Mul(by_d1, SlopeDerivative(p.raw1));
  const Vector next = hn::Add(p.index, one);
  float* grad_slopes = grad_parameters + 2 * bins * stride;
  for (std::size_t j = 0; j <= bins; ++j) {
    const Vector number = Constant(static_cast<float>(j));
    const Vector gradient = hn::IfThenElse(hn::Eq(number, p.index), left,
                                           hn::IfThenElseZero(hn::Eq(number, next), right));
    hn::StoreU(gradient, f, grad_slopes + j * stride);
  }
  return by_x;
}

template <bool line>
HWY_INLINE Vector BackwardAt(std::size_t bins, std::size_t stride, const float* parameters,
                             Vector x, Vector grad_y, Vector grad_log, float* grad_parameters) {
  if constexpr (!line) {
    return UnitBackward<false>(bins, stride, parameters, Clamped(x, 0, 1), grad_y, grad_log,
                               grad_parameters);
  }
  const Floats f;
  constexpr auto kSpan = static_cast<float>(2 * kTail);
  const Affine affine = AffineOf(bins, stride, parameters + 2 * bins * stride);
  const Vector flat = hn::NegMulAdd(affine.relative, affine.relative, Constant(1));
  if (bins == 0) {
    const Vector scale_gradient = hn::MulAdd(hn::Mul(grad_y, affine.scale), x, grad_log);
    hn::StoreU(hn::Mul(scale_gradient, flat), f, grad_parameters);
    hn::StoreU(grad_y, f, grad_parameters + stride);
    return hn::Mul(grad_y, affine.scale);
  }
  const Vector z = hn::MulAdd(affine.scale, x, affine.shift);
  const auto tail = InTail(z);
  // In a tail the spline gets no gradient.
  const Vector inner_y = hn::IfThenZeroElse(tail, hn::Mul(grad_y, Constant(kSpan)));
  const Vector inner_log = hn::IfThenZeroElse(tail, grad_log);
  const Vector inner =
      UnitBackward<true>(bins, stride, parameters, ToUnit(z), inner_y, inner_log, grad_parameters);
  const Vector grad_z = hn::IfThenElse(tail, grad_y, hn::Mul(inner, Constant(1 / kSpan)));
  const Vector by_scale = hn::MulAdd(hn::Mul(grad_z, affine.scale), x, grad_log);
  hn::StoreU(hn::Mul(by_scale, flat), f, grad_parameters + 2 * bins * stride);
  hn::StoreU(grad_z, f, grad_parameters + 3 * bins * stride);
  return hn::Mul(grad_z, affine.scale);
}

}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
