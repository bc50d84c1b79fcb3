// The page's section on calibration: verdicts in words and the tests behind them.
#pragma once

#include <string>

#include "client/report/figure_data.h"

namespace inferon::report {

// HTML; empty where the report has no tests.
std::string CalibrationTable(const FigureData& data);

}  // namespace inferon::report
