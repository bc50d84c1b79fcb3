// NumPy's NPZ: a ZIP archive of NPY files, stored without compression.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace inferon {

inline constexpr std::uint64_t kMaxNpzBytes = 0xFFFF0000;  // ZIP without its 64-bit extension.

// Packs files under names ("theta.npy") into an archive, replacing it. kInvalidArgument where they
// are too large together. Failures of the disk throw std::ios_base::failure or std::system_error.
Status WriteNpz(const std::filesystem::path& path,
                const std::vector<std::pair<std::string, std::filesystem::path>>& files);

}  // namespace inferon
