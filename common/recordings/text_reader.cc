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

// Lines of a stream, without their ends, in bounded memory.
class Lines {
 public:
  explicit Lines(std::istream& text) : text_(text) {}

  // False at the end. A line longer than kMaxLineBytes ends the lines, too (TooLong()).
  bool Next(std::string& line) {
    line.clear();
    bool any = false;
    for (int c = Get(); c >= 0; c = Get()) {
      any = true;
      if (c == '\n') break;
      if (line.size() == kMaxLineBytes) return too_long_ = true, false;
      line.push_back(static_cast<char>(c));
    }
    if (line.ends_with('\r')) line.pop_back();
    row_ += any ? 1 : 0;
    return any;
  }
  bool AtEnd() {
    const int c = Get();
    if (c >= 0) --at_;
    return c < 0;
  }
  bool TooLong() const { return too_long_; }
  std::size_t row() const { return row_; }

 private:
  int Get() {
    if (at_ == end_) {
      text_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
      end_ = static_cast<std::size_t>(text_.gcount());
      at_ = 0;
      if (end_ == 0) return -1;
    }
    return static_cast<unsigned char>(buffer_[at_++]);
  }

  std::istream& text_;
  std::string buffer_ = std::string(std::size_t{1} << 16, '\0');
  std::size_t at_ = 0, end_ = 0, row_ = 0;
  bool too_long_ = false;
};

bool ParseNumber(std::string_view field, double& value) {
  if (field.starts_with('+')) field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && end == field.data() + field.size();
}

bool IsNumbers(const std::vector<std::string_view>& fields) {
  double ignored = 0;
  return !fields.empty() && std::all_of(fields.begin(), fields.end(), [&](std::string_view field) {
    return ParseNumber(field, ignored);
  });
}

class TableReader {
 public:
  TableReader(std::istream& text, const ReadOptions& options) : lines_(text), options_(options) {}

  Result<Recording> Read() {
    if (Status begun = Begin(); !begun) return tl::unexpected(begun.error());
    std::string line;
    while (!pending_.empty() || lines_.Next(line)) {
      if (!pending_.empty()) line = std::move(pending_), pending_.clear();
      if (line.empty() && lines_.AtEnd()) break;  // A blank last line.
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
  // Finds the columns, from the options or the header; a first row of numbers stays pending.
  Status Begin() {
    std::string first;
    if (!lines_.Next(first)) {
      if (lines_.TooLong()) return Refuse(1, fmt::format("is longer than {} bytes", kMaxLineBytes));
      return Refuse(1, "is missing: the file is empty");
    }
    std::string_view header = first;
    header.remove_prefix(std::min(header.find_first_not_of("# \t"), header.size()));
    if (header.starts_with("\xEF\xBB\xBF")) header.remove_prefix(3);  // Byte order mark.
    separator_ = FindSeparator(header);
    // Names may hold blanks where tabs separate them.
    const bool tabs = separator_ == ' ' && header.find('\t') != std::string_view::npos;
    const std::vector<std::string_view> fields = SplitFields(header, tabs ? '\t' : separator_);
    const bool numbers = IsNumbers(fields);
    if (numbers) pending_ = first;
    if (numbers && options_.columns.empty()) {
      return Refuse(1,
                    fmt::format("holds numbers ('{:.60}'), so nothing says what its {} columns "
                                "are and in which units",
                                first, fields.size()),
                    kDeclareAdvice);
    }
    const std::vector<std::string_view> names =
        options_.columns.empty() ? fields : SplitFields(options_.columns, ',');
    Result<Columns> columns = ParseColumns(names, options_.units);
    if (!columns) {
      if (!options_.columns.empty()) return tl::unexpected(columns.error());
      return Refuse(1, fmt::format("is '{:.60}', not a header: {}", first, columns.error().message),
                    columns.error().advice);
    }
    columns_ = std::move(*columns);
    header_row_ = !numbers;
    return {};
  }

  Status AddRow(std::string_view line) {
    const std::size_t row = lines_.row();
    const std::vector<std::string_view> fields = SplitFields(line, separator_);
    if (fields.size() != columns_.size()) {
      return Refuse(row, fmt::format("does not have {} columns but {}: '{:.60}'", columns_.size(),
                                     fields.size(), line));
    }
    double time = 0, voltage = 0, current = 0;
    bool with_current = false;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (columns_[i].signal == Signal::kSkip) continue;
      double value = 0;
      if (!ParseNumber(fields[i], value)) {
        return Refuse(row, fmt::format("holds something that is no number: '{:.40}'", fields[i]));
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
    const std::size_t row = found->sample + 1 + (header_row_ ? 1 : 0);
    return Refuse(row,
                  fmt::format("comes {:.6g} ms after the row before, where the usual distance "
                              "is {:.6g} ms (and {} more such rows)",
                              found->step_ms, found->usual_ms, found->count - 1),
                  "Add --resample to interpolate to equal distances, or cut the recording at the "
                  "gap");
  }

  Lines lines_;
  const ReadOptions& options_;
  Columns columns_;
  char separator_ = ',';
  std::string pending_;
  bool header_row_ = true;
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
