// Monotone rational-quadratic splines (Durkan, Bekasov, Murray, Papamakarios, "Neural spline
// flows", NeurIPS 2019), as they move some columns of theta in one coupling
// layer: their parameters and limits. spline_lanes.h computes with them.
//
// A unit column moves by a spline of the unit interval onto itself. It has P = 3 * bins + 1 raw
// parameters: bins logits of widths, bins logits of heights and bins + 1 raw slopes at the knots.
//
// A line column moves by z = e^s x + b and then by a spline of [-kTail, kTail] onto itself, outside
// of which z stays as it is; the slopes at both ends are 1. It has as many raw parameters: in the
// places of the first and last slope stand the raw s and b, where s = kMaxLogScale tanh(raw /
// kMaxLogScale).
//
// With bins = 0 all columns are line columns and move by the affine part alone; the two raw
// parameters are s and b.
//
// Raw parameters of zero give the identity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace inferon::estimators {

inline constexpr std::size_t kMaxBins = 64;
inline constexpr float kMinBin = 1e-4f;                   // Smallest width or height of a bin.
inline constexpr float kMinSlope = 1e-3f;                 // Smallest slope at a knot.
inline constexpr double kSlopeShift = 0.541324854612918;  // softplus(kSlopeShift) = 1.
inline constexpr double kTail = 4;
inline constexpr double kMaxLogScale = 6;

// Which columns of a row a coupling layer moves; the others are copied.
struct CouplingShape {
  std::size_t dimension = 0;            // Columns of a row.
  std::size_t bins = 0;                 // 1..kMaxBins; 0: affine.
  std::vector<std::uint32_t> moved;     // Columns, ascending.
  std::vector<std::uint8_t> line = {};  // By column: 1 where it is a line column; empty: none is.
  bool IsLine(std::uint32_t column) const { return !line.empty() && line[column] != 0; }
  std::size_t SplineParameters() const { return bins == 0 ? 2 : 3 * bins + 1; }
  std::size_t RowParameters() const { return moved.size() * SplineParameters(); }
};

}  // namespace inferon::estimators
