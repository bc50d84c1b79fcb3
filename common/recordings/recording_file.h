// Any supported file of recordings: what sweeps it has, and one of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/recordings/recording.h"
#include "common/recordings/text_reader.h"

namespace inferon {

struct SweepInfo {
  std::string name;                    // "CurrentClampSeries_04", "Sweep_12"; a table's file name.
  std::optional<std::int64_t> number;  // As the file counts it.
  std::size_t samples = 0;
  double rate_khz = 0;
  bool has_current = false;
  std::string description;  // Of the stimulus, by its author.
  std::string problem;      // Why it cannot be analysed; empty where it can.
};

class RecordingFile {
 public:
  virtual ~RecordingFile() = default;
  virtual std::string_view format() const = 0;  // "table", "NWB 1", "NWB 2".
  virtual const std::vector<SweepInfo>& sweeps() const = 0;
  // Reads sweep `index` of sweeps().
  virtual Result<Recording> Read(std::size_t index) const = 0;
};

// Tells the format by the file's content. A table is read at once, an NWB file sweep by sweep.
// kNotFound, kInvalidArgument for an unknown format (naming what is supported), kDataLoss for a
// damaged file.
Result<std::unique_ptr<RecordingFile>> OpenRecording(const std::filesystem::path& path,
                                                     const ReadOptions& options = {});

// Index of the sweep with that number or name. Refused, naming the sweeps, where there is none or
// more than one.
Result<std::size_t> FindSweep(const RecordingFile& file, std::string_view sweep);

// The sweep of a file that has one; otherwise the one that `sweep` names.
Result<Recording> LoadRecording(const std::filesystem::path& path, const ReadOptions& options = {},
                                std::string_view sweep = {});

}  // namespace inferon
