#include "common/figures/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "common/base/check.h"

namespace inferon::report {
namespace {

double Mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Deviation(std::span<const double> values) {
  const double mean = Mean(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// Smooths with a Gaussian of `sigma` cells, renormalised at the ends. `stride` walks one axis.
void Smooth(double* values, std::size_t count, std::size_t stride, double sigma) {
  const int reach = std::max(1, static_cast<int>(std::ceil(3.5 * sigma)));
  std::vector<double> kernel(static_cast<std::size_t>(2 * reach + 1));
  for (int k = -reach; k <= reach; ++k) kernel[k + reach] = std::exp(-0.5 * k * k / sigma / sigma);
  std::vector<double> out(count, 0.0);
  const int last = static_cast<int>(count) - 1;
  for (int i = 0; i <= last; ++i) {
    if (values[static_cast<std::size_t>(i) * stride] == 0) continue;
    const int first = std::max(0, i - reach);
    const int end = std::min(last, i + reach);
    double mass = 0;
    for (int j = first; j <= end; ++j) mass += kernel[j - i + reach];
    for (int j = first; j <= end; ++j) {
      out[j] += values[static_cast<std::size_t>(i) * stride] * kernel[j - i + reach] / mass;
    }
  }
  for (std::size_t i = 0; i < count; ++i) values[i * stride] = out[i];
}

std::size_t CellOf(double value, double low, double high, std::size_t cells) {
  const double place = (value - low) / (high - low) * static_cast<double>(cells);
  return static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(cells) - 1));
}

// Joins segments of marching squares into rings. Every end of a segment lies on an edge of the
// grid; each edge has at most two ends.
class RingBuilder {
 public:
  using Edge = std::array<long, 3>;  // Column, row, 0 for horizontal and 1 for vertical.

  void Add(const Edge& a, Point at_a, const Edge& b, Point at_b) {
    ends_[a].push_back(b);
    ends_[b].push_back(a);
    place_[a] = at_a;
    place_[b] = at_b;
  }

  std::vector<std::vector<Point>> Rings() {
    std::vector<std::vector<Point>> rings;
    while (!ends_.empty()) {
      std::vector<Point> ring;
      Edge at = ends_.begin()->first;
      while (true) {
        ring.push_back(place_[at]);
        auto node = ends_.find(at);
        if (node == ends_.end() || node->second.empty()) break;
        const Edge next = node->second.back();
        Unlink(at, next);
        Unlink(next, at);
        at = next;
        if (!ends_.contains(at)) break;
      }
      if (ring.size() > 2) rings.push_back(std::move(ring));
    }
    return rings;
  }

