// Figure 2a: corner plot of both posteriors over the full axes of the codes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/report/figures.h"
#include "client/report/format.h"
#include "common/neuron/parameters.h"

namespace inferon::report {
namespace {

constexpr double kCell = 112;  // Side of a panel with its gap.
constexpr double kGap = 10;
constexpr double kLeft = 74;
constexpr double kTop = 52;
constexpr std::size_t kGrid = 72;
constexpr double kOuterMass = 0.9;
constexpr double kInnerMass = 0.5;
const Axis kCodes{0, kMaxCode};

std::vector<Tick> CodeTicks() { return {{0, "0"}, {500, "500"}, {1000, "1000"}}; }

// Highest-density regions of two parameters, in panel coordinates.
void DrawRegions(Svg& svg, const Panel& panel, const Matrix& codes, std::size_t x, std::size_t y,
                 Ink ink) {
  const std::vector<double> vx = codes.Column(x), vy = codes.Column(y);
  const Density2d density = EstimateDensity2d(vx, vy, 1, kGrid);
  svg.BeginClip(panel.box);
  for (const auto& [mass, opacity] : {std::pair{kOuterMass, 0.16}, {kInnerMass, 0.38}}) {
    std::vector<std::vector<Point>> rings = Contours(density, HighestDensityLevel(density, mass));
    for (auto& ring : rings) {
      for (Point& p : ring) p = panel.At(p.x, p.y);
    }
    svg.Rings(rings, {ink, opacity}, {ink, 0.9});
  }
  svg.EndClip();
}

void DrawTarget(Svg& svg, const Panel& panel, double x, double y, double length) {
  const Point at = panel.At(x, y);
  svg.BeginClip(panel.box);
  svg.Line({at.x - length, at.y}, {at.x + length, at.y}, {Ink::kPaper, 3.4});
  svg.Line({at.x, at.y - length}, {at.x, at.y + length}, {Ink::kPaper, 3.4});
  svg.Line({at.x - length, at.y}, {at.x + length, at.y}, {Ink::kTarget, 1.6});
  svg.Line({at.x, at.y - length}, {at.x, at.y + length}, {Ink::kTarget, 1.6});
  svg.EndClip();
}

void DrawMarginal(Svg& svg, const FigureData& data, const Box& box, std::size_t i, bool last) {
  std::array<Density, kInputs> densities;
  double highest = 0;
  for (std::size_t k = 0; k < kInputs; ++k) {
    densities[k] =
        EstimateDensity(data.posterior_codes[k].Column(i), -0.5, kMaxCode + 0.5, kCodeCount);
    highest = std::max(highest,
                       *std::max_element(densities[k].values.begin(), densities[k].values.end()));
  }
  const Panel panel{box, kCodes, {0, highest * 1.08}};
  svg.BeginClip(box);
  for (std::size_t k = 0; k < kInputs; ++k) {
    std::vector<Point> ring{panel.At(0, 0)};
    for (std::size_t j = 0; j < densities[k].values.size(); j += 3) {
      ring.push_back(panel.At(densities[k].X(j), densities[k].values[j]));
    }
    ring.push_back(panel.At(kMaxCode, 0));
    svg.Rings({&ring, 1}, {kInputInk[k], 0.22}, {kInputInk[k], 1.2});
  }
  const double x = panel.X(data.target_codes[i]);
  svg.Line({x, box.top}, {x, box.bottom()}, {Ink::kTarget, 1.4, 1, "4 2.5"});
  svg.EndClip();
  FrameStyle style;
  style.grid = false;
  style.font = 10;
  style.x_ticks = CodeTicks();
  style.x_numbers = last;
  if (last) style.x_label = {data.report->parameter_labels[i], true};
  DrawFrame(svg, panel, style);
}

void DrawPair(Svg& svg, const FigureData& data, const Box& box, std::size_t column, std::size_t row,
              bool last, bool first) {
  const Panel panel{box, kCodes, kCodes};
  FrameStyle style;
  style.font = 10;
  style.x_ticks = style.y_ticks = CodeTicks();
  style.x_numbers = last;
  style.y_numbers = first;
  if (last) style.x_label = {data.report->parameter_labels[column], true};
  if (first) style.y_label = {data.report->parameter_labels[row], true};
  style.y_label_offset = 44;
  DrawFrame(svg, panel, style);
  for (std::size_t k = 0; k < kInputs; ++k) {
    DrawRegions(svg, panel, data.posterior_codes[k], column, row, kInputInk[k]);
  }
  DrawTarget(svg, panel, data.target_codes[column], data.target_codes[row], 5);
}

// With a true minus sign.
std::string Signed(double value) {
  return (value < 0 ? "\u2212" : "") + fmt::format("{:.2f}", std::abs(value));
}

struct Pair {
  std::size_t x, y;
};

std::size_t IndexOf(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// V_T and Delta_T, which the paper names; in another profile the pair that correlates most.
Pair PairOfInterest(const FigureData& data) {
  const std::vector<std::string>& names = data.report->parameters;
  const Pair named{IndexOf(names, "v_t"), IndexOf(names, "delta_t")};
  if (named.x < names.size() && named.y < names.size()) return named;
  Pair best{0, 1};
  double most = -1;
  const Matrix& codes = data.posterior_codes[kSummary];
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t j = i + 1; j < names.size(); ++j) {
      const double r = std::abs(Correlation(codes.Column(i), codes.Column(j)));
      if (r > most) best = {i, j}, most = r;
    }
  }
  return best;
}

Axis InsideCodes(const Axis& axis) {
  return {std::max(axis.low, kCodes.low), std::min(axis.high, kCodes.high)};
}

// The pair of interest magnified, in the empty corner: draws as dots and the same regions.
void DrawInset(Svg& svg, const FigureData& data, const Box& box, Pair pair) {
  std::array<std::vector<double>, kInputs> x, y;
  for (std::size_t k = 0; k < kInputs; ++k) {
    x[k] = data.posterior_codes[k].Column(pair.x);
    y[k] = data.posterior_codes[k].Column(pair.y);
  }
  const double tx = data.target_codes[pair.x], ty = data.target_codes[pair.y];
  const Panel panel{box, InsideCodes(AxisAround({x[0], x[1], {&tx, 1}}, 0.04)),
                    InsideCodes(AxisAround({y[0], y[1], {&ty, 1}}, 0.04))};
  FrameStyle style;
  style.x_ticks = RoundTicks(panel.x.low, panel.x.high, 4);
  style.y_ticks = RoundTicks(panel.y.low, panel.y.high, 5);
  style.x_label = {data.report->parameter_labels[pair.x] + " (code)", true};
  style.y_label = {data.report->parameter_labels[pair.y] + " (code)", true};
  style.y_label_offset = 44;
  DrawFrame(svg, panel, style);
  for (std::size_t k = 0; k < kInputs; ++k) {
    svg.BeginClip(box);
    for (std::size_t i = 0; i < std::min<std::size_t>(x[k].size(), 400); ++i) {
      svg.Circle(panel.At(x[k][i], y[k][i]), 1.3, {kInputInk[k], 0.5});
    }
    svg.EndClip();
    DrawRegions(svg, panel, data.posterior_codes[k], pair.x, pair.y, kInputInk[k]);
    svg.Text({box.left + 84 * static_cast<double>(k), box.top - 10},
             "ρ = " + Signed(Correlation(x[k], y[k])),
             {.size = 12, .ink = kInputInk[k], .bold = true});
  }
  DrawTarget(svg, panel, tx, ty, 8);
}

// Parameters whose interval of a width number is narrower for the summary network.
std::string Observations(const FigureData& data, Pair pair) {
  const auto width = [&](std::size_t k, std::size_t i) {
    const std::vector<double> sorted = SortedFinite(data.posterior_codes[k].Column(i));
    return *Quantile(sorted, 0.95) - *Quantile(sorted, 0.05);
  };
  std::size_t narrower = 0;
  for (std::size_t i = 0; i < data.dimension(); ++i) {
    narrower += width(kSummary, i) < width(kFeatures, i);
  }
  std::array<double, kInputs> rho{};
  for (std::size_t k = 0; k < kInputs; ++k) {
    rho[k] =
        Correlation(data.posterior_codes[k].Column(pair.x), data.posterior_codes[k].Column(pair.y));
  }
  std::string text = fmt::format(
      "The summary network's central 90 % is narrower for {} of {} parameters. Correlation of {} "
      "and {}: {} (12 features), {} (summary network).",
      narrower, data.dimension(), data.report->parameter_labels[pair.x],
      data.report->parameter_labels[pair.y], Signed(rho[0]), Signed(rho[1]));
  for (std::size_t k = 0; k < kInputs; ++k) {
    const std::string key = std::string("theta_inside_99_") + kInputNames[k];
    const ReportNumber* inside = FindNumber(data.report->numbers, key);
    if (!inside || std::isnan(inside->value)) continue;
    text += fmt::format(" θ_T lies {} the central 99 % of every marginal ({}).",
                        inside->value == 1 ? "inside" : "not inside", kInputTitles[k]);
  }
  return text;
}

}  // namespace

