// Tables of numbers -> Recording, strictly and as a stream: CSV with a header, and columns of text.
#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/recordings/recording.h"

namespace inferon {

// How a file is read. Text: the columns and units where the file does not name them.
struct ReadOptions {
  std::string columns;  // "time_ms,voltage_mV,current_pA"; empty: the file's header says.
  std::string units;    // "ms,mV,pA" for columns named without; NWB: "V,A" where the file has none.
  std::size_t max_samples = kMaxSweepSamples;
  bool resample = false;  // Irregular times are resampled instead of refused.
};

// Longest line of a table, bytes.
inline constexpr std::size_t kMaxLineBytes = 4096;

// Reads a table: a header line that names columns and units (columns.h) unless `columns` does, then
// one sample a row; fields separated by commas, semicolons or blanks; a first line of '#' counts as
// header. Refuses anything malformed, naming the row: missing or extra fields, NaN (allowed in the
// current), times that do not ascend or are not equidistant, more than max_samples.
Result<Recording> ReadTable(std::istream& text, const ReadOptions& options);

// ReadTable of a text, and of a file (its path in front of messages).
Result<Recording> ParseRecording(std::string_view text, const ReadOptions& options = {});
Result<Recording> LoadTable(const std::filesystem::path& path, const ReadOptions& options = {});

}  // namespace inferon
