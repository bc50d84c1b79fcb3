// Figure 3: posterior predictive check, one small panel a feature.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/report/figures.h"

namespace inferon::report {
namespace {

constexpr std::size_t kColumns = 4;
constexpr double kPanelWidth = 148;
constexpr double kPanelHeight = 150;
constexpr double kPitchX = 222;
constexpr double kPitchY = 206;

struct Group {
  const Matrix* features;
  Ink ink;
  const char* title;
};

std::array<Group, 3> Groups(const FigureData& data) {
  return {{{&data.ppc_features[kFeatures], Ink::kFeatures, kInputTitles[kFeatures]},
           {&data.ppc_features[kSummary], Ink::kSummary, kInputTitles[kSummary]},
           {&data.repeats_features, Ink::kRepeats, "repeats at the target's parameters"}}};
}

void DrawFeature(Svg& svg, const FigureData& data, const Box& box, std::size_t feature) {
  const double target = data.target_features[feature];
  std::vector<double> shown;
  if (std::isfinite(target)) shown.push_back(target);
  std::vector<std::pair<Ink, std::optional<BoxSummary>>> boxes;
  for (const Group& group : Groups(data)) {
    const std::optional<BoxSummary> summary = Summarize(group.features->Column(feature));
    if (summary) shown.insert(shown.end(), {summary->low_whisker, summary->high_whisker});
    boxes.emplace_back(group.ink, summary);
  }
  const Panel panel{box, {0, 3}, AxisAround({shown}, 0.12)};
  FrameStyle style;
  style.font = 10;
  if (!shown.empty()) style.y_ticks = RoundTicks(panel.y.low, panel.y.high, 4);
  DrawFrame(svg, panel, style);
  const std::string& label = data.report->feature_labels[feature];
  svg.Text({box.left + box.width / 2, box.top - 8}, label,
           {.size = FontThatFits(label, 11, kPitchX - 8), .anchor = Anchor::kMiddle});
  for (std::size_t k = 0; k < boxes.size(); ++k) {
    const double x = panel.X(static_cast<double>(k) + 0.5);
    if (boxes[k].second) {
      DrawBox(svg, panel, x, 0.52 * box.width / 3, *boxes[k].second, boxes[k].first);
    } else {
      svg.Text({x, box.top + box.height / 2}, "-",
               {.size = 24, .anchor = Anchor::kMiddle, .ink = boxes[k].first, .bold = true});
    }
  }
  if (!std::isfinite(target)) return;
  const double y = panel.Y(target);
  svg.Line({box.left, y}, {box.right(), y}, {Ink::kTarget, 1.4, 1, "5 3"});
}

// How many features of the target lie between the quartiles, and between the whiskers.
std::string Inside(const FigureData& data, Input input) {
  std::size_t defined = 0, quartiles = 0, whiskers = 0;
  for (std::size_t f = 0; f < data.target_features.size(); ++f) {
    const double target = data.target_features[f];
    const auto box = Summarize(data.ppc_features[input].Column(f));
    if (!std::isfinite(target) || !box) continue;
    ++defined;
    quartiles += box->low_quartile <= target && target <= box->high_quartile;
    whiskers += box->low_whisker <= target && target <= box->high_whisker;
  }
  return fmt::format(
      "{}: the target lies inside the box for {} and inside the whiskers for {} of "
      "{} defined features.",
      kInputTitles[input], quartiles, whiskers, defined);
}

}  // namespace

Figure DrawFigure3(const FigureData& data) {
  const std::size_t features = data.target_features.size();
  const std::size_t rows = (features + kColumns - 1) / kColumns;
  Svg svg("figure-3", 66 + kColumns * kPitchX - 54, 28 + static_cast<double>(rows) * kPitchY,
          "Posterior predictive check of the features");
  std::vector<LegendEntry> legend;
  for (const Group& group : Groups(data)) {
    legend.push_back(
        {fmt::format("{} ({})", group.title, group.features->rows), {group.ink, 2}, 0.25});
  }
  legend.push_back({"target", {Ink::kTarget, 1.4, 1, "5 3"}});
  DrawLegend(svg, {20, 22}, legend, 11.5);
  for (std::size_t f = 0; f < features; ++f) {
    DrawFeature(svg, data,
                {66 + kPitchX * static_cast<double>(f % kColumns),
                 66 + kPitchY * static_cast<double>(f / kColumns), kPanelWidth, kPanelHeight},
                f);
  }
  return {std::move(svg), "Figure 3. Posterior predictive check",
          "Predicted features surround the target's; latency to the first spike, fast and slow "
          "trough are underestimated.",
          Inside(data, kFeatures) + " " + Inside(data, kSummary) +
              " Boxes: quartiles and median; whiskers reach 1.5 interquartile ranges; \"-\": the "
              "feature is undefined in all runs."};
}

}  // namespace inferon::report
