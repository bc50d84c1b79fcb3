#include "common/recordings/nwb/nwb_reader.h"

#include <fmt/format.h>

#include <algorithm>
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

// From stored numbers to mV or pA.
struct Scaling {
  double factor = 1, shift = 0;
};

// One series of a file, in mV or pA.
struct Samples {
  std::vector<double> values;
  double rate_khz = 0;
  double start_ms = 0;
  std::vector<double> times_ms;  // Where the file has timestamps instead of a rate.

  double TimeOf(std::size_t k) const {
    return times_ms.empty() ? start_ms + static_cast<double>(k) / rate_khz : times_ms[k];
  }
  // Mean distance of the samples.
  double Step() const {
    if (times_ms.empty()) return 1 / rate_khz;
    return times_ms.size() < 2
               ? 0
               : (times_ms.back() - times_ms.front()) / static_cast<double>(times_ms.size() - 1);
  }
};

// Whether times rise; true where there is a rate.
bool TimesRise(const Samples& samples) {
  const std::vector<double>& times = samples.times_ms;
  return std::adjacent_find(times.begin(), times.end(),
                            [](double a, double b) { return !(b > a); }) == times.end();
}

// Looks up the sample nearest in time, for times that rise.
class Nearest {
 public:
  explicit Nearest(const Samples& samples) : samples_(samples) {}

  // None where the time lies outside the series.
  std::optional<std::size_t> At(double time_ms) {
    const std::size_t size = samples_.values.size();
    if (size == 0) return std::nullopt;
    if (samples_.times_ms.empty()) {
      const double at = std::floor((time_ms - samples_.start_ms) * samples_.rate_khz + 0.5);
      if (at < 0 || at >= static_cast<double>(size)) return std::nullopt;
      return static_cast<std::size_t>(at);
    }
    const double half = samples_.Step() / 2;
    if (time_ms < samples_.TimeOf(0) - half || time_ms > samples_.TimeOf(size - 1) + half) {
      return std::nullopt;
    }
    const auto off = [&](std::size_t k) { return std::abs(samples_.TimeOf(k) - time_ms); };
    while (last_ + 1 < size && off(last_ + 1) <= off(last_)) ++last_;
    return last_;
  }

 private:
  const Samples& samples_;
  std::size_t last_ = 0;
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
  // The unit's factor (of the file's unit, else of the one given) times the series' conversion; the
  // series' offset is in its unit.
  Result<Scaling> Scale(const std::string& group, Signal signal) const {
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
    const double offset = file_.NumberAttribute(group + "/data", "offset").value_or(0);
    if (!std::isfinite(conversion) || conversion == 0 || !std::isfinite(offset)) {
      return InvalidArgument(
          fmt::format("{} has the conversion {} and the offset {}", group, conversion, offset),
          "Choose another sweep");
    }
    if (!ConversionApplies()) return Scaling{*scale, 0};
    return Scaling{*scale * conversion, *scale * offset};
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
    const Result<Scaling> scale = Scale(group, signal);
    if (!scale) return tl::unexpected(scale.error());
    Result<std::vector<double>> values = file_.Numbers(group + "/data", count);
    if (!values) return tl::unexpected(values.error());
    Samples read{.values = std::move(*values)};
    for (double& value : read.values) value = value * scale->factor + scale->shift;
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
    NoteLength(series, *voltage, recording);
    DropUnwritten(*voltage, recording);
    const std::size_t samples = voltage->values.size();
    if (samples < 2) return InvalidArgument("it has fewer than 2 samples", "Choose another sweep");
    recording.voltage_mv = voltage->values;
    recording.time_ms = voltage->times_ms;
    if (recording.time_ms.empty()) {
      for (std::size_t k = 0; k < samples; ++k) {
        recording.time_ms.push_back(static_cast<double>(k) / voltage->rate_khz);
      }
    }
    if (Status good = CheckSamples(recording); !good) return tl::unexpected(good.error());
    if (!ConversionApplies()) {
      recording.notes.push_back(
          "the file was written before version 1.1 of its pipeline: its conversion factors were "
          "left aside");
    }
    if (Status added = AddCurrent(series, *voltage, recording); !added) {
      return tl::unexpected(added.error());
    }
    const std::optional<Irregularity> found = FindIrregularity(recording);
    if (!found) return recording;
    if (options_.resample) return Resample(recording, options_.max_samples);
    return InvalidArgument(fmt::format("sample {} comes {:.6g} ms after the one before, where the "
                                       "usual distance is {:.6g} ms",
                                       found->sample, found->step_ms, found->usual_ms),
                           "Add --resample to interpolate to equal distances");
  }

  void NoteLength(const Series& series, const Samples& voltage, Recording& recording) const {
    const Result<std::size_t> length = file_.Length(series.response + "/data");
    if (!length || *length <= voltage.values.size()) return;
    recording.notes.push_back(
        fmt::format("{} samples after the end of the experiment's epoch were left out",
                    *length - voltage.values.size()));
  }

  // A sweep that was stopped early ends in NaN: nothing was recorded there.
  static void DropUnwritten(Samples& voltage, Recording& recording) {
    const std::size_t before = voltage.values.size();
    while (!voltage.values.empty() && std::isnan(voltage.values.back())) voltage.values.pop_back();
    const std::size_t samples = voltage.values.size();
    if (samples == before) return;
    if (!voltage.times_ms.empty()) voltage.times_ms.resize(samples);
    recording.notes.push_back(
        fmt::format("its last {} samples are NaN and were left out", before - samples));
  }

  Status CheckSamples(const Recording& recording) const {
    for (std::size_t k = 0; k < recording.time_ms.size(); ++k) {
      if (!std::isfinite(recording.voltage_mv[k]) || !std::isfinite(recording.time_ms[k])) {
        return InvalidArgument(fmt::format("sample {} is NaN or infinite", k),
                               "Choose another sweep, or repair the file");
      }
      if (k > 0 && !(recording.time_ms[k] > recording.time_ms[k - 1])) {
        return InvalidArgument(fmt::format("the time of sample {} is not after the one before", k),
                               "Choose another sweep");
      }
    }
    return {};
  }

  // The current at the times of the voltage's samples; not known where the stimulus has none.
  Status AddCurrent(const Series& series, const Samples& voltage, Recording& recording) const {
    if (series.stimulus.empty()) {
      recording.notes.push_back(series.no_stimulus);
      return {};
    }
    const Result<Samples> current = ReadSignal(series.stimulus, Signal::kCurrent, series);
    if (!current) return tl::unexpected(current.error());
    if (!TimesRise(*current)) {
      return InvalidArgument(fmt::format("the times of {} do not rise", series.stimulus),
                             "Choose another sweep");
    }
    const std::size_t samples = recording.voltage_mv.size();
    recording.current_pa.assign(samples, kNone);
    Nearest nearest(*current);
    std::size_t known = 0;
    for (std::size_t k = 0; k < samples; ++k) {
      const std::optional<std::size_t> at = nearest.At(voltage.TimeOf(k));
      if (!at || !std::isfinite(current->values[*at])) continue;
      recording.current_pa[k] = current->values[*at];
      ++known;
    }
    if (known < samples) {
      recording.notes.push_back(fmt::format(
          "the stimulus tells the current of {} of the response's {} samples", known, samples));
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
