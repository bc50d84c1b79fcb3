#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>

#include "common/tables/table_reader.h"

namespace inferon {
namespace {

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\"");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\"") - first + 1);
}

// Splits at commas; the views are into the line.
std::vector<std::string_view> Cells(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const auto comma = line.find(',');
    cells.push_back(Trim(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::optional<double> Number(std::string_view cell) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (cell.front() == '+') cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (end != cell.data() + cell.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    return std::numeric_limits<double>::infinity();  // Also for a number next to 0: refused later.
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

class CsvReader : public TableReader {
 public:
  explicit CsvReader(const std::filesystem::path& path)
      : name_(path.string()), stream_(path, std::ios::binary) {}

  // Reads up to the first row.
  Status Start() {
    const auto line = NextLine();
    if (!line) return tl::unexpected(line.error());
    if (!*line) {
      return InvalidArgument(fmt::format("{} holds no row of numbers", name_),
                             "Give one row of numbers a line");
    }
    const auto cells = Cells(line_);
    if (cells.size() > kMaxTableColumns) {
      return InvalidArgument(fmt::format("{} has {} columns", name_, cells.size()),
                             fmt::format("Give at most {}", kMaxTableColumns));
    }
    columns_ = cells.size();
    for (const std::string_view cell : cells) {
      if (!Number(cell)) return TakeHeader(cells);
    }
    pending_ = true;
    return {};
  }

  std::uint64_t columns() const override { return columns_; }
  std::optional<std::uint64_t> rows() const override { return std::nullopt; }
  const std::vector<std::string>& names() const override { return names_; }

  Result<std::uint64_t> Read(std::uint64_t most, std::vector<double>* values) override {
    values->clear();
    std::uint64_t rows = 0;
    for (; rows < most; ++rows) {
      if (!pending_) {
        const auto more = NextLine();
        if (!more) return tl::unexpected(more.error());
        if (!*more) break;
      }
      pending_ = false;
      if (Status ok = AppendRow(values); !ok) return tl::unexpected(ok.error());
    }
    return rows;
  }

 private:
  Status TakeHeader(const std::vector<std::string_view>& cells) {
    names_.assign(cells.begin(), cells.end());
    return {};
  }

  // The next line with content into line_; false at the end.
  Result<bool> NextLine() {
    for (;;) {
      line_.clear();
      // Character by character up to the limit: a file without line ends must not fill memory.
      for (int c = stream_.get(); c != std::ifstream::traits_type::eof() && c != '\n';
           c = stream_.get()) {
        line_ += static_cast<char>(c);
        if (line_.size() > kMaxCsvLine) {
          return InvalidArgument(
              fmt::format("line {} of {} is longer than {} bytes", number_ + 1, name_, kMaxCsvLine),
              "Check that it is a CSV file; give wide tables as NPY");
        }
      }
      if (stream_.bad()) {
        return Fail(ErrorCode::kInternal, fmt::format("reading {} failed", name_),
                    "Check the disk");
      }
      if (line_.empty() && stream_.eof()) return false;
      ++number_;
      if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
      const std::string_view text = Trim(line_);
      if (!text.empty() && text.front() != '#') return true;
    }
  }

  Status AppendRow(std::vector<double>* values) {
    const auto cells = Cells(line_);
    if (cells.size() != columns_) {
      return InvalidArgument(fmt::format("line {} of {} has {} values instead of {}", number_,
                                         name_, cells.size(), columns_),
                             "Give every row the same number of values");
    }
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const auto value = Number(cells[c]);
      if (!value) {
        return InvalidArgument(fmt::format("'{}' in line {}, column {} of {} is not a number",
                                           cells[c].substr(0, 40), number_, c + 1, name_),
                               "Write numbers with a decimal point, nan for a missing value");
      }
      values->push_back(*value);
    }
    return {};
  }

  const std::string name_;
  std::ifstream stream_;
  std::uint64_t columns_ = 0;
  std::vector<std::string> names_;
  std::string line_;
  std::uint64_t number_ = 0;  // Of line_, from 1.
  bool pending_ = false;      // line_ is a row that has not been read.
};

}  // namespace

Result<std::unique_ptr<TableReader>> OpenCsv(const std::filesystem::path& path) {
  auto reader = std::make_unique<CsvReader>(path);
  if (Status ok = reader->Start(); !ok) return tl::unexpected(ok.error());
  return reader;
}

}  // namespace inferon
