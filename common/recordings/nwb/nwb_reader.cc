#include "common/recordings/nwb/nwb_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "common/recordings/columns.h"
#include "common/recordings/nwb/hdf5_file.h"
#include "common/recordings/nwb/nwb_listing.h"

namespace inferon::nwb {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
// Files of the Allen Institute's pipeline before this version name a conversion that does not
// apply: their numbers are volts and amperes already.
constexpr double kFirstTrueConversion = 1.1;

// One numeric series of a file, ready to be scaled.
struct Samples {
  std::vector<double> values;
  double rate_khz = 0;
  double start_ms = 0;
  std::vector<double> times_ms;  // Where the file has timestamps instead of a rate.
};

class NwbFile : public RecordingFile {
 public:
  NwbFile(Hdf5File file, std::string path, const ReadOptions& options)
      : file_(std::move(file)),
        path_(std::move(path)),
        options_(options),
        listing_(ListSweeps(file_)) {}

  bool IsNwb() const { return listing_.version != 0; }
  std::string_view format() const override { return listing_.version == 1 ? "NWB 1" : "NWB 2"; }
  const std::vector<SweepInfo>& sweeps() const override { return listing_.sweeps; }

  Result<Recording> Read(std::size_t index) const override {
    const SweepInfo& sweep = listing_.sweeps.at(index);
    Result<Recording> recording =
        sweep.problem.empty()
            ? ReadSweep(listing_.series.at(index))
            : Result<Recording>(InvalidArgument(sweep.problem, "Choose another sweep"));
    if (recording) return recording;
    Error error = recording.error();
    error.message = fmt::format("{}, sweep {}: {}", path_, sweep.name, error.message);
    return tl::unexpected(std::move(error));
  }

 private:
  // Factor from the stored numbers to mV or pA: the unit's (the file's, else the one given), times
  // the conversion of the series.
  Result<double> Scale(const std::string& group, Signal signal) const {
    const std::optional<std::string> declared = DeclaredUnit(file_, group);
    std::string unit = declared.value_or("");
    if (!declared) {
      const std::vector<std::string_view> given =
          SplitFields(options_.units, FindSeparator(options_.units));
      const std::size_t at = signal == Signal::kVoltage ? 0 : 1;
      if (at < given.size()) unit = std::string(given[at]);
    }
    if (unit.empty()) {
      return InvalidArgument(fmt::format("{} has no unit", group),
                             "Give the units of voltage and current with --units, for example "
                             "--units V,A");
    }
    const std::optional<double> scale = UnitScale(signal, unit);
    if (!scale) {
      return InvalidArgument(fmt::format("{} is in '{}', which is no unit of a {}", group, unit,
                                         signal == Signal::kVoltage ? "voltage" : "current"),
                             "Choose another sweep");
    }
    const double conversion = file_.NumberAttribute(group + "/data", "conversion").value_or(1);
    if (!std::isfinite(conversion) || conversion == 0) {
      return InvalidArgument(fmt::format("{} has the conversion {}", group, conversion),
                             "Choose another sweep");
    }
    return *scale * (ConversionApplies() ? conversion : 1);
  }

  bool ConversionApplies() const {
    if (listing_.version != 1) return true;
    const std::vector<std::string> made_by = file_.Texts("/general/generated_by");
    for (std::size_t i = 0; i + 1 < made_by.size(); ++i) {
      if (made_by[i] != "version") continue;
      double version = 0;
      const std::string& text = made_by[i + 1];
      std::from_chars(text.data(), text.data() + text.size(), version);
      return version >= kFirstTrueConversion;
    }
    return true;
  }

  // Valid samples of a sweep. NWB 1: what lies after the experiment's epoch is padding.
  std::size_t ValidSamples(const Series& series, std::size_t length) const {
    for (const char* side : {"/response", "/stimulus"}) {
      if (series.experiment.empty()) break;
      const auto start = file_.Number(series.experiment + side + "/idx_start");
      const auto count = file_.Number(series.experiment + side + "/count");
      if (!start || !count || *start < 0 || *count < 2) continue;
      if (*start + *count < static_cast<double>(length)) {
        return static_cast<std::size_t>(*start + *count);
      }
    }
    return length;
  }

  Result<Samples> ReadSignal(const std::string& group, Signal signal, const Series& series) const {
    const Result<std::size_t> length = file_.Length(group + "/data");
    if (!length) return tl::unexpected(length.error());
    const std::size_t count = ValidSamples(series, *length);
    if (count > options_.max_samples) {
      return InvalidArgument(
          fmt::format("{} has {} samples, more than {}", group, count, options_.max_samples),
          "Allow more with --max-samples if that is really so long");
    }
    const Result<double> scale = Scale(group, signal);
    if (!scale) return tl::unexpected(scale.error());
    Result<std::vector<double>> values = file_.Numbers(group + "/data", count);
    if (!values) return tl::unexpected(values.error());
    Samples read{.values = std::move(*values)};
    for (double& value : read.values) value *= *scale;
    if (Status timed = ReadTimes(group, read); !timed) return tl::unexpected(timed.error());
    return read;
  }

