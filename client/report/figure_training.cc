// Loss curves of both estimators.
#include <fmt/format.h>

#include <algorithm>

#include "client/report/figures.h"
#include "client/report/format.h"

namespace inferon::report {

std::optional<Figure> DrawTraining(const FigureData& data) {
  if (!data.losses[0] && !data.losses[1]) return std::nullopt;
  Svg svg("figure-training", 900, 330, "Loss during training");
  DrawLegend(svg, {70, 22},
             std::vector<LegendEntry>{{"training pairs", {Ink::kMuted, 1.6, 1, "5 3"}},
                                      {"held-out pairs", {Ink::kText, 2}}});
  std::string here;
  for (std::size_t k = 0; k < kInputs; ++k) {
    if (!data.losses[k]) continue;
    const Matrix& loss = *data.losses[k];
    std::vector<double> epochs(loss.rows);
    for (std::size_t i = 0; i < loss.rows; ++i) epochs[i] = static_cast<double>(i + 1);
    const std::vector<double> held_out = loss.Column(1);
    const double last = std::max(static_cast<double>(loss.rows), 2.0);
    const Panel panel{
        {k == 0 ? 70.0 : 520.0, 56, 360, 218}, {1, last}, AxisAround({loss.values}, 0.06)};
    FrameStyle style;
    const bool density = data.report->density_losses[k];
    style.x_label = {"epoch (members of an ensemble one after another)"};
    style.x_ticks = RoundTicks(1, last, static_cast<int>(std::min(last - 1, 6.0)));
    std::erase_if(style.x_ticks, [](const Tick& t) { return t.value != std::round(t.value); });
    style.y_ticks = RoundTicks(panel.y.low, panel.y.high, 5);
    if (k == 0 || density != data.report->density_losses[0]) {
      style.y_label = {density ? "negative log density (nats)" : "squared error"};
    }
    DrawFrame(svg, panel, style);
    DrawLine(svg, panel, epochs, loss.Column(0), {kInputInk[k], 1.6, 1, "5 3"});
    DrawLine(svg, panel, epochs, held_out, {kInputInk[k], 2});
    svg.Text({panel.box.left + 180, 48}, kInputTitles[k],
             {.size = 12, .anchor = Anchor::kMiddle, .ink = kInputInk[k], .bold = true});
    const auto best = std::min_element(held_out.begin(), held_out.end());
    here +=
        fmt::format("{}{}: lowest held-out loss {} after epoch {} of {}.", here.empty() ? "" : " ",
                    kInputTitles[k], FormatValue(*best, density ? "nats" : ""),
                    best - held_out.begin() + 1, loss.rows);
  }
  return Figure{std::move(svg), "Training of both estimators", "", here};
}

}  // namespace inferon::report