 private:
  void Unlink(const Edge& from, const Edge& to) {
    auto node = ends_.find(from);
    if (node == ends_.end()) return;
    std::erase(node->second, to);
    if (node->second.empty()) ends_.erase(node);
  }
  std::map<Edge, std::vector<Edge>> ends_;
  std::map<Edge, Point> place_;
};

}  // namespace

std::vector<double> SortedFinite(std::span<const double> values) {
  std::vector<double> sorted;
  for (const double v : values) {
    if (std::isfinite(v)) sorted.push_back(v);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::optional<double> Quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) return std::nullopt;
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::optional<double> Median(std::span<const double> values) {
  return Quantile(SortedFinite(values), 0.5);
}

std::optional<BoxSummary> Summarize(std::span<const double> values) {
  const std::vector<double> sorted = SortedFinite(values);
  if (sorted.empty()) return std::nullopt;
  BoxSummary box{0, *Quantile(sorted, 0.25), *Quantile(sorted, 0.5), *Quantile(sorted, 0.75), 0};
  const double reach = 1.5 * (box.high_quartile - box.low_quartile);
  // A quartile is interpolated; a whisker never ends inside the box.
  box.low_whisker = std::min(
      box.low_quartile, *std::lower_bound(sorted.begin(), sorted.end(), box.low_quartile - reach));
  box.high_whisker = std::max(
      box.high_quartile,
      *std::prev(std::upper_bound(sorted.begin(), sorted.end(), box.high_quartile + reach)));
  return box;
}

double Correlation(std::span<const double> x, std::span<const double> y) {
  INFERON_CHECK(x.size() == y.size() && !x.empty());
  const double mean_x = Mean(x), mean_y = Mean(y);
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  return xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
}

double RootMeanSquare(std::span<const double> a, std::span<const double> b) {
  INFERON_CHECK(a.size() == b.size() && !a.empty());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

Density EstimateDensity(std::span<const double> values, double low, double high,
                        std::size_t cells) {
  INFERON_CHECK(!values.empty() && low < high && cells > 1);
  Density density{low, high, std::vector<double>(cells, 0.0)};
  const double cell = (high - low) / static_cast<double>(cells);
  const double weight = 1 / static_cast<double>(values.size()) / cell;
  for (const double v : values) density.values[CellOf(v, low, high, cells)] += weight;
  // Silverman's rule, with the interquartile range so that a tail does not blur the peak.
  const std::vector<double> sorted = SortedFinite(values);
  const double spread =
      std::min(Deviation(values), (*Quantile(sorted, 0.75) - *Quantile(sorted, 0.25)) / 1.34);
  const double bandwidth = 0.9 * spread * std::pow(static_cast<double>(values.size()), -0.2);
  Smooth(density.values.data(), cells, 1, std::max(bandwidth / cell, 0.7));
  return density;
}

Density2d EstimateDensity2d(std::span<const double> x, std::span<const double> y, double least,
                            std::size_t cells) {
  INFERON_CHECK(x.size() == y.size() && !x.empty() && cells > 1);
  const double sd_x = std::max(Deviation(x), least);
  const double sd_y = std::max(Deviation(y), least);
  const double r = std::clamp(Correlation(x, y), -0.999, 0.999);
  Density2d density{0,
                    cells,
                    std::vector<double>(cells * cells, 0.0),
                    Mean(x),
                    Mean(y),
                    sd_x,
                    r * sd_y,
                    std::sqrt(1 - r * r) * sd_y};
  std::vector<double> u(x.size()), v(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    u[i] = (x[i] - density.mean_x) / density.x_by_u;
    v[i] = (y[i] - density.mean_y - density.y_by_u * u[i]) / density.y_by_v;
    density.half = std::max({density.half, std::abs(u[i]), std::abs(v[i])});
  }
  // Scott's rule for two dimensions and unit variance; the margin lets every contour close.
  const double bandwidth = std::pow(static_cast<double>(x.size()), -1.0 / 6);
  density.half = std::min(density.half, 6.0) + 3 * bandwidth;
  const double weight = 1 / static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t column = CellOf(u[i], -density.half, density.half, cells);
    const std::size_t row = CellOf(v[i], -density.half, density.half, cells);
    density.values[row * cells + column] += weight;
  }
  const double sigma = bandwidth * static_cast<double>(cells) / (2 * density.half);
  for (std::size_t k = 0; k < cells; ++k) {
    Smooth(density.values.data() + k * cells, cells, 1, sigma);
  }
  for (std::size_t k = 0; k < cells; ++k) Smooth(density.values.data() + k, cells, cells, sigma);
  return density;
}

double HighestDensityLevel(const Density2d& density, double mass) {
  std::vector<double> sorted = density.values;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0;
  for (const double value : sorted) {
    sum += value;
    if (sum >= mass) return value;
  }
  return sorted.back();
}

std::vector<std::vector<Point>> Contours(const Density2d& density, double level) {
  const long n = static_cast<long>(density.cells);
  const auto at = [&](long column, long row) {
    const bool inside = column >= 0 && row >= 0 && column < n && row < n;
    return inside ? density.values[static_cast<std::size_t>(row * n + column)] : 0.0;
  };
  const auto place = [&](double column, double row) {
    const double step = 2 * density.half / static_cast<double>(n);
    const double u = -density.half + step * (column + 0.5);
    const double v = -density.half + step * (row + 0.5);
    return Point{density.mean_x + density.x_by_u * u,
                 density.mean_y + density.y_by_u * u + density.y_by_v * v};
  };
  RingBuilder builder;
  for (long row = -1; row < n; ++row) {
    for (long column = -1; column < n; ++column) {
      // Corners counter-clockwise from (column, row), and the edge from each corner to the next.
      const std::array<std::array<long, 2>, 4> corner = {
          {{column, row}, {column + 1, row}, {column + 1, row + 1}, {column, row + 1}}};
      const std::array<RingBuilder::Edge, 4> edge = {
          {{column, row, 0}, {column + 1, row, 1}, {column, row + 1, 0}, {column, row, 1}}};
      std::vector<std::pair<RingBuilder::Edge, Point>> crossings;
      for (int k = 0; k < 4; ++k) {
        const auto& a = corner[k];
        const auto& b = corner[(k + 1) % 4];
        const double va = at(a[0], a[1]), vb = at(b[0], b[1]);
        if ((va >= level) == (vb >= level)) continue;
        const double t = (level - va) / (vb - va);
        crossings.emplace_back(edge[k], place(double(a[0]) + t * double(b[0] - a[0]),
                                              double(a[1]) + t * double(b[1] - a[1])));
      }
      // Two crossings make one segment; four (a saddle) make two, around the high corners.
      const std::size_t shift = crossings.size() == 4 && at(column, row) >= level ? 1 : 0;
      for (std::size_t k = 0; k + 1 < crossings.size(); k += 2) {
        const auto& a = crossings[(k + shift) % crossings.size()];
        const auto& b = crossings[(k + 1 + shift) % crossings.size()];
        builder.Add(a.first, a.second, b.first, b.second);
      }
    }
  }
  return builder.Rings();
}

}  // namespace inferon::report
