// The report of a study: numbers with their provenance and the arrays behind the figures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace inferon::trainer {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

struct ReportNumber {
  std::string key;
  std::string label;
  double value = kUnknown;
  double low = kUnknown;  // 95 % interval.
  double high = kUnknown;
  std::string unit;   // "share", "nats", "codes", "experiments", "seconds", "us", "counts", "".
  std::string paper;  // The paper's figure as text; may be empty.
  std::string provenance;
};

struct ReportArray {
  std::string name;
  std::string dtype;  // "u2", "u4", "f4", "f8"
  std::vector<std::uint64_t> shape;
  std::string bytes;  // Little-endian, C order.
};

struct Report {
  std::vector<ReportNumber> numbers;
  std::vector<std::string> parameters;  // Names of the free parameters, in the order of the codes.
  std::vector<std::string> features;
  std::vector<ReportArray> arrays;
};

// Writes report/report.json and report/<array>.npy, report.json last.
void WriteReport(const std::filesystem::path& study_folder, const Report& report);
// kNotFound where there is none.
Result<Report> ReadReport(const std::filesystem::path& study_folder);

}  // namespace inferon::trainer
