// Training pairs: what is refused, and theta as a training sees it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/philox.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::estimators {

// kInvalidArgument where theta, x and the options do not fit, or a theta is out of range.
Status CheckPairs(const FlowOptions& options, const PairData& data);
// A trace with a value that is not finite cannot be trained on; a feature like that is missing.
Status CheckTraces(const RowSource& x);
// Digest of all of theta and of a few hundred rows of x: enough to tell two data sets apart.
std::string DescribePairs(const PairData& data);
// Some training rows (they are in random order), row-major.
std::vector<float> FirstRows(const RowSource& x, std::span<const std::uint32_t> rows,
                             std::size_t most);
// Writes theta of the rows to out [rows, dimension]: a place in each cell that (key, epoch, row)
// chooses.
void FillTheta(const PairData& data, std::size_t dimension, std::span<const std::uint32_t> rows,
               PhiloxKey key, std::uint64_t epoch, float* out);

}  // namespace inferon::estimators
