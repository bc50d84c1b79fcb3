// The arrays of a report, checked and decoded: what the figures draw from.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/report/report.h"

namespace inferon::report {

// Row-major matrix of numbers; NaN where a value is missing.
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;

  std::span<const double> Row(std::size_t i) const {
    return {values.data() + i * columns, columns};
  }
  std::vector<double> Column(std::size_t j) const;
};

// The two estimators, in the order of every array indexed by one.
enum Input { kFeatures, kSummary };
inline constexpr std::size_t kInputs = 2;
inline constexpr std::array<const char*, kInputs> kInputNames = {"features", "summary"};
inline constexpr std::array<const char*, kInputs> kInputTitles = {"12 features", "summary network"};

struct FigureData {
  const ReportData* report = nullptr;                              // Outlives this.
  std::vector<double> uniform_counts;                              // [N0]
  std::vector<double> constrained_counts;                          // [N1]
  Matrix sample_traces;                                            // [4, T]
  std::vector<double> target_codes;                                // [d]
  std::vector<double> target_trace;                                // [T]
  Matrix target_trials;                                            // [10, T]
  std::vector<double> target_features;                             // [12]
  std::array<Matrix, kInputs> posterior_codes;                     // [n, d]
  std::array<std::vector<double>, kInputs> posterior_log_density;  // [n]
  std::array<std::vector<double>, kInputs> map_codes;              // [d]
  std::array<std::vector<double>, kInputs> map_trace;              // [T]
  std::array<Matrix, kInputs> ppc_features;                        // [n, 12]
  Matrix repeats_features;                                         // [r, 12]
  Matrix validation_traces;                                        // [8, T]
  Matrix validation_codes;                                         // [8, d]
  std::array<Matrix, kInputs> validation_map_traces;               // [8, T]
  std::array<std::optional<Matrix>, kInputs> losses;               // [epochs, 2]
  // Of the validation round, and of its parameter sets in another hardware run.
  std::array<std::optional<Matrix>, kInputs> sbc_ranks, other_ranks;  // [n, d]
  std::array<std::vector<double>, kInputs> levels, other_levels;      // [n] or empty
  std::array<std::vector<double>, kInputs> tarp, other_tarp;          // [n] or empty
  std::array<std::optional<Matrix>, kInputs> band;                    // [places, 3]

  std::size_t dimension() const { return report->parameters.size(); }
  // Time of each point of a trace, us.
  std::vector<double> Times() const;
};

// kInvalidArgument naming the array that is missing, or whose dtype, shape or length is wrong.
Result<FigureData> ReadFigureData(const ReportData& data);

}  // namespace inferon::report
