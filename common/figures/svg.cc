#include "common/figures/svg.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

#include "common/base/check.h"

namespace inferon::report {
namespace {

struct InkColour {
  Ink ink;
  const char* name;
  const char* light;
  const char* dark;
};

constexpr std::array<InkColour, 12> kInks = {{
    {Ink::kText, "ink", "#1a1d21", "#e8eaed"},
    {Ink::kMuted, "mut", "#5b636d", "#a4acb6"},
    {Ink::kAxis, "axi", "#8b939c", "#767f89"},
    {Ink::kGrid, "gri", "#e2e5e9", "#343a42"},
    {Ink::kBand, "ban", "#f0e442", "#8d8420"},
    {Ink::kPaper, "pap", "#ffffff", "#16191d"},
    {Ink::kUniform, "uni", "#7d8590", "#9aa3ae"},
    {Ink::kConstrained, "con", "#009e73", "#2cc49a"},
    {Ink::kFeatures, "fea", "#0072b2", "#56b4e9"},
    {Ink::kSummary, "sum", "#d55e00", "#f08a3c"},
    {Ink::kTarget, "tar", "#000000", "#ffffff"},
    {Ink::kRepeats, "rep", "#7d8590", "#9aa3ae"},
}};

constexpr const char* kFont = "'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif";

std::string Rules(const char* InkColour::*colour) {
  std::string css;
  for (const InkColour& ink : kInks) css += fmt::format(".{}{{color:{}}}", ink.name, ink.*colour);
  return css;
}

// A tenth of a pixel is finer than any screen or printer here.
std::string Coordinate(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string PathOf(std::span<const Point> points, bool closed) {
  std::string path;
  for (std::size_t i = 0; i < points.size(); ++i) {
    path += i == 0 ? "M" : "L";
    path += Coordinate(points[i].x) + " " + Coordinate(points[i].y);
  }
  return closed ? path + "Z" : path;
}

std::string StrokeAttributes(const Stroke& stroke) {
  std::string text = fmt::format(" stroke=\"currentColor\" stroke-width=\"{:g}\"", stroke.width);
  if (stroke.opacity < 1) text += fmt::format(" stroke-opacity=\"{:g}\"", stroke.opacity);
  if (!stroke.dash.empty()) text += fmt::format(" stroke-dasharray=\"{}\"", stroke.dash);
  return text;
}

std::string FillAttributes(const Fill& fill) {
  std::string text = " fill=\"currentColor\"";
  if (fill.opacity < 1) text += fmt::format(" fill-opacity=\"{:g}\"", fill.opacity);
  return text;
}

// Splits "Δ_T rest" into "Δ", "T", " rest"; the subscript ends at a space.
struct MathParts {
  std::string_view base, subscript, rest;
};
MathParts SplitMath(std::string_view label) {
  const std::size_t mark = label.find('_');
  if (mark == std::string_view::npos) {
    const std::size_t space = std::min(label.find(' '), label.size());
    return {label.substr(0, space), {}, label.substr(space)};
  }
  const std::size_t space = std::min(label.find(' ', mark), label.size());
  return {label.substr(0, mark), label.substr(mark + 1, space - mark - 1), label.substr(space)};
}

std::string MathTspans(std::string_view label, double size) {
  const MathParts parts = SplitMath(label);
  std::string text = "<tspan font-style=\"italic\">" + EscapeXml(parts.base) + "</tspan>";
  if (!parts.subscript.empty()) {
    text += fmt::format("<tspan dy=\"{:.1f}\" font-size=\"{:.1f}\">{}</tspan>", 0.28 * size,
                        0.72 * size, EscapeXml(parts.subscript));
  }
  if (parts.rest.empty()) return text;
  // A space at a tspan's start would be dropped: move instead.
  return text + fmt::format("<tspan dx=\"{:.1f}\" dy=\"{:.1f}\">{}</tspan>", 0.35 * size,
                            parts.subscript.empty() ? 0.0 : -0.28 * size,
                            EscapeXml(parts.rest.substr(1)));
}

}  // namespace

std::string_view InkClass(Ink ink) {
  for (const InkColour& entry : kInks) {
    if (entry.ink == ink) return entry.name;
  }
  INFERON_CHECK(false);
  return {};
}

std::string LightCss() { return Rules(&InkColour::light); }

std::string PageCss() {
  return LightCss() + "@media screen and (prefers-color-scheme:dark){" + Rules(&InkColour::dark) +
         "}";
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // Control characters are not allowed in XML at all.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string MathHtml(std::string_view label) {
  const MathParts parts = SplitMath(label);
  std::string text = "<i>" + EscapeXml(parts.base) + "</i>";
  if (!parts.subscript.empty()) text += "<sub>" + EscapeXml(parts.subscript) + "</sub>";
  return text + EscapeXml(parts.rest);
}

Svg::Svg(std::string id, double width, double height, std::string title)
    : id_(std::move(id)), width_(width), height_(height), title_(std::move(title)) {}

void Svg::Line(Point a, Point b, const Stroke& stroke) {
  body_ += fmt::format("<path class=\"{}\" d=\"M{} {}L{} {}\"{}/>\n", InkClass(stroke.ink),
                       Coordinate(a.x), Coordinate(a.y), Coordinate(b.x), Coordinate(b.y),
                       StrokeAttributes(stroke));
}

void Svg::Polyline(std::span<const Point> points, const Stroke& stroke) {
  if (points.size() < 2) return;
  body_ += fmt::format("<path class=\"{}\" d=\"{}\" fill=\"none\" stroke-linejoin=\"round\"{}/>\n",
                       InkClass(stroke.ink), PathOf(points, false), StrokeAttributes(stroke));
}

void Svg::Rectangle(const Box& box, const Fill& fill) {
  body_ += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}/>\n",
                       InkClass(fill.ink), Coordinate(box.left), Coordinate(box.top),
                       Coordinate(box.width), Coordinate(box.height), FillAttributes(fill));
}

