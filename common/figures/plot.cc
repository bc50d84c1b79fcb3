#include "common/figures/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/check.h"

namespace inferon::report {
namespace {

constexpr double kTickLength = 4;

std::string TickLabel(double value, double step) {
  const double size = std::abs(value);
  if (size < step * 1e-6) return "0";
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  return (value < 0 ? "\u2212" : "") + fmt::format("{:.{}f}", size, decimals);
}

std::string PowerLabel(int exponent) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  if (exponent >= 0 && exponent <= 4) return fmt::format("{:g}", std::pow(10.0, exponent));
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (const char c : std::to_string(std::abs(exponent))) text += kDigits[c - '0'];
  return text;
}

// In a narrow panel the labels at the ends stay inside, clear of the neighbour's.
Anchor TickAnchor(const Panel& panel, double value) {
  constexpr double kNarrow = 130;
  const double place = panel.x.Place(value);
  if (panel.box.width > kNarrow || (place > 0.05 && place < 0.95)) return Anchor::kMiddle;
  return place < 0.5 ? Anchor::kStart : Anchor::kEnd;
}

// Visible characters: UTF-8 continuation bytes do not count.
double TextWidth(const std::string& text, double font) {
  const auto glyphs =
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return 0.58 * font * static_cast<double>(glyphs);
}

}  // namespace

double Axis::Place(double value) const {
  if (!logarithmic) return (value - low) / (high - low);
  return std::log(std::max(value, low * 1e-3) / low) / std::log(high / low);
}

std::vector<Tick> RoundTicks(double low, double high, int count) {
  INFERON_CHECK(low < high && count > 0);
  const double raw = (high - low) / count;
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  const double ratio = raw / magnitude;
  const double step = magnitude * (ratio < 1.4 ? 1 : ratio < 3.2 ? 2 : ratio < 7 ? 5 : 10);
  std::vector<Tick> ticks;
  const double slack = step * 1e-6;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack; ++k) {
    ticks.push_back({k * step, TickLabel(k * step, step)});
  }
  return ticks;
}

std::vector<Tick> DecadeTicks(double low, double high) {
  INFERON_CHECK(0 < low && low < high);
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::ceil(std::log10(low) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
  for (int k = first; k <= last; ++k) ticks.push_back({std::pow(10.0, k), PowerLabel(k)});
  return ticks;
}

Axis AxisAround(std::initializer_list<std::span<const double>> series, double margin) {
  double low = INFINITY, high = -INFINITY;
  for (const std::span<const double> values : series) {
    for (const double v : values) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  if (low > high) return {-1, 1};
  const double range = high - low;
  // A constant series gets an axis wide enough to read its value.
  const double pad =
      range > 1e-9 * std::abs(high) ? margin * range : std::max(0.05 * std::abs(high), 0.5);
  return {low - pad, high + pad};
}

void DrawFrame(Svg& svg, const Panel& panel, const FrameStyle& style) {
  const Box& box = panel.box;
  const Stroke grid{Ink::kGrid, 1};
  const Stroke axis{Ink::kAxis, 1};
  for (const Tick& tick : style.x_ticks) {
    const double x = panel.X(tick.value);
    if (style.grid) svg.Line({x, box.top}, {x, box.bottom()}, grid);
    svg.Line({x, box.bottom()}, {x, box.bottom() + kTickLength}, axis);
    if (!style.x_numbers) continue;
    svg.Text({x, box.bottom() + kTickLength + style.font + 1}, tick.label,
             {.size = style.font, .anchor = TickAnchor(panel, tick.value), .ink = Ink::kMuted});
  }
  for (const Tick& tick : style.y_ticks) {
    const double y = panel.Y(tick.value);
    if (style.grid) svg.Line({box.left, y}, {box.right(), y}, grid);
    svg.Line({box.left - kTickLength, y}, {box.left, y}, axis);
    if (!style.y_numbers) continue;
    svg.Text({box.left - kTickLength - 3, y + 0.36 * style.font}, tick.label,
             {.size = style.font, .anchor = Anchor::kEnd, .ink = Ink::kMuted});
  }
  svg.Frame(box, axis);
  if (!style.x_label.text.empty()) {
    const double drop =
        style.x_numbers && !style.x_ticks.empty() ? 2.6 * style.font + 6 : style.font + 8;
    svg.Text({box.left + box.width / 2, box.bottom() + drop}, style.x_label.text,
             {.size = style.font + 1, .anchor = Anchor::kMiddle, .math = style.x_label.math});
  }
  if (!style.y_label.text.empty()) {
    svg.Text({box.left - style.y_label_offset, box.top + box.height / 2}, style.y_label.text,
             {.size = style.font + 1,
              .anchor = Anchor::kMiddle,
              .math = style.y_label.math,
              .rotate = -90});
  }
}

void DrawLine(Svg& svg, const Panel& panel, std::span<const double> x, std::span<const double> y,
              const Stroke& stroke) {
  INFERON_CHECK(x.size() == y.size());
  svg.BeginClip(panel.box);
  std::vector<Point> points;
  for (std::size_t i = 0; i <= x.size(); ++i) {
    // A missing value breaks the line.
    if (i == x.size() || !std::isfinite(y[i])) {
      svg.Polyline(points, stroke);
      points.clear();
    } else {
      points.push_back(panel.At(x[i], y[i]));
    }
  }
  svg.EndClip();
}

void DrawBand(Svg& svg, const Panel& panel, double a, double b, const Fill& fill) {
  const double left = std::max(panel.X(a), panel.box.left);
  const double right = std::min(panel.X(b), panel.box.right());
  if (right > left) svg.Rectangle({left, panel.box.top, right - left, panel.box.height}, fill);
}

void DrawBox(Svg& svg, const Panel& panel, double x, double width, const BoxSummary& box, Ink ink) {
  const Stroke line{ink, 1.3};
  const double top = panel.Y(box.high_quartile);
  const double bottom = panel.Y(box.low_quartile);
  const Box body{x - width / 2, top, width, std::max(bottom - top, 0.1)};
  svg.Line({x, panel.Y(box.high_whisker)}, {x, top}, line);
  svg.Line({x, bottom}, {x, panel.Y(box.low_whisker)}, line);
  for (const double end : {box.low_whisker, box.high_whisker}) {
    svg.Line({x - width / 4, panel.Y(end)}, {x + width / 4, panel.Y(end)}, line);
  }
  svg.Rectangle(body, {ink, 0.25});
  svg.Frame(body, line);
  svg.Line({body.left, panel.Y(box.median)}, {body.right(), panel.Y(box.median)}, {ink, 2.6});
}

double FontThatFits(const std::string& text, double font, double width) {
  return font * std::min(1.0, width / std::max(TextWidth(text, font), 1.0));
}

double DrawLegend(Svg& svg, Point at, std::span<const LegendEntry> entries, double font) {
  double x = at.x;
  for (const LegendEntry& entry : entries) {
    if (entry.opacity > 0) {
      svg.Rectangle({x, at.y - 0.75 * font, 20, 0.8 * font}, {entry.stroke.ink, entry.opacity});
    }
    const double middle = at.y - 0.35 * font;
    if (entry.stroke.width > 0) svg.Line({x, middle}, {x + 20, middle}, entry.stroke);
    svg.Text({x + 26, at.y}, entry.text, {.size = font});
    x += 26 + TextWidth(entry.text, font) + 18;
  }
  return x;
}

}  // namespace inferon::report
