// Statistics of the figures: quantiles, correlation, smoothed densities and their contours. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "common/figures/svg.h"

namespace inferon::report {

// Finite values, ascending.
std::vector<double> SortedFinite(std::span<const double> values);

// Quantile q in [0, 1] of ascending values by linear interpolation between order statistics
// (Hyndman and Fan's type 7); nullopt without values.
std::optional<double> Quantile(std::span<const double> sorted, double q);
std::optional<double> Median(std::span<const double> values);

// Tukey's box: quartiles, whiskers at the outermost values within 1.5 interquartile ranges.
struct BoxSummary {
  double low_whisker, low_quartile, median, high_quartile, high_whisker;
};
std::optional<BoxSummary> Summarize(std::span<const double> values);

// Pearson's correlation; 0 where one of the two is constant. Equal lengths.
double Correlation(std::span<const double> x, std::span<const double> y);

// Root of the mean squared difference. Equal lengths, not empty.
double RootMeanSquare(std::span<const double> a, std::span<const double> b);

// Kernel density on [low, high] at `cells` equally spaced centres, Gaussian kernel, renormalised at
// the ends so that no mass leaves the interval.
struct Density {
  double low, high;
  std::vector<double> values;  // Per unit of x.
  double X(std::size_t i) const {
    return low + (high - low) * (static_cast<double>(i) + 0.5) / static_cast<double>(values.size());
  }
};
Density EstimateDensity(std::span<const double> values, double low, double high, std::size_t cells);

// Kernel density in two dimensions, on a square grid of whitened coordinates (u, v): a correlated
// cloud is smoothed along and across its ridge alike. Contours come back in x and y.
struct Density2d {
  double half;                 // The grid covers [-half, half] in u and v.
  std::size_t cells;           // A side.
  std::vector<double> values;  // [cells (v), cells (u)], sums to 1.
  double mean_x, mean_y;
  double x_by_u, y_by_u, y_by_v;  // x = mean_x + x_by_u u; y = mean_y + y_by_u u + y_by_v v.
};
// Equal lengths, not empty. `least` is the smallest standard deviation assumed on an axis.
Density2d EstimateDensity2d(std::span<const double> x, std::span<const double> y, double least,
                            std::size_t cells);

// Level above which `mass` (0..1) of the density lies: the edge of its highest-density region.
double HighestDensityLevel(const Density2d& density, double mass);

// Closed contours of the density at a level, in the coordinates of x and y (marching squares,
// linear interpolation; cells outside count as 0 so that every contour closes).
std::vector<std::vector<Point>> Contours(const Density2d& density, double level);

}  // namespace inferon::report