void Svg::Frame(const Box& box, const Stroke& stroke) {
  body_ += fmt::format(
      "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\"{}/>\n",
      InkClass(stroke.ink), Coordinate(box.left), Coordinate(box.top), Coordinate(box.width),
      Coordinate(box.height), StrokeAttributes(stroke));
}

void Svg::Circle(Point centre, double radius, const Fill& fill) {
  body_ +=
      fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{:g}\"{}/>\n", InkClass(fill.ink),
                  Coordinate(centre.x), Coordinate(centre.y), radius, FillAttributes(fill));
}

void Svg::Rings(std::span<const std::vector<Point>> rings, const Fill& fill, const Stroke& stroke) {
  if (rings.empty()) return;
  std::string path;
  for (const std::vector<Point>& ring : rings) path += PathOf(ring, true);
  body_ += fmt::format("<path class=\"{}\" d=\"{}\" fill-rule=\"evenodd\"{}{}/>\n",
                       InkClass(fill.ink), path, FillAttributes(fill), StrokeAttributes(stroke));
}

void Svg::Text(Point at, std::string_view text, const TextStyle& style) {
  static constexpr std::array<const char*, 3> kAnchors = {"start", "middle", "end"};
  std::string attributes = fmt::format(" font-size=\"{:g}\"", style.size);
  if (style.anchor != Anchor::kStart) {
    attributes += fmt::format(" text-anchor=\"{}\"", kAnchors[static_cast<int>(style.anchor)]);
  }
  if (style.bold) attributes += " font-weight=\"bold\"";
  if (style.rotate != 0) {
    attributes += fmt::format(" transform=\"rotate({:g} {} {})\"", style.rotate, Coordinate(at.x),
                              Coordinate(at.y));
  }
  body_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" fill=\"currentColor\"{}>{}</text>\n",
                       InkClass(style.ink), Coordinate(at.x), Coordinate(at.y), attributes,
                       style.math ? MathTspans(text, style.size) : EscapeXml(text));
}

void Svg::BeginClip(const Box& box) {
  const std::string clip = fmt::format("{}-clip{}", id_, clips_++);
  body_ += fmt::format(
      "<clipPath id=\"{0}\"><rect x=\"{1}\" y=\"{2}\" width=\"{3}\" height=\"{4}\"/></clipPath>"
      "<g clip-path=\"url(#{0})\">\n",
      clip, Coordinate(box.left), Coordinate(box.top), Coordinate(box.width),
      Coordinate(box.height));
}

void Svg::EndClip() { body_ += "</g>\n"; }

std::string Svg::Document() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" "
      "viewBox=\"0 0 {0:g} {1:g}\" font-family=\"{2}\">\n<title>{3}</title>\n"
      "<style>{4}</style>\n<rect width=\"{0:g}\" height=\"{1:g}\" fill=\"#ffffff\"/>\n{5}</svg>\n",
      width_, height_, kFont, EscapeXml(title_), LightCss(), body_);
}

std::string Svg::Inline() const {
  return fmt::format(
      "<svg id=\"{0}\" viewBox=\"0 0 {1:g} {2:g}\" style=\"max-width:{1:g}px\" role=\"img\" "
      "aria-label=\"{3}\" font-family=\"{4}\">\n{5}</svg>\n",
      id_, width_, height_, EscapeXml(title_), kFont, body_);
}

}  // namespace inferon::report
