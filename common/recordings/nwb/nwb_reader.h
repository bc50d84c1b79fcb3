// Neurodata Without Borders files, version 2 and 1, -> sweeps and recordings.
#pragma once

#include <filesystem>
#include <memory>

#include "common/recordings/recording_file.h"

namespace inferon::nwb {

// Lists the sweeps of an NWB file. Version 2: series in /acquisition, stimuli in
// /stimulus/presentation. Version 1, as the Allen Cell Types files:
// /acquisition/timeseries/Sweep_N, /stimulus/presentation/Sweep_N, /epochs/Experiment_N. kDataLoss
// where the file is damaged, kInvalidArgument where it is HDF5 but no NWB.
Result<std::unique_ptr<RecordingFile>> OpenNwb(const std::filesystem::path& path,
                                               const ReadOptions& options);

}  // namespace inferon::nwb
