#include "common/recordings/text_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/recordings/columns.h"
#include "common/recordings/text_lines.h"

namespace inferon {
namespace {

constexpr const char* kWriteAdvice =
    "Write a table with the header time_ms,voltage_mV[,current_pA] and one sample a row";
constexpr const char* kDeclareAdvice =
    "Declare the columns with --columns, for example --columns time_ms,voltage_mV or --columns "
    "time_s,current_pA,voltage_mV (skip leaves a column out)";

auto Refuse(std::size_t row, const std::string& what, const std::string& advice = kWriteAdvice) {
  return InvalidArgument(fmt::format("row {} of the recording {}", row, what), advice);
}

constexpr const char* kDecimalAdvice =
    "If its commas are decimal marks, add --decimal-comma (the fields are then separated by "
    "semicolons or blanks)";

bool ParseNumber(std::string_view field, bool decimal_comma, double& value) {
  std::string with_point;
  if (const std::size_t comma = field.find(','); decimal_comma && comma != field.npos) {
    if (field.find('.') != field.npos) return false;
    with_point = field;
    with_point[comma] = '.';
    field = with_point;
  }
  if (field.starts_with('+')) field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && end == field.data() + field.size();
}

std::string_view Unquoted(std::string_view field) {
  const bool quoted = field.size() >= 2 && field.starts_with('"') && field.ends_with('"');
  return quoted ? field.substr(1, field.size() - 2) : field;
}

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t") == line.npos; }

// A comment in front of the table; its header may look like one.
bool IsComment(std::string_view line) { return line.starts_with('#') || line.starts_with('%'); }

class TableReader {
 public:
  TableReader(std::istream& text, const ReadOptions& options) : lines_(text), options_(options) {}

  Result<Recording> Read() {
    if (Status begun = Begin(); !begun) return tl::unexpected(begun.error());
    std::string line;
    std::size_t blank = 0;  // The first of the blank rows before this one.
    while (!pending_.empty() || lines_.Next(line)) {
      if (!pending_.empty()) line = std::move(pending_), pending_.clear();
      if (IsBlank(line)) {
        if (blank == 0) blank = lines_.row();
        continue;
      }
      if (blank > 0) return Refuse(blank, "is blank, and rows follow it");
      if (Status row = AddRow(line); !row) return tl::unexpected(row.error());
    }
    if (lines_.TooLong()) {
      return Refuse(lines_.row() + 1, fmt::format("is longer than {} bytes", kMaxLineBytes));
    }
    if (recording_.time_ms.size() < 2) {
      return Refuse(lines_.row() + 1, "is missing: there are fewer than 2 samples");
    }
    return CheckTimes();
  }

 private:
  // Finds the columns, from the options or the header, after any comments.
  Status Begin() {
    std::string line;
    for (std::size_t passed = 0; lines_.Next(line); ++passed) {
      const bool comment = IsComment(line);
      if (!comment && !IsBlank(line)) return Header(line);
      if (comment && options_.columns.empty()) {
        if (Result<Columns> columns = ColumnsOf(line)) {
          columns_ = std::move(*columns);
          return {};
        } else {
          comment_ = fmt::format("; the comment above, '{:.60}', is no header either: {}", line,
                                 columns.error().message);
        }
      }
      if (passed == kMaxCommentLines) {
        return Refuse(lines_.row(),
                      fmt::format("is one comment too many: there are {} before the header",
                                  kMaxCommentLines),
                      "Cut the comments off");
      }
    }
    if (lines_.TooLong()) {
      return Refuse(lines_.row() + 1, fmt::format("is longer than {} bytes", kMaxLineBytes));
    }
    return Refuse(lines_.row() + 1, lines_.row() == 0 ? "is missing: the file is empty"
                                                      : "is missing: there is no header");
  }

  // Reads a line as names of columns; sets the separator.
  Result<Columns> ColumnsOf(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of("#% \t"), line.size()));
    separator_ = FindSeparator(line, options_.decimal_comma);
    // Names may hold blanks where tabs separate them.
    const bool tabs = separator_ == ' ' && line.find('\t') != line.npos;
    std::vector<std::string_view> names = SplitFields(line, tabs ? '\t' : separator_);
    std::transform(names.begin(), names.end(), names.begin(), Unquoted);
    return ParseColumns(names, options_.units);
  }

