#include "client/cli/table.h"

#include <algorithm>
#include <cstdint>

#include "common/base/check.h"

namespace inferon::cli {
namespace {

// Reads one code point; a malformed byte counts as itself.
std::uint32_t NextCodePoint(std::string_view text, std::size_t& i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char first = byte(i++);
  int more = 0;
  std::uint32_t point = first;
  if (first >= 0xF0) {
    more = 3;
    point = first & 0x07u;
  } else if (first >= 0xE0) {
    more = 2;
    point = first & 0x0Fu;
  } else if (first >= 0xC0) {
    more = 1;
    point = first & 0x1Fu;
  }
  for (; more > 0 && i < text.size() && (byte(i) & 0xC0u) == 0x80u; --more) {
    point = point << 6 | (byte(i++) & 0x3Fu);
  }
  return point;
}

bool IsCombining(std::uint32_t point) {
  return (point >= 0x0300 && point <= 0x036F) || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0xFE00 && point <= 0xFE0F);
}

bool IsWide(std::uint32_t point) {
  return (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) ||
         (point >= 0xAC00 && point <= 0xD7A3) || (point >= 0xF900 && point <= 0xFAFF) ||
         (point >= 0xFE30 && point <= 0xFE6F) || (point >= 0xFF00 && point <= 0xFF60) ||
         (point >= 0x1F300 && point <= 0x1FAFF);
}

void AppendRow(const std::vector<std::string>& cells, const std::vector<Column>& columns,
               const std::vector<int>& widths, std::string& out) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const std::string padding(static_cast<std::size_t>(widths[c] - DisplayWidth(cells[c])), ' ');
    if (c > 0) line += "  ";
    line += columns[c].right ? padding + cells[c] : cells[c] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

}  // namespace

int DisplayWidth(std::string_view text) {
  int width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::uint32_t point = NextCodePoint(text, i);
    if (!IsCombining(point)) width += IsWide(point) ? 2 : 1;
  }
  return width;
}

std::string RenderTable(const Table& table) {
  std::vector<std::string> titles;
  std::vector<int> widths;
  for (const Column& column : table.columns) {
    titles.push_back(column.title);
    widths.push_back(DisplayWidth(column.title));
  }
  for (const auto& row : table.rows) {
    INFERON_CHECK(row.size() == table.columns.size());
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], DisplayWidth(row[c]));
    }
  }
  std::string out;
  AppendRow(titles, table.columns, widths, out);
  for (const auto& row : table.rows) AppendRow(row, table.columns, widths, out);
  return out;
}

}  // namespace inferon::cli
