#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "server/trainer/studies/array_file.h"
#include "server/trainer/studies/diagnostics.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;
using statistics::CalibrationResult;
using statistics::JointBand;
using statistics::ParameterTests;

constexpr const char* kOtherPrefix = "other_run.";

std::filesystem::path Path(const StudyContext& study, const std::string& input,
                           const std::string& what) {
  return study.folder / fmt::format("diagnostics.{}.{}", input, what);
}

template <typename T>
void Write(const StudyContext& study, const std::string& input, const std::string& what,
           const std::vector<T>& values, std::vector<std::uint64_t> shape) {
  WriteArray(Path(study, input, what + ".npy"), std::span<const T>(values), std::move(shape));
}

template <typename T>
Status Read(const StudyContext& study, const std::string& input, const std::string& what,
            std::vector<T>& values) {
  const auto array = MappedArray<T>::Open(Path(study, input, what + ".npy"));
  if (!array) return tl::unexpected(array.error());
  values.assign(array->values().begin(), array->values().end());
  return {};
}

json TestsJson(const RoundDiagnostics& round) {
  const CalibrationResult& tests = round.tests;
  json parameters = json::array(), all = json::array(), band = json::array();
  for (const ParameterTests& p : tests.parameters) {
    parameters.push_back({{"ks_p_value", p.ks_p_value},
                          {"band_p_value", p.band_p_value},
                          {"log_gamma", p.log_gamma},
                          {"contraction", p.contraction},
                          {"recovery", p.recovery},
                          {"mean_z", p.mean_z}});
  }
  for (const statistics::NamedTest& test : tests.tests) {
    all.push_back({{"name", test.name}, {"p_value", test.p_value}, {"adjusted", test.adjusted}});
  }
  for (const JointBand::Point& point : tests.band) {
    band.push_back({point.place, point.low, point.high});
  }
  return {{"draws", tests.draws},
          {"parameters", parameters},
          {"tests", all},
          {"band", band},
          {"coverage_p_value", tests.coverage_p_value},
          {"tarp_p_value", tests.tarp_p_value},
          {"area_to_curve", tests.atc},
          {"classifier_p_value", tests.classifier_p_value},
          {"smallest_adjusted", tests.smallest_adjusted},
          {"verdict", round.verdict},
          {"left_out", round.left_out},
          {"outlier_share", round.outlier_share}};
}

void TestsFrom(const json& j, RoundDiagnostics& round) {
  CalibrationResult& tests = round.tests;
  j.at("draws").get_to(tests.draws);
  for (const json& p : j.at("parameters")) {
    tests.parameters.push_back({p.at("ks_p_value"), p.at("band_p_value"), p.at("log_gamma"),
                                p.at("contraction"), p.at("recovery"), p.at("mean_z")});
  }
  for (const json& test : j.at("tests")) {
    tests.tests.push_back({test.at("name"), test.at("p_value"), test.at("adjusted")});
  }
  for (const json& point : j.at("band")) {
    tests.band.push_back({point.at(0), point.at(1), point.at(2)});
  }
  j.at("coverage_p_value").get_to(tests.coverage_p_value);
  j.at("tarp_p_value").get_to(tests.tarp_p_value);
  j.at("area_to_curve").get_to(tests.atc);
  j.at("classifier_p_value").get_to(tests.classifier_p_value);
  j.at("smallest_adjusted").get_to(tests.smallest_adjusted);
  j.at("verdict").get_to(round.verdict);
  j.at("left_out").get_to(round.left_out);
  j.at("outlier_share").get_to(round.outlier_share);
}

void WriteArrays(const StudyContext& study, const std::string& input, const std::string& prefix,
                 const RoundDiagnostics& round) {
  const std::uint64_t n = round.rows.size();
  Write(study, input, prefix + "heldout", round.heldout, {round.heldout.size()});
  Write(study, input, prefix + "rows", round.rows, {n});
  Write(study, input, prefix + "widths", round.widths, {n});
  Write(study, input, prefix + "ranks", round.tests.ranks, {n, study.dimension()});
  Write(study, input, prefix + "levels", round.tests.levels, {n});
  Write(study, input, prefix + "tarp", round.tests.tarp_levels, {n});
}

Status ReadArrays(const StudyContext& study, const std::string& input, const std::string& prefix,
                  RoundDiagnostics& round) {
  Status status = Read(study, input, prefix + "heldout", round.heldout);
  if (status) status = Read(study, input, prefix + "rows", round.rows);
  if (status) status = Read(study, input, prefix + "widths", round.widths);
  if (status) status = Read(study, input, prefix + "ranks", round.tests.ranks);
  if (status) status = Read(study, input, prefix + "levels", round.tests.levels);
  if (status) status = Read(study, input, prefix + "tarp", round.tests.tarp_levels);
  round.tests.pairs = round.rows.size();
  return status;
}

}  // namespace

bool HasDiagnostics(const StudyContext& study, const std::string& input) {
  return std::filesystem::exists(Path(study, input, "json"));
}

void WriteDiagnostics(const StudyContext& study, const std::string& input,
                      const Diagnostics& diagnostics) {
  WriteArrays(study, input, "", diagnostics.validation);
  json j = {{"validation", TestsJson(diagnostics.validation)},
            {"local_p_value", diagnostics.local_p_value},
            {"target_outlier_score", diagnostics.target_outlier_score}};
  if (diagnostics.other_run) {
    WriteArrays(study, input, kOtherPrefix, *diagnostics.other_run);
    j["other_run"] = TestsJson(*diagnostics.other_run);
  }
  study.At("diagnostics:" + input);
  WriteFileAtomically(Path(study, input, "json"), j.dump(1) + "\n");
}

Result<Diagnostics> ReadDiagnostics(const StudyContext& study, const std::string& input) {
  const auto text = ReadFile(Path(study, input, "json"));
  if (!text) return tl::unexpected(text.error());
  Diagnostics out;
  const json j = json::parse(*text, nullptr, false);
  try {
    TestsFrom(j.at("validation"), out.validation);
    j.at("local_p_value").get_to(out.local_p_value);
    j.at("target_outlier_score").get_to(out.target_outlier_score);
    if (j.contains("other_run")) TestsFrom(j.at("other_run"), out.other_run.emplace());
  } catch (const json::exception&) {
    return Fail(ErrorCode::kDataLoss, "the diagnostics of " + input + " are damaged",
                "Start a new study");
  }
  if (Status ok = ReadArrays(study, input, "", out.validation); !ok) {
    return tl::unexpected(ok.error());
  }
  if (out.other_run) {
    if (Status ok = ReadArrays(study, input, kOtherPrefix, *out.other_run); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return out;
}

}  // namespace inferon::trainer
