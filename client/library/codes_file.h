// Parameter sets in CSV files: a header of parameter names, one set of DAC codes a line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/parameters.h"

namespace inferon::client {

// Sets in the file's order, columns in the order of `names` (the file may have another). Refuses,
// with line and column: names that are missing, unknown or twice, cells that are not whole numbers
// 0..1022, lines of the wrong length, and a file without a set. `file` is its name in messages.
Result<ParameterSets> ParseCodes(std::string_view text, const std::string& file,
                                 const std::vector<std::string>& names);
Result<ParameterSets> ReadCodesFile(const std::filesystem::path& path,
                                    const std::vector<std::string>& names);

}  // namespace inferon::client
