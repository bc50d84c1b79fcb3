#include "tests/recordings/nwb_files.h"

#include <hdf5.h>

#include <cmath>
#include <string_view>

namespace inferon::testing {
namespace {

void WriteText(hid_t object, const char* name, const std::string& text) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, text.size() + 1);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, text.c_str());
  H5Aclose(attribute), H5Sclose(space), H5Tclose(type);
}

void WriteNumber(hid_t object, const char* name, double value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute =
      H5Acreate2(object, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value);
  H5Aclose(attribute), H5Sclose(space);
}

hid_t WriteScalar(hid_t group, const char* name, double value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t dataset =
      H5Dcreate2(group, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
  H5Sclose(space);
  return dataset;
}

hid_t WriteArray(hid_t group, const char* name, const std::vector<double>& values, hid_t type) {
  const hsize_t size = values.size();
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Sclose(space);
  return dataset;
}

// A dataset that declares more than it holds.
hid_t WriteClaim(hid_t group, std::size_t claimed) {
  const hsize_t size = claimed, chunk = 1024;
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(list, 1, &chunk);
  const hid_t dataset =
      H5Dcreate2(group, "data", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  H5Pclose(list), H5Sclose(space);
  return dataset;
}

hid_t WriteFiltered(hid_t group, const SeriesSpec& series) {
  const hsize_t size = series.data.size();
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(list, 1, &size);
  H5Pset_filter(list, series.filter, H5Z_FLAG_MANDATORY, 0, nullptr);
  const hid_t dataset =
      H5Dcreate2(group, "data", H5T_IEEE_F64LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, series.data.data());
  H5Pclose(list), H5Sclose(space);
  return dataset;
}

hid_t WriteStrings(hid_t group, const char* name, const std::vector<std::string>& texts) {
  constexpr std::size_t kSize = 32;
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, kSize);
  std::string bytes(texts.size() * kSize, '\0');
  for (std::size_t i = 0; i < texts.size(); ++i)
    bytes.replace(i * kSize, texts[i].size(), texts[i]);
  const hsize_t size = texts.size();
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  H5Sclose(space), H5Tclose(type);
  return dataset;
}

hid_t MakeGroup(hid_t file, const std::string& path) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t group = H5Gcreate2(file, path.c_str(), links, H5P_DEFAULT, H5P_DEFAULT);
  H5Pclose(links);
  return group;
}

hid_t WriteData(hid_t group, const SeriesSpec& series) {
  if (series.claimed > 0) return WriteClaim(group, series.claimed);
  if (series.filter != 0) return WriteFiltered(group, series);
  if (series.as_text) return WriteStrings(group, "data", {"no", "numbers"});
  return WriteArray(group, "data", series.data, series.as_int16 ? H5T_STD_I16LE : H5T_IEEE_F64LE);
}

void WriteSeries(hid_t file, const SeriesSpec& series) {
  const hid_t group = MakeGroup(file, series.path);
  const hid_t data = WriteData(group, series);
  if (!series.unit.empty()) WriteText(data, "unit", series.unit);
  WriteNumber(data, "conversion", series.conversion);
  if (series.offset != 0) WriteNumber(data, "offset", series.offset);
  H5Dclose(data);
  if (series.rate_hz != 0) {
    const hid_t start = WriteScalar(group, "starting_time", series.start_s);
    WriteNumber(start, "rate", series.rate_hz);
    H5Dclose(start);
  }
  if (!series.timestamps.empty()) {
    H5Dclose(WriteArray(group, "timestamps", series.timestamps, H5T_IEEE_F64LE));
  }
  if (!series.type.empty()) WriteText(group, "neurodata_type", series.type);
  if (!series.electrode.empty()) {
    const std::string target = "/general/" + series.electrode;
    if (H5Lexists(file, "/general", H5P_DEFAULT) <= 0 ||
        H5Lexists(file, target.c_str(), H5P_DEFAULT) <= 0) {
      H5Gclose(MakeGroup(file, target));
    }
    H5Lcreate_soft(target.c_str(), group, "electrode", H5P_DEFAULT, H5P_DEFAULT);
  }
  if (series.sweep_number) WriteNumber(group, "sweep_number", *series.sweep_number);
  H5Gclose(group);
}

