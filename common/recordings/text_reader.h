// Tables of numbers -> Recording, strictly and as a stream: CSV with a header, and columns of text.
#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/recordings/recording.h"
#include "common/recordings/text_lines.h"

namespace inferon {

// How a file is read. Text: the columns and units where the file does not name them.
struct ReadOptions {
  std::string columns;  // "time_ms,voltage_mV,current_pA"; empty: the file's header says.
  std::string units;    // "ms,mV,pA" for columns named without; NWB: "V,A" where the file has none.
  std::size_t max_samples = kMaxSweepSamples;
  bool resample = false;       // Irregular times are resampled instead of refused.
  bool decimal_comma = false;  // Text: "-69,5"; fields are separated by semicolons or blanks.
};

// Most comments and blank lines before the header.
inline constexpr std::size_t kMaxCommentLines = 1000;

// Reads a table: comments (lines that begin with '#' or '%') if there are any, a header line that
// names columns and units (columns.h; a comment that does counts as header) unless `columns` does,
// then one sample a row; fields separated by commas, semicolons or blanks. Refuses anything
// malformed, naming the row: missing or extra fields, blank rows (but at the end), NaN (allowed in
// the current), times that do not ascend or are not equidistant, more than max_samples.
Result<Recording> ReadTable(std::istream& text, const ReadOptions& options);

// ReadTable of a text, and of a file (its path in front of messages).
Result<Recording> ParseRecording(std::string_view text, const ReadOptions& options = {});
Result<Recording> LoadTable(const std::filesystem::path& path, const ReadOptions& options = {});

}  // namespace inferon
