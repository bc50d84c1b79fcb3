// The report as one self-contained HTML page.
#pragma once

#include <string>
#include <vector>

#include "client/report/figure_data.h"
#include "client/report/figures.h"

namespace inferon::report {

// No script, no network, no file beside it: figures are inline SVG. Readable on a light and on a
// dark screen and on paper.
std::string RenderPage(const FigureData& data, const std::vector<Figure>& figures);

}  // namespace inferon::report
