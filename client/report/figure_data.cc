#include "client/report/figure_data.h"

#include <fmt/format.h>

#include <cstring>
#include <set>

namespace inferon::report {
namespace {

// One expected extent; kAny for an extent that the data chooses.
constexpr std::size_t kAny = 0;

template <typename T>
std::vector<double> Widen(const std::string& bytes) {
  std::vector<T> raw(bytes.size() / sizeof(T));
  std::memcpy(raw.data(), bytes.data(), raw.size() * sizeof(T));
  return {raw.begin(), raw.end()};
}

std::size_t ElementBytes(const std::string& dtype) {
  if (dtype == "u2") return 2;
  if (dtype == "u4" || dtype == "f4") return 4;
  return dtype == "f8" ? 8 : 0;
}

std::vector<double> Decode(const ReportArray& array) {
  if (array.dtype == "u2") return Widen<std::uint16_t>(array.data);
  if (array.dtype == "u4") return Widen<std::uint32_t>(array.data);
  if (array.dtype == "f4") return Widen<float>(array.data);
  return Widen<double>(array.data);
}

Status CheckShape(const ReportArray& array, const std::string& dtype,
                  const std::vector<std::size_t>& shape) {
  const std::string advice = "Fetch the report again from a trainer of the same version";
  if (array.dtype != dtype) {
    return InvalidArgument(
        fmt::format("array {} has type \"{}\", not \"{}\"", array.name, array.dtype, dtype),
        advice);
  }
  if (array.shape.size() != shape.size()) {
    return InvalidArgument(
        fmt::format("array {} has {} axes, not {}", array.name, array.shape.size(), shape.size()),
        advice);
  }
  std::uint64_t bytes = ElementBytes(dtype);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::uint64_t extent = array.shape[axis];
    if (extent == 0 || (shape[axis] != kAny && extent != shape[axis])) {
      return InvalidArgument(
          fmt::format("array {} has extent {} on axis {}, not {}", array.name, extent, axis,
                      shape[axis] == kAny ? "at least 1" : std::to_string(shape[axis])),
          advice);
    }
    if (extent > array.data.size()) {
      return InvalidArgument(fmt::format("array {} is shorter than its shape", array.name), advice);
    }
    bytes *= extent;
  }
  if (bytes != array.data.size()) {
    return InvalidArgument(fmt::format("array {} has {} bytes, its shape asks for {}", array.name,
                                       array.data.size(), bytes),
                           advice);
  }
  return {};
}

// Reads arrays one after another and keeps the first error, so that the list of arrays below reads
// as a table.
class Reader {
 public:
  explicit Reader(const ReportData& data) : data_(data) {}

  void Read(const std::string& name, const std::string& dtype, std::vector<double>& values,
            std::size_t extent = kAny) {
    if (const ReportArray* array = Find(name, dtype, {extent})) values = Decode(*array);
  }
  void ReadOptional(const std::string& name, const std::string& dtype,
                    std::vector<double>& values) {
    if (Lookup(name)) Read(name, dtype, values);
  }
  void Read(const std::string& name, const std::string& dtype, Matrix& matrix, std::size_t rows,
            std::size_t columns) {
    const ReportArray* array = Find(name, dtype, {rows, columns});
    if (array) matrix = {array->shape[0], array->shape[1], Decode(*array)};
  }
  void Read(const std::string& name, const std::string& dtype, std::optional<Matrix>& matrix,
            std::size_t rows, std::size_t columns) {
    if (!Lookup(name)) return;
    matrix.emplace();
    Read(name, dtype, *matrix, rows, columns);
  }
  Status status() const { return status_; }

 private:
  const ReportArray* Lookup(const std::string& name) const {
    for (const ReportArray& array : data_.arrays) {
      if (array.name == name) return &array;
    }
    return nullptr;
  }
  const ReportArray* Find(const std::string& name, const std::string& dtype,
                          const std::vector<std::size_t>& shape) {
    if (!status_) return nullptr;
    const ReportArray* array = Lookup(name);
    if (!array) {
      status_ = InvalidArgument("the report lacks the array " + name,
                                "Fetch the report again from a trainer of the same version");
      return nullptr;
    }
    status_ = CheckShape(*array, dtype, shape);
    return status_ ? array : nullptr;
  }

