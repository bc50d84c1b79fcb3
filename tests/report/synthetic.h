// A report as a small study could give it, made from nothing but a seed.
#pragma once

#include <cstdint>

#include "client/report/report.h"

namespace inferon::report {

struct SyntheticOptions {
  std::uint64_t seed = 1;
  std::size_t draws = 300;  // Of each posterior.
  std::size_t uniform = 4000;
  bool calibration = true;  // Training, ranks and coverage too.
};

ReportData MakeSyntheticReport(const SyntheticOptions& options = {});

// Appends an array of numbers as bytes of T.
template <typename T>
void AddArray(ReportData& data, const std::string& name, const std::string& dtype,
              std::vector<std::uint64_t> shape, const std::vector<double>& values) {
  std::vector<T> raw(values.begin(), values.end());
  data.arrays.push_back(
      {name, dtype, std::move(shape),
       std::string(reinterpret_cast<const char*>(raw.data()), raw.size() * sizeof(T))});
}

}  // namespace inferon::report
