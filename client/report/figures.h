// The figures of the report, one function each: data in, picture and caption out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/report/figure_data.h"
#include "common/figures/plot.h"
#include "common/figures/svg.h"

namespace inferon::report {

struct Figure {
  Svg svg;            // Its id is also the file's name: "figure-2a".
  std::string title;  // "Figure 2a. Both posteriors of the target".
  std::string paper;  // What the paper shows; empty for figures of our own.
  std::string here;   // What is seen here, from the data.
};

Figure DrawFigure1a(const FigureData& data);
Figure DrawFigure1b(const FigureData& data);
Figure DrawFigure2a(const FigureData& data);
Figure DrawFigure2b(const FigureData& data);
Figure DrawFigure3(const FigureData& data);
Figure DrawFigure4(const FigureData& data);
// Without their arrays there is no figure.
std::optional<Figure> DrawTraining(const FigureData& data);
std::optional<Figure> DrawRanks(const FigureData& data);
std::optional<Figure> DrawRankBand(const FigureData& data);
std::optional<Figure> DrawCoverage(const FigureData& data);

// All that the data allows, in the order of the page.
std::vector<Figure> DrawFigures(const FigureData& data);

// Shared by the figures of traces.
inline constexpr Ink kInputInk[] = {Ink::kFeatures, Ink::kSummary};

struct Trace {
  std::span<const double> values;  // [T] counts.
  Stroke stroke;
};
// A panel of traces over time with the stimulus shaded; `voltage` is its y axis. Numbers
// and label of the x axis only where `time_axis` is set, of the y axis only where `voltage_axis`.
void DrawTraces(Svg& svg, const FigureData& data, const Box& box, const Axis& voltage,
                std::span<const Trace> traces, bool time_axis, bool voltage_axis);

}  // namespace inferon::report
