#include "client/cli/recording_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/cli/recording_view.h"
#include "common/base/files.h"
#include "common/figures/convert_png.h"
#include "common/figures/plot.h"

namespace inferon::cli {
namespace {

using report::Axis;
using report::Box;
using report::Ink;
using report::Panel;
using report::Svg;

constexpr double kWidth = 900, kLeft = 70, kRight = 20;
constexpr double kBandOpacity = 0.3;

struct Curve {
  std::vector<double> x, y;
};

// Lowest and highest point of each pixel column, in order of time: looks as all points would.
Curve Thin(const std::vector<double>& time, const std::vector<double>& values,
           std::size_t columns) {
  Curve curve;
  const std::size_t n = values.size();
  const std::size_t per_column = std::max<std::size_t>(1, n / columns);
  for (std::size_t begin = 0; begin < n; begin += per_column) {
    const std::size_t end = std::min(n, begin + per_column);
    std::size_t low = n, high = n;
    for (std::size_t k = begin; k < end; ++k) {
      if (!std::isfinite(values[k])) continue;
      if (low == n || values[k] < values[low]) low = k;
      if (high == n || values[k] > values[high]) high = k;
    }
    if (low == n) continue;
    for (const std::size_t k : {std::min(low, high), std::max(low, high)}) {
      curve.x.push_back(time[k]), curve.y.push_back(values[k]);
    }
  }
  return curve;
}

Panel MakePanel(const Box& box, const Recording& recording, const Curve& curve) {
  return {box,
          {recording.time_ms.front(), recording.time_ms.back()},
          report::AxisAround({curve.y}, 0.06)};
}

void DrawPanel(Svg& svg, const Panel& panel, const Curve& curve, const Sweep& sweep,
               const std::string& label, bool numbers) {
  if (sweep.step) {
    report::DrawBand(svg, panel, sweep.step->start_ms, sweep.step->stop_ms,
                     {Ink::kBand, kBandOpacity});
  }
  report::FrameStyle style;
  style.y_label = {label};
  style.x_ticks = report::RoundTicks(panel.x.low, panel.x.high, 8);
  style.y_ticks = report::RoundTicks(panel.y.low, panel.y.high, panel.box.height > 150 ? 6 : 3);
  style.x_numbers = numbers;
  if (numbers) style.x_label = {"time (ms)"};
  report::DrawFrame(svg, panel, style);
  report::DrawLine(svg, panel, curve.x, curve.y, {Ink::kTarget, 1});
}

}  // namespace

Status PlotSweep(const std::string& file, const Sweep& sweep, const RecordingFeatures& features,
                 const std::filesystem::path& out) {
  const bool png = out.extension() == ".png";
  if (!png && out.extension() != ".svg") {
    return InvalidArgument(fmt::format("'{}' ends neither in .svg nor in .png", out.string()),
                           "Give --out a name with one of these endings");
  }
  const Recording& recording = sweep.recording;
  const bool with_current = std::any_of(recording.current_pa.begin(), recording.current_pa.end(),
                                        [](double c) { return std::isfinite(c); });
  Svg svg("recording", kWidth, with_current ? 500 : 380, "Recorded sweep");
  const double inner = kWidth - kLeft - kRight;
  const auto columns = static_cast<std::size_t>(inner);
  const std::string name = std::filesystem::path(file).filename().string();
  const std::string title = name == sweep.info.name ? name : name + ", " + sweep.info.name;
  svg.Text({kLeft, 22}, title, {.size = 14, .bold = true});
  svg.Text(
      {kLeft, 40},
      sweep.step
          ? fmt::format("step {}; {} spikes in it, {} outside", DescribeStep(sweep),
                        features.spikes.size(), features.before.size() + features.after.size())
          : fmt::format("step not known; {} spikes in the whole recording", features.spikes.size()),
      {.size = 12, .ink = Ink::kMuted});
  const Curve voltage = Thin(recording.time_ms, recording.voltage_mv, columns);
  const Panel panel = MakePanel({kLeft, 54, inner, 270}, recording, voltage);
  DrawPanel(svg, panel, voltage, sweep, "voltage (mV)", !with_current);
  for (const SpikePoints& spike : features.spikes) {
    svg.Circle(panel.At(recording.time_ms[spike.peak], recording.voltage_mv[spike.peak]), 2.5,
               {Ink::kSummary, 1});
    svg.Circle(panel.At(recording.time_ms[spike.threshold], recording.voltage_mv[spike.threshold]),
               2.5, {Ink::kFeatures, 1});
  }
  if (with_current) {
    const Curve current = Thin(recording.time_ms, recording.current_pa, columns);
    DrawPanel(svg, MakePanel({kLeft, 344, inner, 100}, recording, current), current, sweep,
              "current (pA)", true);
  }
  if (!features.spikes.empty()) {
    report::DrawLegend(svg, {kWidth - 190, 22},
                       std::vector<report::LegendEntry>{{"peak", {Ink::kSummary, 3}},
                                                        {"threshold", {Ink::kFeatures, 3}}});
  }
  if (!png) {
    WriteFileAtomically(out, svg.Document());
    return {};
  }
  const TemporaryFolder folder;
  const std::filesystem::path drawn = folder.path() / "recording.svg";
  WriteFileAtomically(drawn, svg.Document());
  return report::ConvertToPng("rsvg-convert", drawn, out);
}

}  // namespace inferon::cli