// A column of references to series, as NWB 2 has them: index of the first sample, count, series.
void WriteReferences(hid_t file, const std::string& group, const char* name,
                     const std::vector<std::string>& paths) {
  struct Row {
    int start = 0, count = 0;
    hobj_ref_t series = 0;
  };
  std::vector<Row> rows(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].empty()) H5Rcreate(&rows[i].series, file, paths[i].c_str(), H5R_OBJECT, -1);
  }
  const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(Row));
  H5Tinsert(type, "idx_start", HOFFSET(Row, start), H5T_NATIVE_INT);
  H5Tinsert(type, "count", HOFFSET(Row, count), H5T_NATIVE_INT);
  H5Tinsert(type, "timeseries", HOFFSET(Row, series), H5T_STD_REF_OBJ);
  const hsize_t size = rows.size();
  const hid_t space = H5Screate_simple(1, &size, nullptr), where = MakeGroup(file, group);
  const hid_t dataset = H5Dcreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data());
  H5Dclose(dataset), H5Gclose(where), H5Sclose(space), H5Tclose(type);
}

void WritePairs(hid_t file, const std::vector<std::pair<std::string, std::string>>& pairs) {
  if (pairs.empty()) return;
  std::vector<std::string> responses, stimuli;
  for (const auto& [response, stimulus] : pairs) {
    responses.push_back(response), stimuli.push_back(stimulus);
  }
  const std::string table = "/general/intracellular_ephys/intracellular_recordings";
  WriteReferences(file, table + "/responses", "response", responses);
  WriteReferences(file, table + "/stimuli", "stimulus", stimuli);
}

}  // namespace

void WriteHdf5(const std::filesystem::path& path, const FileSpec& spec) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  for (const SeriesSpec& series : spec.series) WriteSeries(file, series);
  for (const EpochSpec& epoch : spec.epochs) {
    const hid_t group =
        MakeGroup(file, "/epochs/Experiment_" + std::to_string(epoch.number) + "/stimulus");
    H5Dclose(WriteScalar(group, "idx_start", epoch.start));
    H5Dclose(WriteScalar(group, "count", epoch.count));
    H5Gclose(group);
  }
  WritePairs(file, spec.pairs);
  if (!spec.pipeline_version.empty()) {
    const hid_t group = MakeGroup(file, "/general");
    H5Dclose(
        WriteStrings(group, "generated_by", {"pipeline", "x", "version", spec.pipeline_version}));
    H5Gclose(group);
  }
  H5Fclose(file);
}

std::vector<double> StepVoltage() {
  std::vector<double> volts;
  for (int k = 0; k < 6000; ++k) {
    const double t = 0.1 * k, phase = std::fmod(t - 100, 50) - 25;
    const bool on = t >= 100 && t < 400;
    double mv = on ? -55 : -70;
    if (on && phase >= 0 && phase < 2) mv += 80 * std::sin(phase * 1.5708);
    volts.push_back(1e-3 * mv);
  }
  return volts;
}

std::vector<double> StepCurrent() {
  std::vector<double> amperes;
  for (int k = 0; k < 6000; ++k) amperes.push_back(k >= 1000 && k < 4000 ? 200e-12 : 0);
  return amperes;
}

FileSpec Nwb2() {
  SeriesSpec response{.path = "/acquisition/CurrentClampSeries_04", .data = StepVoltage()};
  response.type = "CurrentClampSeries", response.sweep_number = 4;
  SeriesSpec stimulus{.path = "/stimulus/presentation/CurrentClampStimulusSeries_04",
                      .data = StepCurrent()};
  stimulus.unit = "amperes", stimulus.sweep_number = 4;
  stimulus.type = "CurrentClampStimulusSeries";
  return {.series = {response, stimulus}};
}

FileSpec Nwb1() {
  SeriesSpec response{.path = "/acquisition/timeseries/Sweep_4", .data = StepVoltage()};
  response.unit = "Volts";
  SeriesSpec stimulus{.path = "/stimulus/presentation/Sweep_4", .data = StepCurrent()};
  stimulus.unit = "Amps";
  return {.series = {response, stimulus}};
}

}  // namespace inferon::testing
