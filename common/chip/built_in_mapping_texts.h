// Texts of the chip mappings that are compiled in (generated from the profiles folder).
#pragma once

#include <string_view>

namespace inferon {

extern const std::string_view kAdexPaperMappingToml;

}  // namespace inferon
