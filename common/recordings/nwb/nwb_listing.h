// Which sweeps an NWB file has and where they lie in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/recordings/nwb/hdf5_file.h"
#include "common/recordings/recording_file.h"

namespace inferon::nwb {

// Where one sweep lies in the file.
struct Series {
  std::string response;     // Group of the voltage,
  std::string stimulus;     // of the current; empty where there is none,
  std::string no_stimulus;  // and why, as a sentence without a full stop.
  std::string experiment;   // NWB 1: the epoch that says which samples are valid; may be empty.
};

struct Listing {
  int version = 0;                // 1 or 2; 0: no NWB file.
  std::vector<SweepInfo> sweeps;  // In order of their numbers,
  std::vector<Series> series;     // and where each lies.
};

Listing ListSweeps(const Hdf5File& file);

// Unit that a series declares; none where it declares none or "unknown".
std::optional<std::string> DeclaredUnit(const Hdf5File& file, const std::string& group);

}  // namespace inferon::nwb
