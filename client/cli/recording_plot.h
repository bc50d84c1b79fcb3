// A sweep as a picture: voltage with its spikes, current below, the step shaded.
#pragma once

#include <filesystem>

#include "client/cli/recording_options.h"
#include "common/features/recording_features.h"

namespace inferon::cli {

// Writes an SVG, or, where the name ends in .png, a PNG by rsvg-convert. kInvalidArgument for
// another ending, kFailedPrecondition without that program.
Status PlotSweep(const std::string& file, const Sweep& sweep, const RecordingFeatures& features,
                 const std::filesystem::path& out);

}  // namespace inferon::cli
