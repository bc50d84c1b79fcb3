#include "client/library/codes_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "common/base/files.h"

namespace inferon::client {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\"");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\"") - first + 1);
}

std::vector<std::string_view> Cells(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const auto comma = line.find(',');
    cells.push_back(Trim(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

// For each column of the file, its place in `names`.
Result<std::vector<std::size_t>> Order(const std::vector<std::string_view>& header,
                                       const std::string& file,
                                       const std::vector<std::string>& names) {
  const std::string advice = fmt::format("Its first line must name {}", fmt::join(names, ", "));
  std::vector<std::size_t> order;
  for (const std::string_view name : header) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      return InvalidArgument(
          fmt::format("'{}' in the first line of {} is not a free parameter", name, file), advice);
    }
    const auto place = static_cast<std::size_t>(found - names.begin());
    if (std::find(order.begin(), order.end(), place) != order.end()) {
      return InvalidArgument(fmt::format("{} names '{}' twice", file, name), advice);
    }
    order.push_back(place);
  }
  for (std::size_t place = 0; place < names.size(); ++place) {
    if (std::find(order.begin(), order.end(), place) == order.end()) {
      return InvalidArgument(fmt::format("{} has no column '{}'", file, names[place]), advice);
    }
  }
  return order;
}

Result<std::uint16_t> Code(std::string_view cell, const std::string& place) {
  int code = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), code);
  if (error != std::errc() || end != cell.data() + cell.size()) {
    return InvalidArgument(fmt::format("'{}' {} is not a whole number", cell, place),
                           "Give DAC codes from 0 to 1022");
  }
  if (code < 0 || code > kMaxCode) {
    return InvalidArgument(fmt::format("code {} {} is outside 0..{}", code, place, kMaxCode),
                           "Code 1023 switches a cell off; give codes from 0 to 1022");
  }
  return static_cast<std::uint16_t>(code);
}

Status AppendLine(std::string_view line, std::size_t number, const std::string& file,
                  const std::vector<std::string>& names, const std::vector<std::size_t>& order,
                  ParameterSets& sets) {
  const auto cells = Cells(line);
  if (cells.size() != order.size()) {
    return InvalidArgument(fmt::format("line {} of {} has {} values instead of {}", number, file,
                                       cells.size(), order.size()),
                           "Give one code for each column of the first line");
  }
  const std::size_t row = sets.codes.size();
  sets.codes.resize(row + order.size());
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const auto code =
        Code(cells[c], fmt::format("in line {}, column {} of {}", number, names[order[c]], file));
    if (!code) return tl::unexpected(code.error());
    sets.codes[row + order[c]] = *code;
  }
  return {};
}

}  // namespace

Result<ParameterSets> ParseCodes(std::string_view text, const std::string& file,
                                 const std::vector<std::string>& names) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // Byte-order mark.
  ParameterSets sets{.dimension = names.size(), .codes = {}};
  std::vector<std::size_t> order;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (order.empty()) {
      auto columns = Order(Cells(line), file, names);
      if (!columns) return tl::unexpected(columns.error());
      order = std::move(*columns);
    } else if (Status ok = AppendLine(line, number, file, names, order, sets); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (sets.codes.empty()) {
    return InvalidArgument(fmt::format("{} holds no parameter set", file),
                           "Give a line of parameter names and at least one line of codes");
  }
  return sets;
}

Result<ParameterSets> ReadCodesFile(const std::filesystem::path& path,
                                    const std::vector<std::string>& names) {
  const Result<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text) return tl::unexpected(text.error());
  return ParseCodes(*text, path.string(), names);
}

}  // namespace inferon::client
