// Figure 2b: the trace of the most probable draw of each estimator over the target's.
#include <fmt/format.h>

#include "client/report/figures.h"

namespace inferon::report {

Figure DrawFigure2b(const FigureData& data) {
  Svg svg("figure-2b", 900, 440, "Traces of the most probable draws over the target");
  const Axis voltage = AxisAround({data.target_trace, data.map_trace[0], data.map_trace[1]}, 0.05);
  DrawLegend(svg, {70, 22},
             std::vector<LegendEntry>{{"target", {Ink::kTarget, 1.5}},
                                      {kInputTitles[0], {Ink::kFeatures, 2}},
                                      {kInputTitles[1], {Ink::kSummary, 2}}});
  for (std::size_t k = 0; k < kInputs; ++k) {
    const std::vector<Trace> traces{{data.target_trace, {Ink::kTarget, 1}},
                                    {data.map_trace[k], {kInputInk[k], 1.3}}};
    DrawTraces(svg, data, {70, 36 + 180 * static_cast<double>(k), 810, 166}, voltage, traces,
               k + 1 == kInputs, true);
  }
  return {std::move(svg), "Figure 2b. Most probable of the draws over the target",
          "The most probable of 1000 draws of either estimator follows the target's trace.",
          fmt::format("Root mean squared difference to the target: {:.1f} counts (12 features), "
                      "{:.1f} counts (summary network).",
                      RootMeanSquare(data.map_trace[0], data.target_trace),
                      RootMeanSquare(data.map_trace[1], data.target_trace))};
}

}  // namespace inferon::report