Figure DrawFigure2a(const FigureData& data) {
  const std::size_t d = data.dimension();
  const double side = kCell * static_cast<double>(d);
  Svg svg("figure-2a", kLeft + side + 14, kTop + side + 46, "Both posteriors of the target");
  DrawLegend(svg, {kLeft, 22},
             std::vector<LegendEntry>{{kInputTitles[0], {Ink::kFeatures, 1.2}, 0.3},
                                      {kInputTitles[1], {Ink::kSummary, 1.2}, 0.3},
                                      {"target", {Ink::kTarget, 1.5, 1, "4 2.5"}}});
  svg.Text({kLeft, 38}, "regions with 50 % and 90 % of the draws",
           {.size = 11, .ink = Ink::kMuted});
  for (std::size_t row = 0; row < d; ++row) {
    for (std::size_t column = 0; column <= row; ++column) {
      const Box box{kLeft + kCell * static_cast<double>(column),
                    kTop + kCell * static_cast<double>(row), kCell - kGap, kCell - kGap};
      if (row == column) {
        DrawMarginal(svg, data, box, row, row + 1 == d);
      } else {
        DrawPair(svg, data, box, column, row, row + 1 == d, column == 0);
      }
    }
  }
  std::string here;
  if (d >= 2) {
    const Pair pair = PairOfInterest(data);
    // The corner above the diagonal is empty; from five parameters on it holds a large panel.
    if (d >= 5) {
      const double inset = kCell * static_cast<double>((d - 1) / 2) - 34;
      DrawInset(svg, data, {kLeft + side - kGap - inset, kTop, inset, inset}, pair);
    }
    here = Observations(data, pair);
  }
  return {std::move(svg), "Figure 2a. Both posteriors of the target",
          "Both are dense near θ_T, the summary network's is narrower, Δ_T and V_T correlate "
          "strongly, and b is broad.",
          here +
              " Regions hold 50 % and 90 % of the draws; axes are DAC codes 0 to 1022; the "
              "large panel magnifies one pair."};
}

}  // namespace inferon::report
