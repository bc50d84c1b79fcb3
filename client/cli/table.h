// Tables for people: columns aligned by display width.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace inferon::cli {

struct Column {
  std::string title;
  bool right = false;  // Numbers to the right, text to the left.
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // Each as long as columns.
};

// Cells that a UTF-8 text takes on a terminal; combining marks take none, wide characters two.
int DisplayWidth(std::string_view text);

// Header line, then one line a row, two spaces between columns, no trailing spaces.
std::string RenderTable(const Table& table);

}  // namespace inferon::cli
