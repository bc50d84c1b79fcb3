// Columns of a table and their units: `time_ms`, `voltage_mV`, `current_pA`, `skip`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace inferon {

enum class Signal { kTime, kVoltage, kCurrent, kSkip };

struct ColumnUnit {
  Signal signal = Signal::kSkip;
  double scale = 1;  // To ms, mV or pA.
};

// Columns of a table in order. Exactly one time, one voltage, at most one current.
using Columns = std::vector<ColumnUnit>;

// Reads names like "time_s", "voltage (mV)", "i_pA", "skip". A name without unit takes it from
// `units`, which are given in the order of the columns that are not skipped ("ms,mV,pA"; empty:
// none). Refuses unknown names, missing and doubled columns and units that do not fit, never
// guessing.
Result<Columns> ParseColumns(std::span<const std::string_view> names, std::string_view units);

// Factor to ms, mV or pA: s, ms, us; V, mV, uV; A, mA, uA, nA, pA, also written out ("volts",
// "amperes"). Upper and lower case are one: no unit here begins with mega.
std::optional<double> UnitScale(Signal signal, std::string_view unit);

// Splits at a separator, or, where that is a blank, at blanks and tabs; trims blanks.
std::vector<std::string_view> SplitFields(std::string_view line, char separator);
// ';' or ',' where the line has one, ' ' for blanks and tabs. A comma that is a decimal mark
// separates nothing.
char FindSeparator(std::string_view line, bool decimal_comma = false);

}  // namespace inferon
