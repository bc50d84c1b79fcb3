#include "common/recordings/text_lines.h"

namespace inferon {

bool TextLines::Next(std::string& line) {
  line.clear();
  int c = Get();
  if (c < 0) return false;
  for (; c >= 0 && c != '\n'; c = Get()) {
    if (c == '\r') {
      Skip('\n');
      break;
    }
    if (line.size() == kMaxLineBytes) return too_long_ = true, false;
    line.push_back(static_cast<char>(c));
  }
  if (++row_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  return true;
}

int TextLines::Get() {
  if (at_ == end_) {
    text_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    end_ = static_cast<std::size_t>(text_.gcount());
    at_ = 0;
    if (end_ == 0) return -1;
  }
  return static_cast<unsigned char>(buffer_[at_++]);
}

void TextLines::Skip(char expected) {
  const int c = Get();
  if (c >= 0 && c != expected) --at_;
}

}  // namespace inferon
