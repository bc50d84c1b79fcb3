#include "common/recordings/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace inferon {
namespace {

constexpr std::string_view kAdvice =
    "Declare the columns with --columns, for example --columns time_ms,voltage_mV or --columns "
    "time_s,current_pA,voltage_mV (skip leaves a column out)";

struct NamedUnit {
  std::string_view name;
  Signal signal;
  double scale;
};

constexpr std::array kUnits{
    NamedUnit{"s", Signal::kTime, 1e3},          NamedUnit{"sec", Signal::kTime, 1e3},
    NamedUnit{"seconds", Signal::kTime, 1e3},    NamedUnit{"ms", Signal::kTime, 1},
    NamedUnit{"msec", Signal::kTime, 1},         NamedUnit{"us", Signal::kTime, 1e-3},
    NamedUnit{"µs", Signal::kTime, 1e-3},        NamedUnit{"v", Signal::kVoltage, 1e3},
    NamedUnit{"volt", Signal::kVoltage, 1e3},    NamedUnit{"volts", Signal::kVoltage, 1e3},
    NamedUnit{"mv", Signal::kVoltage, 1},        NamedUnit{"millivolts", Signal::kVoltage, 1},
    NamedUnit{"uv", Signal::kVoltage, 1e-3},     NamedUnit{"a", Signal::kCurrent, 1e12},
    NamedUnit{"amp", Signal::kCurrent, 1e12},    NamedUnit{"amps", Signal::kCurrent, 1e12},
    NamedUnit{"ampere", Signal::kCurrent, 1e12}, NamedUnit{"amperes", Signal::kCurrent, 1e12},
    NamedUnit{"ma", Signal::kCurrent, 1e9},      NamedUnit{"ua", Signal::kCurrent, 1e6},
    NamedUnit{"µa", Signal::kCurrent, 1e6},      NamedUnit{"na", Signal::kCurrent, 1e3},
    NamedUnit{"pa", Signal::kCurrent, 1},        NamedUnit{"picoamperes", Signal::kCurrent, 1},
};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string_view Trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<Signal> SignalOf(const std::string& name) {
  if (name == "time" || name == "t") return Signal::kTime;
  if (name == "voltage" || name == "v" || name == "vm") return Signal::kVoltage;
  if (name == "current" || name == "i") return Signal::kCurrent;
  if (name == "skip") return Signal::kSkip;
  return std::nullopt;
}

// "voltage_mV", "voltage (mV)", "voltage [mV]" and "voltage/mV" as name and unit.
std::pair<std::string, std::string> SplitUnit(std::string_view column) {
  const std::size_t at = column.find_first_of("_([/");
  std::string_view unit = at == std::string_view::npos ? "" : Trim(column.substr(at + 1));
  if (unit.ends_with(')') || unit.ends_with(']')) unit.remove_suffix(1);
  return {Lower(Trim(column.substr(0, at))), std::string(Trim(unit))};
}

Status CheckOnce(const Columns& columns) {
  const auto count = [&](Signal signal) {
    return std::count_if(columns.begin(), columns.end(),
                         [&](const ColumnUnit& column) { return column.signal == signal; });
  };
  if (count(Signal::kTime) != 1 || count(Signal::kVoltage) != 1 || count(Signal::kCurrent) > 1) {
    return InvalidArgument(
        "a recording has one column of time, one of voltage and at most one of "
        "current",
        std::string(kAdvice));
  }
  return {};
}

}  // namespace

std::optional<double> UnitScale(Signal signal, std::string_view unit) {
  const std::string lower = Lower(Trim(unit));
  for (const NamedUnit& known : kUnits) {
    if (known.signal == signal && known.name == lower) return known.scale;
  }
  return std::nullopt;
}

char FindSeparator(std::string_view line, bool decimal_comma) {
  if (line.find(';') != std::string_view::npos) return ';';
  if (!decimal_comma && line.find(',') != std::string_view::npos) return ',';
  return ' ';
}

std::vector<std::string_view> SplitFields(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  if (separator != ' ') {
    for (;;) {
      const std::size_t end = line.find(separator);
      fields.push_back(Trim(line.substr(0, end)));
      if (end == std::string_view::npos) return fields;
      line.remove_prefix(end + 1);
    }
  }
  for (line = Trim(line); !line.empty(); line = Trim(line)) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return fields;
}

Result<Columns> ParseColumns(std::span<const std::string_view> names, std::string_view units) {
  std::vector<std::string_view> given;
  if (!Trim(units).empty()) given = SplitFields(units, FindSeparator(units));
  Columns columns;
  std::size_t next_unit = 0;
  for (const std::string_view name : names) {
    const auto [signal_name, own_unit] = SplitUnit(name);
    const std::optional<Signal> signal = SignalOf(signal_name);
    if (!signal) {
      return InvalidArgument(fmt::format("'{:.40}' is no column of a recording", name),
                             std::string(kAdvice));
    }
    if (*signal == Signal::kSkip) {
      columns.push_back({});
      continue;
    }
    std::string unit = own_unit;
    if (next_unit < given.size()) {
      if (unit.empty()) unit = std::string(given[next_unit]);
      ++next_unit;
    }
    if (unit.empty()) {
      return InvalidArgument(fmt::format("the column '{:.40}' has no unit", name),
                             "Name it with its unit, for example time_ms,voltage_mV, or give the "
                             "units with --units ms,mV[,pA]");
    }
    const std::optional<double> scale = UnitScale(*signal, unit);
    if (!scale) {
      return InvalidArgument(
          fmt::format("'{:.40}' is no unit of the column '{:.40}'", unit, name),
          "Known are s, ms, us for times, V, mV, uV for voltages, A, uA, nA, pA for currents");
    }
    columns.push_back({*signal, *scale});
  }
  if (next_unit < given.size()) {
    return InvalidArgument(
        fmt::format("{} units are given for {} columns", given.size(), next_unit),
        "Give one unit a column, in their order");
  }
  if (Status once = CheckOnce(columns); !once) return tl::unexpected(once.error());
  return columns;
}

}  // namespace inferon
