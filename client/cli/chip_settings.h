// A parameter set as settings of the vendor's tools.
#pragma once

#include <span>
#include <string>

#include "common/base/result.h"
#include "common/chip/chip_mapping.h"

namespace inferon::cli {

enum class ChipTool {
  kLola,  // Python statements on a lola.AtomicNeuron.
  kPynn,  // Keyword arguments of pynn_brainscales' HXNeuron.
};

// Text to paste. kInvalidArgument where a value is out of its field's range.
Result<std::string> ChipSettings(ChipTool tool, const ChipMapping& mapping, const Profile& profile,
                                 std::span<const std::uint16_t> codes);

}  // namespace inferon::cli
