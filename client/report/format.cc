#include "client/report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace inferon::report {
namespace {

constexpr const char* kMinus = "\u2212";
constexpr const char* kThin = "\u202f";  // Narrow no-break space between groups of digits.

std::string Signed(double value, std::string magnitude) {
  const bool zero = magnitude.find_first_not_of("0.") == std::string::npos;
  return value < 0 && !zero ? kMinus + magnitude : magnitude;
}

std::string FourDigits(double value) {
  const double size = std::abs(value);
  if (size != 0 && size < 1e-3) return Signed(value, fmt::format("{:.2e}", size));
  const int whole = size < 1 ? 1 : static_cast<int>(std::floor(std::log10(size))) + 1;
  const std::string text = fmt::format("{:.{}f}", size, std::clamp(4 - whole, 0, 3));
  return size >= 1e4 ? Signed(value, FormatCount(std::round(size))) : Signed(value, text);
}

std::string Percent(double share) {
  const double percent = 100 * std::abs(share);
  return Signed(share, fmt::format("{:.{}f}", percent, percent >= 10 ? 1 : 2)) + " %";
}

std::string Duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace

std::string FormatCount(double value) {
  const std::string digits = fmt::format("{:.0f}", std::abs(value));
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits.size() > 4) text += kThin;
    text += digits[i];
  }
  return Signed(value, text);
}

std::string FormatValue(double value, const std::string& unit) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return value > 0 ? "\u221e" : "\u2212\u221e";
  if (unit == "share") return Percent(value);
  if (unit == "experiments" || unit == "epochs") return FormatCount(value) + " " + unit;
  if (unit == "seconds") return Duration(value);
  if (unit == "us") return FourDigits(value) + " µs";
  return unit.empty() ? FourDigits(value) : FourDigits(value) + " " + unit;
}

std::string FormatInterval(const ReportNumber& number) {
  if (std::isnan(number.low) && std::isnan(number.high)) return "";
  if (std::isnan(number.low)) return "at most " + FormatValue(number.high, number.unit);
  if (std::isnan(number.high)) return "at least " + FormatValue(number.low, number.unit);
  return FormatValue(number.low, number.unit) + " to " + FormatValue(number.high, number.unit);
}

std::string FormatNumber(const ReportNumber& number) {
  const std::string interval = FormatInterval(number);
  const std::string value = FormatValue(number.value, number.unit);
  return interval.empty() ? value : value + " (" + interval + ")";
}

}  // namespace inferon::report
