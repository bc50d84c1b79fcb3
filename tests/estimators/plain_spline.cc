#include "tests/estimators/plain_spline.h"

#include <algorithm>
#include <cmath>

#include "server/trainer/estimators/fast_math.h"

namespace inferon::estimators {
namespace {

double Softplus(double u) { return u > 30 ? u : std::log1p(std::exp(u)); }
double Logistic(double u) { return 1.0 / (1.0 + std::exp(-u)); }
double SlopeOf(float raw) { return kMinSlope + (1 - kMinSlope) * Softplus(raw + kSlopeShift); }
double SlopeDerivative(float raw) { return (1 - kMinSlope) * Logistic(raw + kSlopeShift); }

// Softmax of the logits, sizes of the bins from it.
struct Bins {
  float share[kMaxBins];
  float size[kMaxBins];
};

INFERON_INLINE void FillBins(const float* logits, std::size_t bins, Bins* out) {
  float largest = logits[0];
  for (std::size_t j = 1; j < bins; ++j) largest = std::max(largest, logits[j]);
  for (std::size_t j = 0; j < bins; ++j) out->share[j] = FastExp(logits[j] - largest);
  float sum = 0;
  for (std::size_t j = 0; j < bins; ++j) sum += out->share[j];
  const float inverse = 1.0f / sum;
  const float rest = 1.0f - static_cast<float>(bins) * kMinBin;
  for (std::size_t j = 0; j < bins; ++j) {
    out->share[j] *= inverse;
    out->size[j] = kMinBin + rest * out->share[j];
  }
}

// Bin that holds the value, and where it starts.
INFERON_INLINE std::size_t FindBin(const Bins& bins, std::size_t count, double value,
                                   double* start) {
  double edge = 0;
  std::size_t bin = 0;
  for (; bin + 1 < count; ++bin) {
    const double next = edge + bins.size[bin];
    if (value < next) break;
    edge = next;
  }
  *start = edge;
  return bin;
}

INFERON_INLINE double StartOf(const Bins& bins, std::size_t bin) {
  double edge = 0;
  for (std::size_t j = 0; j < bin; ++j) edge += bins.size[j];
  return edge;
}

// One bin's rational quadratic, and a point t in [0, 1] of it; the notation is the paper's.
struct Piece {
  double w, h, s;  // Width, height, mean slope.
  double d0, d1;   // Slopes at the left and right knot.
  double Curvature() const { return d0 + d1 - 2 * s; }
  double Numerator(double t) const { return s * t * t + d0 * t * (1 - t); }
  double Denominator(double t) const { return s + Curvature() * t * (1 - t); }
  double SlopeNumerator(double t) const {
    return d1 * t * t + 2 * s * t * (1 - t) + d0 * (1 - t) * (1 - t);
  }
  double LogSlope(double t) const {
    const double ratio = s / Denominator(t);
    return std::log(ratio * ratio * SlopeNumerator(t));
  }
};

INFERON_INLINE Piece PieceOf(const Bins& widths, const Bins& heights, const float* slopes,
                             std::size_t bin) {
  Piece piece{};
  piece.w = widths.size[bin];
  piece.h = heights.size[bin];
  piece.s = piece.h / piece.w;
  piece.d0 = SlopeOf(slopes[bin]);
  piece.d1 = SlopeOf(slopes[bin + 1]);
  return piece;
}

double Unit(double value) { return std::clamp(value, 0.0, 1.0); }

struct Point {
  double value;
  double log_slope;
};

INFERON_INLINE Point Forward(std::size_t count, const float* parameters, float in) {
  Bins widths, heights;
  FillBins(parameters, count, &widths);
  FillBins(parameters + count, count, &heights);
  const double x = Unit(in);
  double left = 0;
  const std::size_t bin = FindBin(widths, count, x, &left);
  const Piece piece = PieceOf(widths, heights, parameters + 2 * count, bin);
  const double t = Unit((x - left) / piece.w);
  const double y = StartOf(heights, bin) + piece.h * piece.Numerator(t) / piece.Denominator(t);
  return {Unit(y), piece.LogSlope(t)};
}

INFERON_INLINE Point Inverse(std::size_t count, const float* parameters, float in) {
  Bins widths, heights;
  FillBins(parameters, count, &widths);
  FillBins(parameters + count, count, &heights);
  const double y = Unit(in);
  double bottom = 0;
  const std::size_t bin = FindBin(heights, count, y, &bottom);
  const Piece piece = PieceOf(widths, heights, parameters + 2 * count, bin);
  const double rise = std::clamp(y - bottom, 0.0, piece.h);
  const double a = piece.h * (piece.s - piece.d0) + rise * piece.Curvature();
  const double b = piece.h * piece.d0 - rise * piece.Curvature();
  const double c = -piece.s * rise;
  const double root = std::sqrt(std::max(0.0, b * b - 4 * a * c));
  const double t = b + root > 0 ? Unit(-2 * c / (b + root)) : 0;
  return {Unit(StartOf(widths, bin) + t * piece.w), piece.LogSlope(t)};
}

// Gradient by the logits of a bin array, from the gradients by the start and by the size of one
// bin.
INFERON_INLINE void LogitGradient(const Bins& bins, std::size_t count, std::size_t bin,
                                  double grad_start, double grad_size, float* out) {
  const double rest = 1.0 - static_cast<double>(count) * kMinBin;
  double mean = grad_size * bins.share[bin];
  for (std::size_t j = 0; j < bin; ++j) mean += grad_start * bins.share[j];
  const auto before = static_cast<float>(rest * (grad_start - mean));
  const auto after = static_cast<float>(rest * -mean);
  for (std::size_t j = 0; j < bin; ++j) out[j] = bins.share[j] * before;
  out[bin] = static_cast<float>(bins.share[bin] * rest * (grad_size - mean));
  for (std::size_t j = bin + 1; j < count; ++j) out[j] = bins.share[j] * after;
}

// Reverse-mode derivative of Forward; returns the gradient by in.
INFERON_INLINE float Backward(std::size_t count, const float* parameters, float in, double grad_y,
                              double grad_log, float* grad_parameters) {
  Bins widths, heights;
  FillBins(parameters, count, &widths);
  FillBins(parameters + count, count, &heights);
  const double x = Unit(in);
  double left = 0;
  const std::size_t bin = FindBin(widths, count, x, &left);
  const float* slopes = parameters + 2 * count;
  const Piece p = PieceOf(widths, heights, slopes, bin);
  const double t = Unit((x - left) / p.w);
  const double q = t * (1 - t);
  const double numerator = p.Numerator(t);
  const double inverse = 1 / p.Denominator(t);
  const double grad_num = grad_y * p.h * inverse;
  const double grad_den = -grad_num * numerator * inverse - 2 * grad_log * inverse;
  const double grad_slope = grad_log / p.SlopeNumerator(t);
  const double grad_s =
      2 * grad_log / p.s + grad_num * t * t + grad_den * (1 - 2 * q) + grad_slope * 2 * q;
  const double grad_d0 = (grad_num + grad_den) * q + grad_slope * (1 - t) * (1 - t);
  const double grad_d1 = grad_den * q + grad_slope * t * t;
  const double grad_t = grad_num * (2 * p.s * t + p.d0 * (1 - 2 * t)) +
                        grad_den * p.Curvature() * (1 - 2 * t) +
                        grad_slope * 2 * (p.d1 * t + p.s * (1 - 2 * t) - p.d0 * (1 - t));
  const double grad_x = grad_t / p.w;
  LogitGradient(widths, count, bin, -grad_x, -(grad_t * t + grad_s * p.s) / p.w, grad_parameters);
  LogitGradient(heights, count, bin, grad_y, grad_y * numerator * inverse + grad_s / p.w,
                grad_parameters + count);
  float* grad_slopes = grad_parameters + 2 * count;
  std::fill(grad_slopes, grad_slopes + count + 1, 0.0f);
  grad_slopes[bin] = static_cast<float>(grad_d0 * SlopeDerivative(slopes[bin]));
  grad_slopes[bin + 1] = static_cast<float>(grad_d1 * SlopeDerivative(slopes[bin + 1]));
  return static_cast<float>(grad_x);
}

// A line column's affine part; the rest of its parameters as those of a unit spline.
struct LineParameters {
  double raw_scale, log_scale, scale, shift;
  float spline[3 * kMaxBins + 1];
};

INFERON_INLINE void SplitLine(std::size_t count, const float* parameters, LineParameters* out) {
  std::copy(parameters, parameters + 3 * count + 1, out->spline);
  out->raw_scale = out->spline[2 * count];
  out->log_scale = kMaxLogScale * std::tanh(out->raw_scale / kMaxLogScale);
  out->scale = std::exp(out->log_scale);
  out->shift = out->spline[3 * count];
  out->spline[2 * count] = 0;
  out->spline[3 * count] = 0;
}

INFERON_INLINE bool InTail(double z) { return !(z > -kTail && z < kTail); }
float ToUnit(double z) { return static_cast<float>((z + kTail) / (2 * kTail)); }
double ToLine(double unit) { return 2 * kTail * unit - kTail; }

INFERON_INLINE Point LineForward(std::size_t count, const float* parameters, float in) {
  LineParameters line;
  SplitLine(count, parameters, &line);
  const double z = line.scale * in + line.shift;
  if (InTail(z)) return {z, line.log_scale};
  const Point point = Forward(count, line.spline, ToUnit(z));
  return {ToLine(point.value), line.log_scale + point.log_slope};
}

INFERON_INLINE Point LineInverse(std::size_t count, const float* parameters, float in) {
  LineParameters line;
  SplitLine(count, parameters, &line);
  Point point{in, 0};
  if (!InTail(in)) {
    point = Inverse(count, line.spline, ToUnit(in));
    point.value = ToLine(point.value);
  }
  return {(point.value - line.shift) / line.scale, line.log_scale + point.log_slope};
}

INFERON_INLINE float LineBackward(std::size_t count, const float* parameters, float in,
                                  double grad_y, double grad_log, float* grad_parameters) {
  LineParameters line;
  SplitLine(count, parameters, &line);
  const double z = line.scale * in + line.shift;
  double grad_z = grad_y;
  if (InTail(z)) {
    std::fill(grad_parameters, grad_parameters + 3 * count + 1, 0.0f);
  } else {
    grad_z =
        Backward(count, line.spline, ToUnit(z), 2 * kTail * grad_y, grad_log, grad_parameters) /
        (2 * kTail);
  }
  const double relative = line.log_scale / kMaxLogScale;  // tanh(raw / kMaxLogScale)
  grad_parameters[2 * count] =
      static_cast<float>((grad_z * line.scale * in + grad_log) * (1 - relative * relative));
  grad_parameters[3 * count] = static_cast<float>(grad_z);
  return static_cast<float>(grad_z * line.scale);
}

}  // namespace

INFERON_VECTOR_CLONES
void CouplingForward(const CouplingShape& shape, std::size_t rows, const float* in,
                     const float* parameters, float* out, float* log_slope) {
  const std::size_t per_spline = shape.SplineParameters();
  std::copy(in, in + rows * shape.dimension, out);
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (const std::uint32_t column : shape.moved) {
      const std::size_t at = row * shape.dimension + column;
      const Point point = shape.IsLine(column) ? LineForward(shape.bins, parameters, in[at])
                                               : Forward(shape.bins, parameters, in[at]);
      out[at] = static_cast<float>(point.value);
      sum += point.log_slope;
      parameters += per_spline;
    }
    log_slope[row] = static_cast<float>(sum);
  }
}

