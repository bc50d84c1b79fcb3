#include "common/recordings/recording_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "common/recordings/nwb/hdf5_file.h"
#include "common/recordings/nwb/nwb_reader.h"

namespace inferon {
namespace {

constexpr const char* kSupported =
    "Supported are tables of text (CSV or columns) and NWB files (versions 1 and 2); convert other "
    "formats to one of them, for example with pyABF, igor2 or NeuroConv";
// Sweeps that a message names.
constexpr std::size_t kNamedSweeps = 12;

class TableFile : public RecordingFile {
 public:
  TableFile(std::string name, Recording recording) : recording_(std::move(recording)) {
    SweepInfo sweep{.name = std::move(name)};
    sweep.samples = recording_.time_ms.size();
    sweep.rate_khz = 1 / SampleStep(recording_);
    sweep.has_current = !recording_.current_pa.empty();
    sweeps_.push_back(std::move(sweep));
  }
  std::string_view format() const override { return "table"; }
  const std::vector<SweepInfo>& sweeps() const override { return sweeps_; }
  Result<Recording> Read(std::size_t) const override { return recording_; }

 private:
  Recording recording_;
  std::vector<SweepInfo> sweeps_;
};

// Names a format that is known but not read; empty for what may be a table.
std::string ForeignFormat(const std::string& head) {
  using namespace std::string_view_literals;
  if (head.starts_with("ABF2") || head.starts_with("ABF ")) return "an Axon file (ABF)";
  const auto is_version = [](char c) { return c == 2 || c == 5; };
  if (head.size() > 2 &&
      ((head[1] == '\0' && is_version(head[0])) || (head[0] == '\0' && is_version(head[1])))) {
    return "an Igor binary wave";
  }
  if (head.starts_with("MATLAB")) return "a MATLAB file";
  if (head.starts_with("PK\x03\x04"sv)) return "a ZIP archive";
  if (head.starts_with("\x1f\x8b"sv)) return "a gzip archive";
  if (head.find('\0') != std::string::npos) return "a binary file of an unknown format";
  return "";
}

std::string NameSweeps(const std::vector<SweepInfo>& sweeps) {
  std::string names;
  for (std::size_t i = 0; i < std::min(sweeps.size(), kNamedSweeps); ++i) {
    if (i > 0) names += ", ";
    names += sweeps[i].number ? fmt::format("{}", *sweeps[i].number) : sweeps[i].name;
  }
  if (sweeps.size() > kNamedSweeps) names += ", ...";
  return names;
}

}  // namespace

Result<std::unique_ptr<RecordingFile>> OpenRecording(const std::filesystem::path& path,
                                                     const ReadOptions& options) {
  if (std::filesystem::is_directory(path)) {
    return InvalidArgument(fmt::format("{} is a folder", path.string()),
                           "Give the path of a recording");
  }
  // What was read to tell the format would be missing from a pipe afterwards.
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
    return InvalidArgument(
        fmt::format("{} is no regular file but a pipe or a device", path.string()),
        "Save the recording in a file first");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no readable file {}", path.string()),
                "Give the path of a recording");
  }
  if (nwb::LooksLikeHdf5(path)) return nwb::OpenNwb(path, options);
  std::string head(4096, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  if (const std::string format = ForeignFormat(head); !format.empty()) {
    return InvalidArgument(fmt::format("{} is {}, which is not read", path.string(), format),
                           kSupported);
  }
  Result<Recording> recording = LoadTable(path, options);
  if (!recording) return tl::unexpected(recording.error());
  return std::make_unique<TableFile>(path.filename().string(), std::move(*recording));
}

Result<std::size_t> FindSweep(const RecordingFile& file, std::string_view sweep) {
  const std::vector<SweepInfo>& sweeps = file.sweeps();
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(sweep.data(), sweep.data() + sweep.size(), number);
  const bool is_number = error == std::errc() && end == sweep.data() + sweep.size();
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < sweeps.size(); ++i) {
    if (sweeps[i].name == sweep || (is_number && sweeps[i].number == number)) found.push_back(i);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return InvalidArgument(fmt::format("there is no sweep '{}'", sweep),
                           fmt::format("Choose one of {}", NameSweeps(sweeps)));
  }
  std::string names;
  for (const std::size_t i : found) names += (names.empty() ? "" : " or ") + sweeps[i].name;
  return InvalidArgument(fmt::format("{} sweeps have the number {}", found.size(), sweep),
                         "Choose one by its name: " + names);
}

Result<Recording> LoadRecording(const std::filesystem::path& path, const ReadOptions& options,
                                std::string_view sweep) {
  const Result<std::unique_ptr<RecordingFile>> file = OpenRecording(path, options);
  if (!file) return tl::unexpected(file.error());
  if (!sweep.empty()) {
    const Result<std::size_t> index = FindSweep(**file, sweep);
    if (!index) return tl::unexpected(index.error());
    return (*file)->Read(*index);
  }
  if ((*file)->sweeps().size() == 1) return (*file)->Read(0);
  return InvalidArgument(fmt::format("{} has {} sweeps", path.string(), (*file)->sweeps().size()),
                         fmt::format("Choose one with --sweep: {}", NameSweeps((*file)->sweeps())));
}

}  // namespace inferon
