#include "server/trainer/estimators/spline_lanes.h"

#include <algorithm>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/trainer/estimators/spline_lanes.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include "server/trainer/estimators/spline_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inferon::estimators::HWY_NAMESPACE {
namespace {

// The last rows of columns, fewer than a vector has lanes, filled up to one.
class Rest {
 public:
  Rest(const float* from, std::size_t columns, std::size_t stride, std::size_t rows)
      : rows_(rows), values_(columns * kLanes, 0.0f) {
    for (std::size_t c = 0; c < columns; ++c) {
      std::copy_n(from + c * stride, rows, values_.data() + c * kLanes);
    }
  }
  float* data() { return values_.data(); }
  void CopyTo(float* to, std::size_t columns, std::size_t stride) const {
    for (std::size_t c = 0; c < columns; ++c) {
      std::copy_n(values_.data() + c * kLanes, rows_, to + c * stride);
    }
  }

 private:
  std::size_t rows_;
  std::vector<float> values_;
};

// Applies a map of one vector, (parameters, stride, value) to Point, to all rows.
template <typename OneVector>
void Map(const SplineColumns& n, const float* in, const float* parameters, float* out,
         float* log_slope, OneVector one_vector) {
  const Floats f;
  const auto apply = [&](const float* from, const float* raw, std::size_t stride, float* to,
                         float* slope) HWY_ATTR {
    const Point point = one_vector(raw, stride, hn::LoadU(f, from));
    hn::StoreU(point.value, f, to);
    hn::StoreU(hn::Add(hn::LoadU(f, slope), point.log_slope), f, slope);
  };
  const std::size_t lanes = hn::Lanes(f);
  std::size_t at = 0;
  for (; at + lanes <= n.rows; at += lanes) {
    apply(in + at, parameters + at, n.stride, out + at, log_slope + at);
  }
  if (at == n.rows) return;
  Rest value(in + at, 1, 0, n.rows - at), slope(log_slope + at, 1, 0, n.rows - at);
  Rest raw(parameters + at, 3 * n.bins + 1, n.stride, n.rows - at);
  apply(value.data(), raw.data(), kLanes, value.data(), slope.data());
  value.CopyTo(out + at, 1, 0);
  slope.CopyTo(log_slope + at, 1, 0);
}

template <bool line>
void ForwardOf(const SplineColumns& n, const float* in, const float* parameters, float* out,
               float* log_slope) {
  Map(n, in, parameters, out, log_slope,
      [&n](const float* raw, std::size_t stride, Vector x)
          HWY_ATTR { return ForwardAt<line>(n.bins, stride, raw, x); });
}

void Forward(const SplineColumns& n, const float* in, const float* parameters, float* out,
             float* log_slope) {
  (n.line ? ForwardOf<true> : ForwardOf<false>)(n, in, parameters, out, log_slope);
}

template <bool line>
void InverseOf(const SplineColumns& n, const float* in, const float* parameters, float* out,
               float* log_slope) {
  Map(n, in, parameters, out, log_slope,
      [&n](const float* raw, std::size_t stride, Vector y)
          HWY_ATTR { return InverseAt<line>(n.bins, stride, raw, y); });
}

void Inverse(const SplineColumns& n, const float* in, const float* parameters, float* out,
             float* log_slope) {
  (n.line ? InverseOf<true> : InverseOf<false>)(n, in, parameters, out, log_slope);
}

template <bool line>
void BackwardOf(const SplineColumns& n, const float* in, const float* parameters,
                const float* grad_out, const float* grad_log_slope, float* grad_in,
                float* grad_parameters) {
  const Floats f;
  const auto apply = [&](std::size_t at, std::size_t stride, const float* x, const float* raw,
                         const float* by_y, const float* by_log, float* by_x,
                         float* by_raw) HWY_ATTR {
    hn::StoreU(BackwardAt<line>(n.bins, stride, raw + at, hn::LoadU(f, x + at),
                                hn::LoadU(f, by_y + at), hn::LoadU(f, by_log + at), by_raw + at),
               f, by_x + at);
  };
  const std::size_t lanes = hn::Lanes(f);
  std::size_t at = 0;
  for (; at + lanes <= n.rows; at += lanes) {
    apply(at, n.stride, in, parameters, grad_out, grad_log_slope, grad_in, grad_parameters);
  }
  if (at == n.rows) return;
  const std::size_t rest = n.rows - at, columns = 3 * n.bins + 1;
  Rest value(in + at, 1, 0, rest), raw(parameters + at, columns, n.stride, rest);
  Rest by_out(grad_out + at, 1, 0, rest), by_slope(grad_log_slope + at, 1, 0, rest);
  Rest by_raw = raw;
  apply(0, kLanes, value.data(), raw.data(), by_out.data(), by_slope.data(), value.data(),
        by_raw.data());
  value.CopyTo(grad_in + at, 1, 0);
  by_raw.CopyTo(grad_parameters + at, columns, n.stride);
}

void Backward(const SplineColumns& n, const float* in, const float* parameters,
              const float* grad_out, const float* grad_log_slope, float* grad_in,
              float* grad_parameters) {
  (n.line ? BackwardOf<true> : BackwardOf<false>)(n, in, parameters, grad_out, grad_log_slope,
                                                  grad_in, grad_parameters);
}

}  // namespace
}  // namespace inferon::estimators::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::estimators {

HWY_EXPORT(Forward);
HWY_EXPORT(Inverse);
HWY_EXPORT(Backward);

void SplineForward(const SplineColumns& shape, const float* in, const float* parameters, float* out,
                   float* log_slope) {
  HWY_DYNAMIC_DISPATCH(Forward)(shape, in, parameters, out, log_slope);
}

void SplineInverse(const SplineColumns& shape, const float* in, const float* parameters, float* out,
                   float* log_slope) {
  HWY_DYNAMIC_DISPATCH(Inverse)(shape, in, parameters, out, log_slope);
}

void SplineBackward(const SplineColumns& shape, const float* in, const float* parameters,
                    const float* grad_out, const float* grad_log_slope, float* grad_in,
                    float* grad_parameters) {
  HWY_DYNAMIC_DISPATCH(Backward)
  (shape, in, parameters, grad_out, grad_log_slope, grad_in, grad_parameters);
}

}  // namespace inferon::estimators
#endif