  const ReportData& data_;
  Status status_;
};

Status CheckNames(const ReportData& data) {
  if (data.parameters.empty() || data.features.empty()) {
    return InvalidArgument("the report names no parameters or no features");
  }
  if (data.parameter_labels.size() != data.parameters.size() ||
      data.feature_labels.size() != data.features.size()) {
    return InvalidArgument("the report has not one label for each parameter and feature");
  }
  std::set<std::string> seen;
  for (const ReportNumber& number : data.numbers) {
    if (!seen.insert(number.key).second) {
      return InvalidArgument("the report has the number " + number.key + " twice");
    }
  }
  return {};
}

}  // namespace

std::vector<double> Matrix::Column(std::size_t j) const {
  std::vector<double> column(rows);
  for (std::size_t i = 0; i < rows; ++i) column[i] = values[i * columns + j];
  return column;
}

std::vector<double> FigureData::Times() const {
  std::vector<double> times(report->protocol.Points());
  for (std::size_t i = 0; i < times.size(); ++i) {
    times[i] = static_cast<double>(i) * report->protocol.grid_step_us;
  }
  return times;
}

Result<FigureData> ReadFigureData(const ReportData& data) {
  if (Status ok = CheckNames(data); !ok) return tl::unexpected(ok.error());
  const std::size_t points = data.protocol.Points();
  const std::size_t d = data.parameters.size();
  const std::size_t f = data.features.size();
  FigureData out;
  out.report = &data;
  Reader reader(data);
  reader.Read("uniform.spike_count", "u2", out.uniform_counts);
  reader.Read("constrained.spike_count", "u2", out.constrained_counts);
  reader.Read("figure1a.traces", "f4", out.sample_traces, kAny, points);
  reader.Read("target.codes", "u2", out.target_codes, d);
  reader.Read("target.trace", "f4", out.target_trace, points);
  reader.Read("target.trials", "f4", out.target_trials, kAny, points);
  reader.Read("target.features", "f4", out.target_features, f);
  reader.Read("ppc.repeats.features", "f4", out.repeats_features, kAny, f);
  reader.Read("validation.trace", "f4", out.validation_traces, kAny, points);
  reader.Read("validation.codes", "u2", out.validation_codes, out.validation_traces.rows, d);
  for (std::size_t i = 0; i < kInputs; ++i) {
    const std::string input = kInputNames[i];
    reader.Read("posterior." + input + ".codes", "u2", out.posterior_codes[i], kAny, d);
    reader.Read("posterior." + input + ".log_density", "f8", out.posterior_log_density[i],
                out.posterior_codes[i].rows);
    reader.Read("map." + input + ".codes", "u2", out.map_codes[i], d);
    reader.Read("map." + input + ".trace", "f4", out.map_trace[i], points);
    reader.Read("ppc." + input + ".features", "f4", out.ppc_features[i], kAny, f);
    reader.Read("validation.map." + input + ".trace", "f4", out.validation_map_traces[i],
                out.validation_traces.rows, points);
    reader.Read("training." + input + ".loss", "f8", out.losses[i], kAny, 2);
    reader.Read("sbc." + input + ".ranks", "u4", out.sbc_ranks[i], kAny, d);
    reader.Read("sbc." + input + ".other_run.ranks", "u4", out.other_ranks[i], kAny, d);
    reader.ReadOptional("levels." + input, "f8", out.levels[i]);
    reader.ReadOptional("tarp." + input, "f8", out.tarp[i]);
    reader.ReadOptional("levels." + input + ".other_run", "f8", out.other_levels[i]);
    reader.ReadOptional("tarp." + input + ".other_run", "f8", out.other_tarp[i]);
    reader.Read("band." + input, "f8", out.band[i], kAny, 3);
  }
  if (Status ok = reader.status(); !ok) return tl::unexpected(ok.error());
  return out;
}

}  // namespace inferon::report
