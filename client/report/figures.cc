#include "client/report/figures.h"

namespace inferon::report {

void DrawTraces(Svg& svg, const FigureData& data, const Box& box, const Axis& voltage,
                std::span<const Trace> traces, bool time_axis, bool voltage_axis) {
  const Protocol& protocol = data.report->protocol;
  const Panel panel{box, {0, protocol.duration_us}, voltage};
  for (const CurrentStep& step : protocol.steps) {
    DrawBand(svg, panel, step.start_us, step.stop_us, {Ink::kGrid, 0.55});
  }
  const std::vector<double> times = data.Times();
  for (const Trace& trace : traces) DrawLine(svg, panel, times, trace.values, trace.stroke);
  FrameStyle style;
  style.grid = false;
  style.x_ticks = RoundTicks(0, protocol.duration_us, box.width > 500 ? 7 : 4);
  style.x_numbers = time_axis;
  if (time_axis) style.x_label = {"time on the chip (µs)"};
  style.y_ticks = RoundTicks(voltage.low, voltage.high, box.height > 150 ? 5 : 3);
  style.y_numbers = voltage_axis;
  if (voltage_axis) style.y_label = {box.height > 105 ? "V (MADC counts)" : "V (counts)"};
  style.y_label_offset = 42;
  DrawFrame(svg, panel, style);
}

std::vector<Figure> DrawFigures(const FigureData& data) {
  std::vector<Figure> figures;
  figures.push_back(DrawFigure1a(data));
  figures.push_back(DrawFigure1b(data));
  figures.push_back(DrawFigure2a(data));
  figures.push_back(DrawFigure2b(data));
  figures.push_back(DrawFigure3(data));
  figures.push_back(DrawFigure4(data));
  for (auto draw : {DrawTraining, DrawRanks, DrawRankBand, DrawCoverage}) {
    if (std::optional<Figure> figure = draw(data)) figures.push_back(std::move(*figure));
  }
  return figures;
}

}  // namespace inferon::report
