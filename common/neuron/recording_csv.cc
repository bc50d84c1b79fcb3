// CSV -> Recording, strictly.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/base/files.h"
#include "common/neuron/recording.h"

namespace inferon {
namespace {

constexpr std::string_view kHeader = "time_ms,voltage_mV";
constexpr std::string_view kHeaderWithCurrent = "time_ms,voltage_mV,current_pA";

auto Refuse(std::size_t row, const std::string& what) {
  return InvalidArgument(fmt::format("row {} of the recording {}", row, what),
                         "Write a CSV with the header time_ms,voltage_mV[,current_pA] and one "
                         "sample a row");
}

// Takes the next line, without its end, off the front.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Takes the number before the next comma off the front; false where there is none.
bool TakeNumber(std::string_view& line, double& value) {
  const std::size_t comma = line.find(',');
  const std::string_view field = line.substr(0, comma);
  line.remove_prefix(comma == std::string_view::npos ? line.size() : comma + 1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && end == field.data() + field.size();
}

}  // namespace

Result<Recording> ParseRecording(std::string_view csv) {
  if (csv.size() > kMaxRecordingBytes) {
    return InvalidArgument(
        fmt::format("the recording has {} bytes, more than {}", csv.size(), kMaxRecordingBytes),
        "Cut it to one sweep");
  }
  const std::string_view header = TakeLine(csv);
  const bool with_current = header == kHeaderWithCurrent;
  if (!with_current && header != kHeader) {
    return Refuse(1, fmt::format("is '{:.60}', not the header", header));
  }
  const std::ptrdiff_t commas = with_current ? 2 : 1;
  Recording recording;
  for (std::size_t row = 2; !csv.empty(); ++row) {
    std::string_view line = TakeLine(csv);
    if (line.empty() && csv.empty()) break;  // A blank last line.
    if (std::count(line.begin(), line.end(), ',') != commas) {
      return Refuse(row, fmt::format("does not have {} columns", commas + 1));
    }
    double time = 0, voltage = 0, current = 0;
    if (!TakeNumber(line, time) || !TakeNumber(line, voltage) ||
        (with_current && !TakeNumber(line, current))) {
      return Refuse(row, "holds something that is no number");
    }
    if (!std::isfinite(time) || !std::isfinite(voltage) || std::isinf(current)) {
      return Refuse(row, "holds NaN or infinity (NaN is allowed in the current only)");
    }
    if (!recording.time_ms.empty() && !(time > recording.time_ms.back())) {
      return Refuse(row, fmt::format("has time {} ms, not after the row before", time));
    }
    recording.time_ms.push_back(time);
    recording.voltage_mv.push_back(voltage);
    if (with_current) recording.current_pa.push_back(current);
  }
  if (recording.time_ms.size() < 2) return Refuse(2, "is missing: there are fewer than 2 samples");
  return recording;
}

Result<Recording> LoadRecording(const std::filesystem::path& path) {
  const Result<std::string> text = ReadFile(path, kMaxRecordingBytes);
  if (!text) return tl::unexpected(text.error());
  Result<Recording> recording = ParseRecording(*text);
  if (!recording) {
    Error error = recording.error();
    error.message = path.string() + ": " + error.message;
    return tl::unexpected(std::move(error));
  }
  return recording;
}

}  // namespace inferon
