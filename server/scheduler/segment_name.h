// Names of segment files.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace inferon::scheduler {

// seg-000001.dat, seg-000002.dat, ...
inline std::string SegmentName(std::uint32_t segment) {
  return fmt::format("seg-{:06}.dat", segment);
}

}  // namespace inferon::scheduler
