// Which parameters a restricted query fixes, asks about and integrates out.
#pragma once

#include <cstddef>
#include <vector>

#include "common/base/result.h"
#include "common/priors/prior.h"
#include "common/priors/restriction.h"

namespace inferon {

// Columns of theta; every column is in one of the three.
struct Partition {
  std::vector<std::size_t> fixed;
  std::vector<double> values;     // [fixed], in their own units.
  std::vector<std::size_t> kept;  // In the order of the answer's columns.
  std::vector<std::size_t> rest;  // Integrated out.
  // All but the fixed ones.
  std::vector<std::size_t> Free() const;
};

// kInvalidArgument for a name that is unknown, twice, or both fixed and asked about; a value that
// is not finite or outside its prior's support; and where nothing is left to ask about.
Result<Partition> Divide(const Prior& prior, const Restriction& restriction);

// Whole numbers low..high, equally likely, for each name: DAC codes as a prior.
Prior IntegerPrior(const std::vector<std::string>& names, double low, double high);

}  // namespace inferon
