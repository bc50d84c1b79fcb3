// Figure 4: validation observations with the trace of the most probable draw of each estimator.
#include <fmt/format.h>

#include "client/report/figures.h"

namespace inferon::report {

Figure DrawFigure4(const FigureData& data) {
  const std::size_t count = data.validation_traces.rows;
  const std::size_t rows = (count + 1) / 2;
  Svg svg("figure-4", 920, 82 + 138 * static_cast<double>(rows),
          "Validation observations and predictive traces");
  DrawLegend(svg, {62, 22},
             std::vector<LegendEntry>{{"observation", {Ink::kTarget, 1.5}},
                                      {kInputTitles[0], {Ink::kFeatures, 2}},
                                      {kInputTitles[1], {Ink::kSummary, 2}}});
  const Axis voltage =
      AxisAround({data.validation_traces.values, data.validation_map_traces[0].values,
                  data.validation_map_traces[1].values},
                 0.05);
  std::array<std::vector<double>, kInputs> difference;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Trace> traces{{data.validation_traces.Row(i), {Ink::kTarget, 1.5, 0.8}}};
    for (std::size_t k = 0; k < kInputs; ++k) {
      const std::span<const double> predicted = data.validation_map_traces[k].Row(i);
      traces.push_back({predicted, {kInputInk[k], 1, 0.9}});
      difference[k].push_back(RootMeanSquare(predicted, data.validation_traces.Row(i)));
    }
    const bool left = i % 2 == 0;
    const Box box{left ? 62.0 : 490.0, 36 + 138 * static_cast<double>(i / 2), 414, 120};
    DrawTraces(svg, data, box, voltage, traces, i + 2 >= count, left);
    svg.Text({box.left + 8, box.top + 15}, std::string(1, static_cast<char>('a' + i % 26)),
             {.size = 12, .bold = true});
  }
  return {std::move(svg), "Figure 4. Random validation observations",
          "Eight random validation observations, some without spikes or with spikes outside the "
          "stimulus, each with the predictive trace of the most probable of 10 000 draws.",
          fmt::format("Median over the {} observations of the root mean squared difference: {:.1f} "
                      "counts (12 features), {:.1f} counts (summary network).",
                      count, *Median(difference[0]), *Median(difference[1]))};
}

}  // namespace inferon::report
