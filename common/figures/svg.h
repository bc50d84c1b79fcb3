// A small writer of SVG: shapes whose colours are names, so that one figure serves a white page, a
// dark page and paper. Coordinates are CSS pixels, origin top left.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace inferon::report {

// Colours by meaning. The palette is Okabe and Ito's, told apart by colour-blind readers.
enum class Ink {
  kText,
  kMuted,
  kAxis,
  kGrid,
  kBand,
  kPaper,  // Neutral.
  kUniform,
  kConstrained,
  kFeatures,
  kSummary,
  kTarget,
  kRepeats,  // Series.
};
std::string_view InkClass(Ink ink);
// CSS that gives every class its colour: on white, and for pages also on black and in print.
std::string LightCss();
std::string PageCss();

struct Point {
  double x = 0;
  double y = 0;
};

struct Box {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

struct Stroke {
  Ink ink = Ink::kText;
  double width = 1;
  double opacity = 1;
  std::string_view dash = {};  // For example "4 3".
};

struct Fill {
  Ink ink = Ink::kText;
  double opacity = 1;
};

enum class Anchor { kStart, kMiddle, kEnd };

struct TextStyle {
  double size = 12;
  Anchor anchor = Anchor::kStart;
  Ink ink = Ink::kText;
  bool bold = false;
  bool math = false;  // "V_T" becomes an italic V with T as its subscript.
  double rotate = 0;  // Degrees around the text's own point.
};

// A figure under construction. `id` is unique on a page and prefixes the ids inside.
class Svg {
 public:
  Svg(std::string id, double width, double height, std::string title);

  void Line(Point a, Point b, const Stroke& stroke);
  void Polyline(std::span<const Point> points, const Stroke& stroke);
  void Rectangle(const Box& box, const Fill& fill);
  void Frame(const Box& box, const Stroke& stroke);
  void Circle(Point centre, double radius, const Fill& fill);
  // Closed rings, filled by the even-odd rule and outlined.
  void Rings(std::span<const std::vector<Point>> rings, const Fill& fill, const Stroke& stroke);
  void Text(Point at, std::string_view text, const TextStyle& style);
  // What is drawn until EndClip shows only inside the box.
  void BeginClip(const Box& box);
  void EndClip();

  const std::string& id() const { return id_; }
  const std::string& title() const { return title_; }
  double width() const { return width_; }
  double height() const { return height_; }
  // A file of its own: light colours and a white background.
  std::string Document() const;
  // For an HTML page that includes PageCss().
  std::string Inline() const;

 private:
  std::string id_;
  double width_;
  double height_;
  std::string title_;
  std::string body_;
  int clips_ = 0;
};

// Text with & < > " escaped, for XML and HTML.
std::string EscapeXml(std::string_view text);
// "Δ_T" as "<i>Δ</i><sub>T</sub>" for HTML, escaped.
std::string MathHtml(std::string_view label);

}  // namespace inferon::report