  Status ReadTimes(const std::string& group, Samples& signal) const {
    const auto rate = file_.NumberAttribute(group + "/starting_time", "rate");
    if (rate) {
      if (!(*rate > 0) || !std::isfinite(*rate)) {
        return InvalidArgument(fmt::format("{} has the sampling rate {}", group, *rate),
                               "Choose another sweep");
      }
      signal.rate_khz = *rate / 1000;
      const double start = file_.Number(group + "/starting_time").value_or(0);
      signal.start_ms = std::isfinite(start) ? 1000 * start : 0;
      return {};
    }
    const Result<std::size_t> length = file_.Length(group + "/timestamps");
    if (!length || *length < signal.values.size()) {
      return InvalidArgument(fmt::format("{} has neither a sampling rate nor timestamps", group),
                             "Choose another sweep");
    }
    Result<std::vector<double>> times = file_.Numbers(group + "/timestamps", signal.values.size());
    if (!times) return tl::unexpected(times.error());
    for (double& time : *times) time *= 1000;
    signal.times_ms = std::move(*times);
    return {};
  }

  Result<Recording> ReadSweep(const Series& series) const {
    Result<Samples> voltage = ReadSignal(series.response, Signal::kVoltage, series);
    if (!voltage) return tl::unexpected(voltage.error());
    Recording recording;
    recording.voltage_mv = std::move(voltage->values);
    const std::size_t samples = recording.voltage_mv.size();
    if (samples < 2) return InvalidArgument("it has fewer than 2 samples", "Choose another sweep");
    recording.time_ms = std::move(voltage->times_ms);
    if (recording.time_ms.empty()) {
      for (std::size_t k = 0; k < samples; ++k) {
        recording.time_ms.push_back(static_cast<double>(k) / voltage->rate_khz);
      }
    }
    if (Status good = CheckSamples(recording); !good) return tl::unexpected(good.error());
    const Result<std::size_t> length = file_.Length(series.response + "/data");
    if (length && *length > samples) {
      recording.notes.push_back(fmt::format(
          "{} samples after the end of the experiment's epoch were left out", *length - samples));
    }
    if (!ConversionApplies()) {
      recording.notes.push_back(
          "the file was written before version 1.1 of its pipeline: its conversion factors were "
          "left aside");
    }
    if (Status added = AddCurrent(series, *voltage, recording); !added) {
      return tl::unexpected(added.error());
    }
    if (!FindIrregularity(recording)) return recording;
    if (options_.resample) return Resample(recording, options_.max_samples);
    const Irregularity found = *FindIrregularity(recording);
    return InvalidArgument(fmt::format("sample {} comes {:.6g} ms after the one before, where the "
                                       "usual distance is {:.6g} ms",
                                       found.sample, found.step_ms, found.usual_ms),
                           "Add --resample to interpolate to equal distances");
  }

  Status CheckSamples(const Recording& recording) const {
    for (std::size_t k = 0; k < recording.time_ms.size(); ++k) {
      if (!std::isfinite(recording.voltage_mv[k]) || !std::isfinite(recording.time_ms[k])) {
        return InvalidArgument(fmt::format("sample {} is NaN or infinite", k),
                               "Choose another sweep, or cut this one there with convert after "
                               "repairing the file");
      }
      if (k > 0 && !(recording.time_ms[k] > recording.time_ms[k - 1])) {
        return InvalidArgument(fmt::format("the time of sample {} is not after the one before", k),
                               "Choose another sweep");
      }
    }
    return {};
  }

  // The current at the voltage's samples; not known where the stimulus is shorter.
  Status AddCurrent(const Series& series, const Samples& voltage, Recording& recording) const {
    if (series.stimulus.empty()) {
      recording.notes.push_back("the file has no stimulus for this sweep");
      return {};
    }
    Result<Samples> current = ReadSignal(series.stimulus, Signal::kCurrent, series);
    if (!current) return tl::unexpected(current.error());
    const std::size_t samples = recording.voltage_mv.size();
    const bool same_clock = voltage.rate_khz > 0 && current->rate_khz > 0;
    recording.current_pa.assign(samples, kNone);
    const double offset = same_clock ? voltage.start_ms - current->start_ms : 0;
    for (std::size_t k = 0; k < samples; ++k) {
      double at = static_cast<double>(k);
      if (same_clock) at = std::floor((recording.time_ms[k] + offset) * current->rate_khz + 0.5);
      if (at < 0 || at >= static_cast<double>(current->values.size())) continue;
      const double value = current->values[static_cast<std::size_t>(at)];
      if (std::isfinite(value)) recording.current_pa[k] = value;
    }
    if (current->values.size() < samples) {
      recording.notes.push_back(fmt::format("the stimulus has {} samples, the response {}",
                                            current->values.size(), samples));
    }
    return {};
  }

  Hdf5File file_;
  std::string path_;
  ReadOptions options_;
  const Listing listing_;
};

}  // namespace

Result<std::unique_ptr<RecordingFile>> OpenNwb(const std::filesystem::path& path,
                                               const ReadOptions& options) {
  Result<Hdf5File> file = Hdf5File::Open(path);
  if (!file) return tl::unexpected(file.error());
  auto nwb = std::make_unique<NwbFile>(std::move(*file), path.string(), options);
  if (nwb->sweeps().empty() && !nwb->IsNwb()) {
    return InvalidArgument(
        fmt::format("{} is an HDF5 file but no NWB file: it has no /acquisition", path.string()),
        "Give an NWB file (version 1 or 2) or a table of text");
  }
  if (nwb->sweeps().empty()) {
    return InvalidArgument(fmt::format("{} has no recorded series in /acquisition", path.string()),
                           "Give a file with current-clamp sweeps");
  }
  return nwb;
}

}  // namespace inferon::nwb
