// SVG files as PNG, by a program of the system.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace inferon::report {

// Runs `program` (rsvg-convert) at twice the SVG's size; without a shell. kFailedPrecondition where
// there is no such program, kInternal with its exit code where it fails.
Status ConvertToPng(const std::string& program, const std::filesystem::path& svg,
                    const std::filesystem::path& png);

}  // namespace inferon::report
