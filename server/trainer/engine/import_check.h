// What an import refuses, drops and warns of. Pure but for its counters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/inference/engine.h"

namespace inferon::trainer {

// Looks at rows as they come; not thread-safe.
class ImportCheck {
 public:
  explicit ImportCheck(const DataSetSpec& spec);

  // Removes rows that are to be dropped. kInvalidArgument where the block's shape, a value that is
  // not finite or a theta outside of the prior's support forbids the import; rows are counted from
  // 1 over the whole import.
  Status Take(DataSetRows& rows);
  // At the end: kInvalidArgument without rows or where a parameter or all of x never varies.
  Status Finish() const;

  std::uint64_t kept() const { return kept_; }
  std::uint64_t dropped() const { return dropped_; }
  // Columns of x that never vary, columns with missing values.
  std::vector<std::string> Warnings() const;

 private:
  struct Range {
    double low, high;
    std::uint64_t missing = 0;
    bool Varies() const { return high > low; }
  };
  // Empty where the row is good; what is wrong with it otherwise.
  std::string InvalidValue(const double* theta, const float* x) const;
  Status CheckSupport(const double* theta) const;
  void Note(const double* theta, const float* x);
  std::string ColumnName(std::size_t c) const;

  const DataSetSpec& spec_;
  std::uint64_t seen_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<Range> theta_, x_;
};

}  // namespace inferon::trainer
