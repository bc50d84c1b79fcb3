// Small NWB files for tests, written with the HDF5 library itself.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace inferon::testing {

// One series (a group with data and starting_time).
struct SeriesSpec {
  std::string path;  // "/acquisition/Sweep_4"
  std::vector<double> data;
  double rate_hz = 10'000;     // 0: no starting_time.
  std::string unit = "volts";  // Empty: no unit.
  double conversion = 1;
  double offset = 0;   // Written unless 0.
  double start_s = 0;  // The starting time.
  int filter = 0;      // Number of a registered filter that compresses the data; 0: none.
  std::string type;    // neurodata_type; empty: none.
  std::optional<double> sweep_number;
  std::string electrode;           // Name of a group that the series links to; empty: none.
  bool as_int16 = false;           // Stored as rounded 16-bit integers.
  bool as_text = false;            // The data are strings: a wrong type.
  std::vector<double> timestamps;  // s; instead of starting_time.
  std::size_t claimed = 0;         // Declared length of a chunked dataset without any data.
};

// Epoch of NWB 1: samples [start, start + count) of sweep `number` are the experiment.
struct EpochSpec {
  int number = 0;
  int start = 0, count = 0;
};

struct FileSpec {
  std::vector<SeriesSpec> series;
  std::vector<EpochSpec> epochs;
  // NWB 2's table: paths of a response and its stimulus, the latter empty for none.
  std::vector<std::pair<std::string, std::string>> pairs;
  std::string pipeline_version;  // Of /general/generated_by; empty: none.
};

void WriteHdf5(const std::filesystem::path& path, const FileSpec& spec);

// 0.6 s at 10 kHz: rest at -70 mV, a step of 200 pA from 100 to 400 ms with a spike each 50 ms, the
// first 25 ms after the onset; in volts and amperes.
std::vector<double> StepVoltage();
std::vector<double> StepCurrent();

// One sweep, number 4, in NWB 2 and NWB 1.
FileSpec Nwb2();
FileSpec Nwb1();

}  // namespace inferon::testing
