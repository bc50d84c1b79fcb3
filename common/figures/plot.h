// Panels with axes on an Svg: the shared look of all figures.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/figures/statistics.h"
#include "common/figures/svg.h"

namespace inferon::report {

// Where a value lies on an axis, 0 (start) to 1 (end).
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  double Place(double value) const;
};

struct Tick {
  double value = 0;
  std::string label;
};

// A plotting area: its box on the figure and its two axes.
struct Panel {
  Box box;
  Axis x;
  Axis y;
  double X(double value) const { return box.left + box.width * x.Place(value); }
  double Y(double value) const { return box.bottom() - box.height * y.Place(value); }
  Point At(double vx, double vy) const { return {X(vx), Y(vy)}; }
};

struct Label {
  std::string text;
  bool math = false;
};

// How a panel's frame is drawn; empty labels and ticks leave out what they name.
struct FrameStyle {
  Label x_label;
  Label y_label;
  std::vector<Tick> x_ticks;
  std::vector<Tick> y_ticks;
  bool x_numbers = true;  // Labels at the ticks.
  bool y_numbers = true;
  bool grid = true;
  double font = 11;
  double y_label_offset = 46;  // Pixels left of the box.
};

// About `count` round ticks inside [low, high].
std::vector<Tick> RoundTicks(double low, double high, int count);
// 1, 10, 100, … inside [low, high], both > 0; powers below 1/1000 as 10⁻⁴.
std::vector<Tick> DecadeTicks(double low, double high);
// Smallest interval around all finite values with a margin (share of the range); [-1, 1] without.
Axis AxisAround(std::initializer_list<std::span<const double>> series, double margin);

void DrawFrame(Svg& svg, const Panel& panel, const FrameStyle& style);
// Points (x[i], y[i]) joined, clipped to the panel.
void DrawLine(Svg& svg, const Panel& panel, std::span<const double> x, std::span<const double> y,
              const Stroke& stroke);
// Vertical band from x = a to x = b over the whole height.
void DrawBand(Svg& svg, const Panel& panel, double a, double b, const Fill& fill);
// A small box plot centred at pixel x.
void DrawBox(Svg& svg, const Panel& panel, double x, double width, const BoxSummary& box, Ink ink);

// The largest font, at most `font`, in which a text is about as wide as `width` at most.
double FontThatFits(const std::string& text, double font, double width);

struct LegendEntry {
  std::string text;
  Stroke stroke;
  double opacity = 0;  // Of a filled swatch behind the line; 0: line only.
};
// A row of entries from a point on; returns the x after the last.
double DrawLegend(Svg& svg, Point at, std::span<const LegendEntry> entries, double font = 12);

}  // namespace inferon::report