  // The first line that is no comment: names, or numbers that stay pending.
  Status Header(const std::string& line) {
    const Result<Columns> named = ColumnsOf(line);
    const std::vector<std::string_view> fields = SplitFields(line, separator_);
    const bool numbers = IsNumbers(fields);
    if (numbers) pending_ = line;
    if (!options_.columns.empty()) {
      Result<Columns> declared = ParseColumns(SplitFields(options_.columns, ','), options_.units);
      if (!declared) return tl::unexpected(declared.error());
      columns_ = std::move(*declared);
      return {};
    }
    if (numbers) {
      return Refuse(lines_.row(),
                    fmt::format("holds numbers ('{:.60}'), so nothing says what its {} columns "
                                "are and in which units{}",
                                line, fields.size(), comment_),
                    kDeclareAdvice);
    }
    if (!named) {
      return Refuse(
          lines_.row(),
          fmt::format("is '{:.60}', not a header: {}{}", line, named.error().message, comment_),
          named.error().advice);
    }
    columns_ = *named;
    return {};
  }

  bool IsNumbers(const std::vector<std::string_view>& fields) const {
    double ignored = 0;
    return !fields.empty() &&
           std::all_of(fields.begin(), fields.end(), [&](std::string_view field) {
             return ParseNumber(field, options_.decimal_comma, ignored);
           });
  }

  Error NoNumber(std::size_t row, std::string_view field) const {
    double ignored = 0;
    const bool comma = !options_.decimal_comma && ParseNumber(field, true, ignored);
    return Refuse(row, fmt::format("holds something that is no number: '{:.40}'", field),
                  comma ? kDecimalAdvice : kWriteAdvice)
        .value();
  }

  Status AddRow(std::string_view line) {
    const std::size_t row = lines_.row();
    const std::vector<std::string_view> fields = SplitFields(line, separator_);
    if (fields.size() != columns_.size()) {
      return Refuse(
          row,
          fmt::format("does not have {} columns but {}: '{:.60}'", columns_.size(), fields.size(),
                      line),
          separator_ == ',' ? fmt::format("{}. {}", kWriteAdvice, kDecimalAdvice) : kWriteAdvice);
    }
    double time = 0, voltage = 0, current = 0;
    bool with_current = false;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (columns_[i].signal == Signal::kSkip) continue;
      double value = 0;
      if (!ParseNumber(fields[i], options_.decimal_comma, value)) {
        return tl::unexpected(NoNumber(row, fields[i]));
      }
      value *= columns_[i].scale;
      if (columns_[i].signal == Signal::kTime) time = value;
      if (columns_[i].signal == Signal::kVoltage) voltage = value;
      if (columns_[i].signal == Signal::kCurrent) current = value, with_current = true;
    }
    if (!std::isfinite(time) || !std::isfinite(voltage) || std::isinf(current)) {
      return Refuse(row, "holds NaN or infinity (NaN is allowed in the current only)",
                    "Cut the recording there, or fill the gap");
    }
    if (!recording_.time_ms.empty() && !(time > recording_.time_ms.back())) {
      return Refuse(row,
                    fmt::format("has time {:.10g} ms, not after the row before ({:.10g} ms)", time,
                                recording_.time_ms.back()),
                    "Sort the rows and leave out doubled times");
    }
    if (recording_.time_ms.size() == options_.max_samples) {
      return Refuse(
          row, fmt::format("is one too many: a sweep has at most {} samples", options_.max_samples),
          "Cut the file to one sweep, or allow more with --max-samples");
    }
    if (recording_.time_ms.empty()) first_row_ = row;
    recording_.time_ms.push_back(time);
    recording_.voltage_mv.push_back(voltage);
    if (with_current) recording_.current_pa.push_back(current);
    return {};
  }

  Result<Recording> CheckTimes() {
    const std::optional<Irregularity> found = FindIrregularity(recording_);
    if (!found) {
      if (IsOnGrid(recording_)) StraightenTimes(recording_);
      return std::move(recording_);
    }
    if (options_.resample) return Resample(recording_, options_.max_samples);
    return Refuse(first_row_ + found->sample,
                  fmt::format("comes {:.6g} ms after the row before, where the usual distance "
                              "is {:.6g} ms (and {} more such rows)",
                              found->step_ms, found->usual_ms, found->count - 1),
                  "Add --resample to interpolate to equal distances, or cut the recording at the "
                  "gap");
  }

  TextLines lines_;
  const ReadOptions& options_;
  Columns columns_;
  char separator_ = ',';
  std::string pending_;
  std::string comment_;        // Why the last comment is no header.
  std::size_t first_row_ = 0;  // Of the samples.
  Recording recording_;
};

}  // namespace

Result<Recording> ReadTable(std::istream& text, const ReadOptions& options) {
  return TableReader(text, options).Read();
}

Result<Recording> ParseRecording(std::string_view text, const ReadOptions& options) {
  std::istringstream stream{std::string(text)};
  return ReadTable(stream, options);
}

Result<Recording> LoadTable(const std::filesystem::path& path, const ReadOptions& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)),
                "Give the path of a recording");
  }
  Result<Recording> recording = ReadTable(file, options);
  if (!recording) {
    Error error = recording.error();
    error.message = path.string() + ": " + error.message;
    return tl::unexpected(std::move(error));
  }
  return recording;
}

}  // namespace inferon