INFERON_VECTOR_CLONES
void CouplingInverse(const CouplingShape& shape, std::size_t rows, const float* in,
                     const float* parameters, float* out, float* log_slope) {
  const std::size_t per_spline = shape.SplineParameters();
  std::copy(in, in + rows * shape.dimension, out);
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (const std::uint32_t column : shape.moved) {
      const std::size_t at = row * shape.dimension + column;
      const Point point = shape.IsLine(column) ? LineInverse(shape.bins, parameters, in[at])
                                               : Inverse(shape.bins, parameters, in[at]);
      out[at] = static_cast<float>(point.value);
      sum += point.log_slope;
      parameters += per_spline;
    }
    log_slope[row] = static_cast<float>(sum);
  }
}

INFERON_VECTOR_CLONES
void CouplingBackward(const CouplingShape& shape, std::size_t rows, const float* in,
                      const float* parameters, const float* grad_out, const float* grad_log_slope,
                      float* grad_in, float* grad_parameters) {
  const std::size_t per_spline = shape.SplineParameters();
  std::copy(grad_out, grad_out + rows * shape.dimension, grad_in);
  for (std::size_t row = 0; row < rows; ++row) {
    for (const std::uint32_t column : shape.moved) {
      const std::size_t at = row * shape.dimension + column;
      grad_in[at] = shape.IsLine(column)
                        ? LineBackward(shape.bins, parameters, in[at], grad_out[at],
                                       grad_log_slope[row], grad_parameters)
                        : Backward(shape.bins, parameters, in[at], grad_out[at],
                                   grad_log_slope[row], grad_parameters);
      parameters += per_spline;
      grad_parameters += per_spline;
    }
  }
}

}  // namespace inferon::estimators
