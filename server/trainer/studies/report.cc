#include "server/trainer/studies/report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "server/trainer/studies/array_file.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

json NumberOrNull(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }
double NumberFrom(const json& j) { return j.is_null() ? kUnknown : j.get<double>(); }

json NumberJson(const ReportNumber& n) {
  return {{"key", n.key},
          {"label", n.label},
          {"value", NumberOrNull(n.value)},
          {"low", NumberOrNull(n.low)},
          {"high", NumberOrNull(n.high)},
          {"unit", n.unit},
          {"paper", n.paper},
          {"provenance", n.provenance}};
}

ReportNumber NumberFromJson(const json& j) {
  return {j.at("key").get<std::string>(),   j.at("label").get<std::string>(),
          NumberFrom(j.at("value")),        NumberFrom(j.at("low")),
          NumberFrom(j.at("high")),         j.at("unit").get<std::string>(),
          j.at("paper").get<std::string>(), j.at("provenance").get<std::string>()};
}

Result<ReportArray> ReadArray(const std::filesystem::path& folder, const json& j) {
  ReportArray array{.name = j.at("name").get<std::string>(),
                    .dtype = j.at("dtype").get<std::string>()};
  const auto file = MappedFile::Open(folder / (array.name + ".npy"), "<" + array.dtype);
  if (!file) return tl::unexpected(file.error());
  array.shape = (*file)->shape();
  array.bytes = (*file)->bytes();
  return array;
}

}  // namespace

void WriteReport(const std::filesystem::path& study_folder, const Report& report) {
  const std::filesystem::path folder = study_folder / "report";
  std::filesystem::create_directories(folder);
  json j = {{"schema", 1},
            {"numbers", json::array()},
            {"parameters", report.parameters},
            {"features", report.features},
            {"arrays", json::array()}};
  for (const ReportNumber& number : report.numbers) j["numbers"].push_back(NumberJson(number));
  for (const ReportArray& array : report.arrays) {
    WriteArrayBytes(folder / (array.name + ".npy"), "<" + array.dtype, array.shape, array.bytes);
    j["arrays"].push_back({{"name", array.name}, {"dtype", array.dtype}});
  }
  WriteFileAtomically(folder / "report.json", j.dump(1) + "\n");
}

Result<Report> ReadReport(const std::filesystem::path& study_folder) {
  const std::filesystem::path folder = study_folder / "report";
  const auto text = ReadFile(folder / "report.json");
  if (!text) return tl::unexpected(text.error());
  try {
    const json j = json::parse(*text);
    Report report;
    for (const json& number : j.at("numbers")) report.numbers.push_back(NumberFromJson(number));
    j.at("parameters").get_to(report.parameters);
    j.at("features").get_to(report.features);
    for (const json& entry : j.at("arrays")) {
      auto array = ReadArray(folder, entry);
      if (!array) return tl::unexpected(array.error());
      report.arrays.push_back(std::move(*array));
    }
    return report;
  } catch (const json::exception& e) {
    return Fail(ErrorCode::kDataLoss, fmt::format("report.json is damaged: {}", e.what()),
                "Restore the study's folder or start a new study");
  }
}

}  // namespace inferon::trainer
