// Figure 1b: the target repeated with the same parameters drifts apart by temporal noise.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "client/report/figures.h"
#include "client/report/format.h"

namespace inferon::report {
namespace {

constexpr double kWidth = 900;

// Standard deviation across trials at each point, [T].
std::vector<double> AcrossTrials(const Matrix& trials) {
  std::vector<double> deviation(trials.columns, 0.0);
  const double n = static_cast<double>(trials.rows);
  for (std::size_t j = 0; j < trials.columns; ++j) {
    const std::vector<double> column = trials.Column(j);
    const double mean = std::accumulate(column.begin(), column.end(), 0.0) / n;
    for (const double v : column) deviation[j] += (v - mean) * (v - mean);
    deviation[j] = std::sqrt(deviation[j] / std::max(n - 1, 1.0));
  }
  return deviation;
}

// Mean of the values whose time lies in [from, to).
double MeanBetween(const FigureData& data, const std::vector<double>& values, double from,
                   double to) {
  const double step = data.report->protocol.grid_step_us;
  const auto first = std::min(values.size() - 1, static_cast<std::size_t>(from / step));
  const auto last = std::clamp(static_cast<std::size_t>(to / step), first + 1, values.size());
  return std::accumulate(values.begin() + first, values.begin() + last, 0.0) /
         static_cast<double>(last - first);
}

}  // namespace

Figure DrawFigure1b(const FigureData& data) {
  Svg svg("figure-1b", kWidth, 430, "Repetitions of the target with the same parameters");
  std::vector<Trace> traces;
  for (std::size_t i = 0; i < data.target_trials.rows; ++i) {
    traces.push_back({data.target_trials.Row(i), {Ink::kConstrained, 0.9, 0.45}});
  }
  traces.push_back({data.target_trace, {Ink::kTarget, 1.3}});
  DrawLegend(svg, {70, 22},
             std::vector<LegendEntry>{
                 {fmt::format("{} repetitions", data.target_trials.rows), {Ink::kConstrained, 1.5}},
                 {"target", {Ink::kTarget, 1.5}}});
  const Axis voltage = AxisAround({data.target_trials.values, data.target_trace}, 0.05);
  DrawTraces(svg, data, {70, 36, kWidth - 90, 210}, voltage, traces, false, true);

  const std::vector<double> deviation = AcrossTrials(data.target_trials);
  const Protocol& protocol = data.report->protocol;
  const Panel panel{{70, 272, kWidth - 90, 104},
                    {0, protocol.duration_us},
                    {0, std::max(AxisAround({deviation}, 0.06).high, 1.0)}};
  for (const CurrentStep& step : protocol.steps) {
    DrawBand(svg, panel, step.start_us, step.stop_us, {Ink::kGrid, 0.55});
  }
  DrawLine(svg, panel, data.Times(), deviation, {Ink::kConstrained, 1.1});
  FrameStyle style;
  style.grid = false;
  style.x_ticks = RoundTicks(0, protocol.duration_us, 7);
  style.x_label = {"time on the chip (µs)"};
  style.y_ticks = RoundTicks(0, panel.y.high, 3);
  style.y_label = {"SD (counts)"};
  style.y_label_offset = 42;
  DrawFrame(svg, panel, style);

  const double start = protocol.StimulusStart(), stop = protocol.StimulusStop();
  const double fifth = (stop - start) / 5;
  return {std::move(svg), "Figure 1b. Trial-to-trial variation of the target",
          "Traces of the same parameter set agree at first and drift apart by temporal noise.",
          fmt::format("Standard deviation across {} repetitions: {:.1f} counts in the first fifth "
                      "of the stimulus, {:.1f} counts in the last.",
                      data.target_trials.rows, MeanBetween(data, deviation, start, start + fifth),
                      MeanBetween(data, deviation, stop - fifth, stop))};
}

}  // namespace inferon::report
