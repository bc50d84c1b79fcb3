#include "common/figures/calibration_figures.h"

#include <algorithm>
#include <cmath>

namespace inferon::report {
namespace {

constexpr std::size_t kMostColumns = 8;  // Panels of parameters side by side.
constexpr double kPlaces = 200;          // Steps of a curve.

// Share of `values` below each place of [0, 1].
struct Curve {
  std::vector<double> places;
  std::vector<double> shares;
};

Curve SharesBelow(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Curve curve;
  for (double k = 0; k <= kPlaces; ++k) {
    const double place = k / kPlaces;
    const auto below = std::lower_bound(values.begin(), values.end(), place) - values.begin();
    curve.places.push_back(place);
    curve.shares.push_back(k == kPlaces || values.empty()
                               ? 1
                               : static_cast<double>(below) / static_cast<double>(values.size()));
  }
  curve.shares.front() = 0;
  return curve;
}

// Ranks of one parameter in the middle of their cells of the unit interval.
Curve RankCurve(const CalibrationSeries& series, std::size_t parameter) {
  std::vector<double> places;
  for (std::size_t i = parameter; i < series.ranks.size(); i += series.parameters) {
    places.push_back((series.ranks[i] + 0.5) / (series.draws + 1));
  }
  return SharesBelow(std::move(places));
}

// The band as a closed ring; `difference`: without its diagonal.
void DrawJointBand(Svg& svg, const Panel& panel, std::span<const BandPoint> band, bool difference) {
  if (band.empty()) return;
  const auto at = [&](double place, double share) {
    return panel.At(place, difference ? share - place : share);
  };
  std::vector<Point> ring = {at(0, 0)};
  for (const BandPoint& p : band) ring.push_back(at(p.place, p.low));
  ring.push_back(at(1, 1));
  for (auto p = band.rbegin(); p != band.rend(); ++p) ring.push_back(at(p->place, p->high));
  const std::vector<std::vector<Point>> rings = {std::move(ring)};
  svg.Rings(rings, {Ink::kGrid, 0.9}, {Ink::kGrid, 0.5});
}

double LargestDifference(std::span<const CalibrationSeries> series, std::span<const BandPoint> band,
                         std::size_t parameters) {
  double largest = 0.05;
  for (const BandPoint& p : band) {
    largest = std::max({largest, p.high - p.place, p.place - p.low});
  }
  for (const CalibrationSeries& s : series) {
    for (std::size_t j = 0; j < parameters; ++j) {
      const Curve curve = RankCurve(s, j);
      for (std::size_t i = 0; i < curve.places.size(); ++i) {
        largest = std::max(largest, std::abs(curve.shares[i] - curve.places[i]));
      }
    }
  }
  return 1.08 * largest;
}

std::vector<LegendEntry> Legend(std::span<const CalibrationSeries> series, bool band) {
  std::vector<LegendEntry> legend;
  for (const CalibrationSeries& s : series) legend.push_back({s.title, s.stroke});
  if (band) legend.push_back({"95 % band", {Ink::kGrid, 0}, 0.9});
  return legend;
}

void DrawCoveragePanel(Svg& svg, const Box& box, std::span<const CalibrationSeries> series,
                       std::span<const BandPoint> band, bool tarp) {
  const Panel panel{box, {0, 1}, {0, 1}};
  DrawJointBand(svg, panel, band, false);
  FrameStyle style;
  style.x_ticks = style.y_ticks = RoundTicks(0, 1, 5);
  style.x_label = {tarp ? "nominal mass of a ball around a reference" : "nominal mass of a region"};
  style.y_label = {"share of truths inside"};
  DrawFrame(svg, panel, style);
  svg.Line(panel.At(0, 0), panel.At(1, 1), {Ink::kText, 1, 1, "4 3"});
  for (const CalibrationSeries& s : series) {
    const std::vector<double>& levels = tarp ? s.tarp_levels : s.density_levels;
    if (levels.empty()) continue;
    const Curve curve = SharesBelow(levels);
    DrawLine(svg, panel, curve.places, curve.shares, s.stroke);
  }
  svg.Text({box.left + 10, box.top + 18}, tarp ? "TARP" : "highest-density regions",
           {.size = 12, .ink = Ink::kMuted});
}

}  // namespace

Svg DrawRankCurves(const std::string& id, std::span<const CalibrationSeries> series,
                   std::span<const BandPoint> band, std::span<const std::string> labels) {
  const std::size_t d = labels.size();
  const std::size_t columns = std::min(d, kMostColumns);
  const std::size_t rows = (d + columns - 1) / columns;
  constexpr double kLeft = 62, kTop = 66, kRowHeight = 172, kHeight = 124;
  constexpr double kGap = 26;  // Keeps the last number of a panel clear of the next one's first.
  const double pitch = std::min(846.0 / static_cast<double>(columns), 220.0);
  const double width = std::max(kLeft + pitch * static_cast<double>(columns) + 12, 470.0);
  const double bottom = kTop + kRowHeight * static_cast<double>(rows) - (kRowHeight - kHeight);
  Svg svg(id, width, bottom + 56, "Distribution of ranks");
  const double largest = LargestDifference(series, band, d);
  for (std::size_t j = 0; j < d; ++j) {
    const auto column = static_cast<double>(j % columns), row = static_cast<double>(j / columns);
    const Panel panel{{kLeft + pitch * column, kTop + kRowHeight * row, pitch - kGap, kHeight},
                      {0, 1},
                      {-largest, largest}};
    DrawJointBand(svg, panel, band, true);
    FrameStyle style;
    style.grid = false;
    style.font = 10;
    style.x_ticks = RoundTicks(0, 1, 2);
    style.y_ticks = RoundTicks(-largest, largest, 4);
    style.y_numbers = j % columns == 0;
    style.y_label_offset = 40;
    if (style.y_numbers) style.y_label = {"share − place"};
    DrawFrame(svg, panel, style);
    svg.Line(panel.At(0, 0), panel.At(1, 0), {Ink::kText, 1, 1, "4 3"});
    for (const CalibrationSeries& s : series) {
      Curve curve = RankCurve(s, j);
      for (std::size_t i = 0; i < curve.places.size(); ++i) curve.shares[i] -= curve.places[i];
      DrawLine(svg, panel, curve.places, curve.shares, s.stroke);
    }
    svg.Text({panel.box.left + panel.box.width / 2, panel.box.top - 7}, labels[j],
             {.size = 13, .anchor = Anchor::kMiddle, .math = true});
  }
  DrawLegend(svg, {kLeft, 22}, Legend(series, !band.empty()));
  svg.Text({kLeft + pitch * static_cast<double>(columns) / 2, bottom + 42},
           "rank of the truth among posterior draws, as a share of all",
           {.size = 12, .anchor = Anchor::kMiddle});
  return svg;
}

Svg DrawCoverageCurves(const std::string& id, std::span<const CalibrationSeries> series,
                       std::span<const BandPoint> band) {
  Svg svg(id, 920, 446, "Coverage");
  DrawCoveragePanel(svg, {66, 40, 350, 350}, series, band, false);
  DrawCoveragePanel(svg, {526, 40, 350, 350}, series, band, true);
  DrawLegend(svg, {66, 22}, Legend(series, !band.empty()));
  return svg;
}

}  // namespace inferon::report
