// Lines of a text, one after the other in bounded memory.
#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace inferon {

// Longest line of a table, bytes.
inline constexpr std::size_t kMaxLineBytes = 4096;

// Lines may end as on any system ("\n", "\r\n", "\r"); a byte order mark of UTF-8 is left out.
class TextLines {
 public:
  explicit TextLines(std::istream& text) : text_(text) {}

  // The next line without its end; false at the end. A line longer than kMaxLineBytes ends the
  // lines, too (TooLong()).
  bool Next(std::string& line);
  bool TooLong() const { return too_long_; }
  // Of the line that came last, counted from 1.
  std::size_t row() const { return row_; }

 private:
  int Get();
  void Skip(char expected);

  std::istream& text_;
  std::string buffer_ = std::string(std::size_t{1} << 16, '\0');
  std::size_t at_ = 0, end_ = 0, row_ = 0;
  bool too_long_ = false;
};

}  // namespace inferon
