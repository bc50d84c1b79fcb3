// Numbers as people read them.
#pragma once

#include <string>

#include "client/report/report.h"

namespace inferon::report {

// "50 000": thin groups of three digits; for whole numbers.
std::string FormatCount(double value);

// A value of a unit: shares as percent ("2.04 %"), experiments and codes whole, seconds as
// "12 min 05 s" from a minute on, else about four significant digits. "-" for NaN.
std::string FormatValue(double value, const std::string& unit);

// "2.04 % (1.92 to 2.17 %)": with the interval where there is one.
std::string FormatNumber(const ReportNumber& number);
// The interval alone, "1.92 to 2.17 %"; empty where there is none.
std::string FormatInterval(const ReportNumber& number);

}  // namespace inferon::report
