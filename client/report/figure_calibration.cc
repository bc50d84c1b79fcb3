// Calibration: ranks of simulation-based calibration and coverage of credible regions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/report/figures.h"
#include "client/report/format.h"
#include "common/figures/calibration_figures.h"

namespace inferon::report {
namespace {

constexpr std::size_t kBins = 16;
constexpr double kZ95 = 1.96;

struct Histogram {
  std::vector<double> heights;  // Relative to uniform: 1 everywhere when calibrated.
  double band = 0;              // 95 % of bins lie within 1 ± band under calibration.
};

// Ranks run over 0..most; a calibrated estimator's are uniform.
Histogram RankHistogram(const std::vector<double>& ranks, double most) {
  Histogram histogram{std::vector<double>(kBins, 0.0), 0};
  const double n = static_cast<double>(ranks.size());
  for (const double rank : ranks) {
    const auto bin = static_cast<std::size_t>(rank / (most + 1) * kBins);
    histogram.heights[std::min(bin, kBins - 1)] += kBins / n;
  }
  histogram.band = kZ95 * std::sqrt((kBins - 1) / n);
  return histogram;
}

// Draws that each rank counts over: said by the number "sbc_draws", else the highest rank seen.
double HighestRank(const FigureData& data, std::size_t k) {
  if (const ReportNumber* draws = FindNumber(data.report->numbers, "sbc_draws")) {
    if (std::isfinite(draws->value)) return draws->value;
  }
  if (!data.sbc_ranks[k]) return 1;
  const std::vector<double>& ranks = data.sbc_ranks[k]->values;
  return std::max(1.0, *std::max_element(ranks.begin(), ranks.end()));
}

void DrawRankPanel(Svg& svg, const FigureData& data, const Box& box, std::size_t k,
                   std::size_t parameter, double most, double highest, bool first) {
  const Histogram histogram = RankHistogram(data.sbc_ranks[k]->Column(parameter), most);
  const Panel panel{box, {0, 1}, {0, highest}};
  const double top = panel.Y(std::min(1 + histogram.band, highest));
  const double bottom = panel.Y(std::max(1 - histogram.band, 0.0));
  svg.Rectangle({box.left, top, box.width, bottom - top}, {Ink::kGrid, 0.9});
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const double y = panel.Y(histogram.heights[bin]);
    const double left = panel.X(static_cast<double>(bin) / kBins);
    const double width = box.width / kBins;
    svg.Rectangle({left + 0.4, y, width - 0.8, box.bottom() - y}, {kInputInk[k], 0.5});
  }
  svg.Line({box.left, panel.Y(1)}, {box.right(), panel.Y(1)}, {Ink::kText, 1, 1, "4 3"});
  FrameStyle style;
  style.grid = false;
  style.font = 10;
  style.y_ticks = RoundTicks(0, highest, 3);
  style.y_numbers = first;
  if (first) style.y_label = {kInputTitles[k]};
  style.y_label_offset = 34;
  DrawFrame(svg, panel, style);
  const std::string key =
      std::string("sbc_p_") + kInputNames[k] + "_" + data.report->parameters[parameter];
  if (const ReportNumber* p = FindNumber(data.report->numbers, key)) {
    svg.Text({box.left + box.width / 2, box.bottom() + 14},
             "p = " + (std::isnan(p->value) ? std::string("-") : fmt::format("{:.3f}", p->value)),
             {.size = 10, .anchor = Anchor::kMiddle, .ink = Ink::kMuted});
  }
}

double HighestBin(const FigureData& data) {
  double highest = 2;
  for (std::size_t k = 0; k < kInputs; ++k) {
    if (!data.sbc_ranks[k]) continue;
    const double most = HighestRank(data, k);
    for (std::size_t i = 0; i < data.dimension(); ++i) {
      const Histogram histogram = RankHistogram(data.sbc_ranks[k]->Column(i), most);
      highest = std::max({highest, 1 + histogram.band,
                          *std::max_element(histogram.heights.begin(), histogram.heights.end())});
    }
  }
  return highest * 1.05;
}

bool HasOtherRun(const FigureData& data) {
  return !data.other_levels[0].empty() || !data.other_levels[1].empty();
}

void AddSeries(const FigureData& data, std::size_t k, const std::optional<Matrix>& ranks,
               const std::vector<double>& levels, const std::vector<double>& tarp, bool other,
               std::vector<CalibrationSeries>& series) {
  if (!ranks || levels.empty() || tarp.empty()) return;
  const std::string title = kInputTitles[k] + std::string(other ? ", another run" : "");
  const Stroke stroke{kInputInk[k], other ? 1.5 : 2, 1, other ? "5 3" : ""};
  series.push_back(
      {title, stroke, data.dimension(), ranks->values, HighestRank(data, k), levels, tarp});
}

std::vector<CalibrationSeries> AllSeries(const FigureData& data) {
  std::vector<CalibrationSeries> series;
  for (std::size_t k = 0; k < kInputs; ++k) {
    AddSeries(data, k, data.sbc_ranks[k], data.levels[k], data.tarp[k], false, series);
    AddSeries(data, k, data.other_ranks[k], data.other_levels[k], data.other_tarp[k], true, series);
  }
  return series;
}

// Both models are tested on nearly the same number of rows: one band serves both.
std::vector<BandPoint> BandOf(const FigureData& data) {
  std::vector<BandPoint> band;
  for (const std::optional<Matrix>& points : data.band) {
    if (!points || !band.empty()) continue;
    for (std::size_t i = 0; i < points->rows; ++i) {
      const auto row = points->Row(i);
      band.push_back({row[0], row[1], row[2]});
    }
  }
  return band;
}

}  // namespace

