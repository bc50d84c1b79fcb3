// The figures of calibration: distribution of ranks with its joint band, coverage of
// highest-density regions, tests of accuracy with random points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/figures/plot.h"
#include "common/figures/svg.h"

namespace inferon::report {

// What the tests saw of one model on one set of pairs.
struct CalibrationSeries {
  std::string title;  // For the legend.
  Stroke stroke;
  std::size_t parameters = 0;
  std::vector<double> ranks;           // [pairs, parameters], 0..draws.
  double draws = 0;                    // Behind each rank.
  std::vector<double> density_levels;  // [pairs]
  std::vector<double> tarp_levels;     // [pairs]
};

// A place of the band that holds the whole distribution of uniform ranks: shares below it.
struct BandPoint {
  double place = 0;
  double low = 0;
  double high = 0;
};

// For each parameter, share of ranks below a place minus the place; calibrated series stay in the
// band. Labels have one entry for each parameter.
Svg DrawRankCurves(const std::string& id, std::span<const CalibrationSeries> series,
                   std::span<const BandPoint> band, std::span<const std::string> labels);

// Share of truths inside regions of a nominal mass: highest-density regions on the left, TARP's
// balls on the right.
Svg DrawCoverageCurves(const std::string& id, std::span<const CalibrationSeries> series,
                       std::span<const BandPoint> band);

}  // namespace inferon::report
