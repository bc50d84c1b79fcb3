// Figure 1a: how often the neuron fires before and after the classifier, with sample traces.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/report/figures.h"
#include "client/report/format.h"

namespace inferon::report {
namespace {

constexpr double kWidth = 900;
constexpr double kZeroLeft = 0.42;  // The bar of silent neurons stands left of 1 on the log axis.
constexpr double kZeroRight = 0.72;

// Integer edges growing by about a third; the ends of the relevant window are among them.
std::vector<double> BinEdges(double most, double min_spikes, double max_spikes) {
  std::vector<double> edges;
  for (double edge = 1; edges.empty() || edges.back() <= most;
       edge = std::max(edge + 1, std::round(edge * 1.3))) {
    edges.push_back(edge);
  }
  for (const double bound : {std::max(min_spikes, 1.0), max_spikes + 1}) {
    const auto near = std::min_element(edges.begin(), edges.end(), [&](double a, double b) {
      return std::abs(a - bound) < std::abs(b - bound);
    });
    if (bound < edges.back()) *near = bound;
  }
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

// Share of all counts in each bin; index 0 is the silent ones.
std::vector<double> Shares(const std::vector<double>& counts, const std::vector<double>& edges) {
  std::vector<double> shares(edges.size(), 0.0);
  const double weight = 1 / static_cast<double>(counts.size());
  for (const double count : counts) {
    const auto bin = std::upper_bound(edges.begin(), edges.end(), count) - edges.begin();
    shares[std::min<std::size_t>(bin, shares.size() - 1)] += weight;
  }
  return shares;
}

// The silent ones as a bar of their own, then one outline over all bins.
void DrawShares(Svg& svg, const Panel& panel, const std::vector<double>& edges,
                const std::vector<double>& shares, Ink ink) {
  svg.BeginClip(panel.box);
  const double bottom = panel.box.bottom() + 2;  // The outline's foot stays hidden.
  const auto draw = [&](const std::vector<Point>& outline) {
    svg.Rings({&outline, 1}, {ink, 0.22}, {ink, 1.6});
  };
  const auto top = [&](double share) { return share > 0 ? panel.Y(share) : bottom; };
  const double left = panel.X(kZeroLeft), right = panel.X(kZeroRight);
  draw({{left, bottom}, {left, top(shares[0])}, {right, top(shares[0])}, {right, bottom}});
  std::vector<Point> outline{{panel.X(edges.front()), bottom}};
  for (std::size_t bin = 1; bin < shares.size(); ++bin) {
    outline.push_back({panel.X(edges[bin - 1]), top(shares[bin])});
    outline.push_back({panel.X(edges[bin]), top(shares[bin])});
  }
  outline.push_back({panel.X(edges.back()), bottom});
  draw(outline);
  svg.EndClip();
}

double ShareWithin(const std::vector<double>& counts, double low, double high) {
  const auto inside =
      std::count_if(counts.begin(), counts.end(), [&](double c) { return low <= c && c <= high; });
  return static_cast<double>(inside) / static_cast<double>(counts.size());
}

void DrawDistribution(Svg& svg, const FigureData& data, const Box& box) {
  const double least = data.report->min_spikes, most = data.report->max_spikes;
  const double highest = std::max(
      {2.0 * most, *std::max_element(data.uniform_counts.begin(), data.uniform_counts.end()),
       *std::max_element(data.constrained_counts.begin(), data.constrained_counts.end())});
  const std::vector<double> edges = BinEdges(highest, least, most);
  const double finest = 0.5 / static_cast<double>(std::max(data.uniform_counts.size(),
                                                           data.constrained_counts.size()));
  const Panel panel{box,
                    {0.36, edges.back() * 1.1, true},
                    {std::pow(10.0, std::floor(std::log10(finest))), 1.6, true}};
  DrawBand(svg, panel, least, most + 1, {Ink::kBand, 0.2});
  DrawShares(svg, panel, edges, Shares(data.uniform_counts, edges), Ink::kUniform);
  DrawShares(svg, panel, edges, Shares(data.constrained_counts, edges), Ink::kConstrained);
  FrameStyle style;
  style.x_label = {"number of spikes during the stimulus"};
  style.x_ticks = DecadeTicks(1, panel.x.high);
  style.x_ticks.insert(style.x_ticks.begin(), {std::sqrt(kZeroLeft * kZeroRight), "0"});
  style.x_ticks.push_back({most, fmt::format("{:g}", most)});
  style.y_label = {"share of experiments in a bin"};
  style.y_ticks = DecadeTicks(panel.y.low, panel.y.high);
  style.grid = false;
  DrawFrame(svg, panel, style);
  svg.Text({panel.X(std::sqrt(least * (most + 1))), box.top + 16},
           fmt::format("relevant: {:g} to {:g} spikes", least, most),
           {.size = 11, .anchor = Anchor::kMiddle, .ink = Ink::kMuted});
}

}  // namespace

Figure DrawFigure1a(const FigureData& data) {
  const std::size_t traces = std::min<std::size_t>(data.sample_traces.rows, 4);
  const std::size_t rows = (traces + 1) / 2;
  const double height = 350 + static_cast<double>(rows) * 120 + 46;
  Svg svg("figure-1a", kWidth, height, "Spike counts of the uniform and the constrained data set");
  DrawLegend(
      svg, {70, 22},
      std::vector<LegendEntry>{
          {fmt::format("uniform prior ({})", FormatCount(data.uniform_counts.size())),
           {Ink::kUniform, 1.6},
           0.22},
          {fmt::format("constrained prior ({})", FormatCount(data.constrained_counts.size())),
           {Ink::kConstrained, 1.6},
           0.22}});
  DrawDistribution(svg, data, {70, 36, kWidth - 90, 244});
  const Axis voltage = AxisAround({data.sample_traces.values}, 0.06);
  svg.Text({70, 342}, "Sample traces of the constrained data set", {.size = 12, .bold = true});
  for (std::size_t i = 0; i < traces; ++i) {
    const double row = static_cast<double>(i / 2);
    const bool left = i % 2 == 0;
    const Box box{left ? 70.0 : 490.0, 354 + row * 120, 390, 104};
    const Trace trace{data.sample_traces.Row(i), {Ink::kConstrained, 1}};
    DrawTraces(svg, data, box, voltage, {&trace, 1}, i + 2 >= traces, left);
  }
  const double least = data.report->min_spikes, most = data.report->max_spikes;
  return {
      std::move(svg), "Figure 1a. Spike counts before and after the classifier",
      "The share of relevant parameter sets rises from 2 % under the uniform prior to 38 % "
      "under the constrained one; sample traces stand below.",
      fmt::format("{:g} to {:g} spikes: {} of the uniform and {} of the constrained data set. "
                  "1 to 40 spikes (the other reading of the paper's caption): {} and {}.",
                  least, most, FormatValue(ShareWithin(data.uniform_counts, least, most), "share"),
                  FormatValue(ShareWithin(data.constrained_counts, least, most), "share"),
                  FormatValue(ShareWithin(data.uniform_counts, 1, 40), "share"),
                  FormatValue(ShareWithin(data.constrained_counts, 1, 40), "share"))};
}

}  // namespace inferon::report