std::optional<Figure> DrawRanks(const FigureData& data) {
  if (!data.sbc_ranks[0] && !data.sbc_ranks[1]) return std::nullopt;
  const std::size_t d = data.dimension();
  const double pitch = 846.0 / static_cast<double>(d);
  Svg svg("figure-sbc", 920, 352, "Simulation-based calibration");
  const double highest = HighestBin(data);
  std::size_t n = 0;
  for (std::size_t i = 0; i < d; ++i) {
    const double left = 60 + pitch * static_cast<double>(i);
    svg.Text({left + (pitch - 12) / 2, 28}, data.report->parameter_labels[i],
             {.size = 13, .anchor = Anchor::kMiddle, .math = true});
    for (std::size_t k = 0; k < kInputs; ++k) {
      if (!data.sbc_ranks[k]) continue;
      n = data.sbc_ranks[k]->rows;
      DrawRankPanel(svg, data, {left, 40 + 146 * static_cast<double>(k), pitch - 12, 118}, k, i,
                    HighestRank(data, k), highest, i == 0);
    }
  }
  svg.Text({60 + 846.0 / 2, 342}, "rank of the true code among posterior draws, from 0 to all",
           {.size = 12, .anchor = Anchor::kMiddle});
  return Figure{std::move(svg), "Simulation-based calibration",
                "The paper reports that its posteriors are biased and miscalibrated.",
                fmt::format("Ranks of the true code for {} held-out experiments of the constrained "
                            "prior. Flat is calibrated; the grey band holds 95 % of the bins "
                            "then. A hump means too broad, a bowl too narrow, a slope biased.",
                            FormatCount(static_cast<double>(n)))};
}

std::optional<Figure> DrawRankBand(const FigureData& data) {
  const std::vector<CalibrationSeries> series = AllSeries(data);
  if (series.empty()) return std::nullopt;
  std::string here =
      "Share of ranks below each place, minus the place. Calibrated curves stay in the grey band, "
      "which holds the whole of a curve with 95 % probability.";
  for (std::size_t k = 0; k < kInputs; ++k) {
    std::size_t outside = 0, all = 0;
    for (const std::string& parameter : data.report->parameters) {
      const ReportNumber* p = FindNumber(data.report->numbers,
                                         std::string("band_p_") + kInputNames[k] + "_" + parameter);
      if (!p) continue;
      ++all;
      outside += p->value <= 0.05;
    }
    if (all > 0) here += fmt::format(" {}: {} of {} leave it.", kInputTitles[k], outside, all);
  }
  if (HasOtherRun(data)) {
    here += " Dashed: the same models on the same parameter sets in another hardware run.";
  }
  return Figure{DrawRankCurves("figure-ranks", series, BandOf(data), data.report->parameter_labels),
                "Ranks and their joint band",
                "The paper reports that its posteriors are biased and miscalibrated.", here};
}

std::optional<Figure> DrawCoverage(const FigureData& data) {
  const std::vector<CalibrationSeries> series = AllSeries(data);
  if (series.empty()) return std::nullopt;
  std::string here =
      "On the dashed diagonal is calibrated; below it the posterior is too narrow. Left: "
      "highest-density regions. Right: balls around random references that depend on the "
      "observation (TARP), which also see bias and a posterior that ignores it.";
  for (std::size_t k = 0; k < kInputs; ++k) {
    const ReportNumber* at90 =
        FindNumber(data.report->numbers, std::string("coverage_90_") + kInputNames[k]);
    const ReportNumber* atc =
        FindNumber(data.report->numbers, std::string("atc_") + kInputNames[k]);
    if (!at90 || !atc) continue;
    here += fmt::format(" {}: 90 % regions hold {}, area to TARP's curve {:+.3f}.", kInputTitles[k],
                        FormatNumber(*at90), atc->value);
  }
  return Figure{DrawCoverageCurves("figure-coverage", series, BandOf(data)),
                "Coverage of credible regions",
                "The paper reports that its posteriors are miscalibrated.", here};
}

}  // namespace inferon::report
