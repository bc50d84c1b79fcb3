#include "server/trainer/estimators/pairs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/hash.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

constexpr std::uint16_t kLargestCode = 1022;
constexpr float kCodes = 1023;
constexpr std::size_t kDigestRows = 256;
constexpr std::size_t kBlock = 256;                         // Rows looked at together, at most,
constexpr std::size_t kBlockValues = std::size_t{1} << 22;  // or as many as have so many values.

bool IsLine(const FlowOptions& options, std::size_t column) {
  return !options.axes.empty() && options.axes[column] == Axis::kLine;
}

Status CheckPoints(const FlowOptions& options, const PairData& data) {
  const MatrixView theta = data.theta;
  if (theta.rows != data.x.rows || theta.columns != options.dimension) {
    return InvalidArgument("theta has " + std::to_string(theta.rows) + " rows of " +
                               std::to_string(theta.columns) + " values, x has " +
                               std::to_string(data.x.rows) + " rows",
                           "give " + std::to_string(options.dimension) + " values for each row");
  }
  if (!data.cells.empty() && data.cells.size() != options.dimension) {
    return InvalidArgument("there are " + std::to_string(data.cells.size()) + " cell widths",
                           "give one for each column of theta");
  }
  for (std::size_t i = 0; i < theta.rows * theta.columns; ++i) {
    const float v = theta.data[i];
    const bool line = IsLine(options, i % theta.columns);
    if (std::isfinite(v) && (line || (v >= 0 && v <= 1))) continue;
    return InvalidArgument(
        "theta is " + std::to_string(v) + " in row " + std::to_string(i / theta.columns) +
            ", column " + std::to_string(i % theta.columns),
        line ? "give finite numbers" : "give numbers in [0, 1] for a bounded column");
  }
  return {};
}

}  // namespace

Status CheckPairs(const FlowOptions& options, const PairData& data) {
  const std::size_t rows = data.x.rows;
  if (data.x.columns != options.input_columns) {
    return InvalidArgument("x has " + std::to_string(data.x.columns) +
                               " columns, the options say " + std::to_string(options.input_columns),
                           "give both the same number of columns");
  }
  if (data.theta_codes.empty()) return CheckPoints(options, data);
  if (data.theta_codes.size() != rows * options.dimension) {
    return InvalidArgument("theta has " + std::to_string(data.theta_codes.size()) + " codes for " +
                               std::to_string(rows) + " rows of x",
                           "give " + std::to_string(options.dimension) + " codes for each row");
  }
  const auto bad = std::find_if(data.theta_codes.begin(), data.theta_codes.end(),
                                [](std::uint16_t code) { return code > kLargestCode; });
  if (bad != data.theta_codes.end()) {
    const auto at = static_cast<std::size_t>(bad - data.theta_codes.begin());
    return InvalidArgument("theta code " + std::to_string(*bad) + " in row " +
                               std::to_string(at / options.dimension) + " is out of range",
                           "codes are 0..1022");
  }
  return {};
}

Status CheckTraces(const RowSource& x) {
  std::vector<std::uint32_t> rows;
  const std::size_t block = std::clamp<std::size_t>(kBlockValues / x.columns, 1, kBlock);
  std::vector<float> raw(block * x.columns);
  for (std::size_t at = 0; at < x.rows; at += block) {
    rows.resize(std::min(block, x.rows - at));
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(at));
    x.fill(rows, raw.data());
    for (std::size_t i = 0; i < rows.size() * x.columns; ++i) {
      if (std::isfinite(raw[i])) continue;
      return InvalidArgument("the trace of row " + std::to_string(at + i / x.columns) +
                                 " holds a value that is not finite at point " +
                                 std::to_string(i % x.columns),
                             "interpolate or leave out such traces");
    }
  }
  return {};
}

std::vector<float> FirstRows(const RowSource& x, std::span<const std::uint32_t> rows,
                             std::size_t most) {
  rows = rows.first(std::min(most, rows.size()));
  std::vector<float> raw(rows.size() * x.columns);
  x.fill(rows, raw.data());
  return raw;
}

std::string DescribePairs(const PairData& data) {
  Sha256 digest;
  const auto codes = data.theta_codes;
  digest.Update({reinterpret_cast<const char*>(codes.data()), codes.size_bytes()});
  digest.Update({reinterpret_cast<const char*>(data.theta.data),
                 data.theta.rows * data.theta.columns * sizeof(float)});
  digest.Update(
      {reinterpret_cast<const char*>(data.cells.data()), data.cells.size() * sizeof(float)});
  const std::size_t count = std::min<std::size_t>(kDigestRows, data.x.rows);
  std::vector<float> raw(data.x.columns);
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = static_cast<std::uint32_t>(i * data.x.rows / count);
    data.x.fill({&row, 1}, raw.data());
    digest.Update({reinterpret_cast<const char*>(raw.data()), raw.size() * sizeof(float)});
  }
  return std::to_string(data.x.rows) + " " + digest.Hex();
}

void FillTheta(const PairData& data, std::size_t dimension, std::span<const std::uint32_t> rows,
               PhiloxKey key, std::uint64_t epoch, float* out) {
  const bool codes = !data.theta_codes.empty();
  for (const std::uint32_t row : rows) {
    if (!codes && data.cells.empty()) {
      out = std::copy_n(data.theta.Row(row).data(), dimension, out);
      continue;
    }
    FillUniform(key, epoch, std::uint64_t{row} * dimension, {out, dimension});
    for (std::size_t j = 0; j < dimension; ++j, ++out) {
      *out = codes ? (static_cast<float>(data.theta_codes[row * dimension + j]) + *out) / kCodes
                   : data.theta.Row(row)[j] + data.cells[j] * *out;
    }
  }
}

RowSource SourceOf(MatrixView matrix) {
  return {matrix.rows, matrix.columns,
          [matrix](std::span<const std::uint32_t> indices, float* out) {
            for (const std::uint32_t row : indices) {
              out = std::copy_n(matrix.data + row * matrix.columns, matrix.columns, out);
            }
          }};
}

}  // namespace inferon::estimators
