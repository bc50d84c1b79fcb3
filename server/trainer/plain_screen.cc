#include "server/trainer/plain_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace inferon::trainer {
namespace {

constexpr std::chrono::seconds kInterval{10};  // Between two lines of progress.

class PlainScreen : public commands::Screen {
 public:
  PlainScreen(std::ostream& out, std::ostream& err, bool json, const Clock& clock)
      : out_(out), err_(err), json_(json), clock_(clock) {}

  void Print(const std::string& line) override {
    if (!json_) out_ << line << "\n";
  }

  void PrintTable(const std::vector<std::string>& titles,
                  const std::vector<std::vector<std::string>>& rows) override {
    if (json_) return;
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < titles.size(); ++c) {
      std::size_t width = titles[c].size();
      for (const auto& row : rows) width = std::max(width, row[c].size());
      widths.push_back(width);
    }
    std::vector<std::string> head = titles;
    for (std::string& title : head) {
      if (title.starts_with('>')) title.erase(0, 1);
    }
    PrintRow(head, titles, widths);
    for (const auto& row : rows) PrintRow(row, titles, widths);
  }

  void PrintJson(const nlohmann::json& object) override {
    if (json_) out_ << object.dump() << "\n";
  }

  void Warn(const std::string& text) override {
    err_ << "inferon-trainer: warning: " << text << ".\n";
  }

  void Progress(const std::string& title, const std::string& unit, std::uint64_t done,
                std::uint64_t total, const std::string& note) override {
    if (json_ || (shown_ && clock_.Now() - *shown_ < kInterval)) return;
    shown_ = clock_.Now();
    err_ << (total > 0 ? fmt::format("{}: {} of {} {}", title, done, total, unit)
                       : fmt::format("{}: {} {}", title, done, unit))
         << (note.empty() ? "" : ", " + note) << std::endl;
  }

  void EndProgress() override { shown_.reset(); }

 private:
  void PrintRow(const std::vector<std::string>& row, const std::vector<std::string>& titles,
                const std::vector<std::size_t>& widths) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += titles[c].starts_with('>') ? fmt::format("{:>{}}  ", row[c], widths[c])
                                         : fmt::format("{:<{}}  ", row[c], widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out_ << line << "\n";
  }

  std::ostream& out_;
  std::ostream& err_;
  const bool json_;
  const Clock& clock_;
  std::optional<SteadyTime> shown_;
};

}  // namespace

std::unique_ptr<commands::Screen> MakePlainScreen(std::ostream& out, std::ostream& err, bool json,
                                                  const Clock& clock) {
  return std::make_unique<PlainScreen>(out, err, json, clock);
}

}  // namespace inferon::trainer
