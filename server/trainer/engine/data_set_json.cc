#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "server/trainer/engine/data_set_store.h"

namespace inferon::trainer {
namespace {

using Json = nlohmann::json;

std::int64_t Microseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

tl::unexpected<Error> Damaged(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, fmt::format("dataset.json is damaged: {}", what),
              "Restore the data set's folder or import it again");
}

Result<DataSetInfo> InfoFrom(const Json& json) {
  DataSetInfo info;
  json.at("id").get_to(info.spec.id);
  auto prior = ParsePrior(json.at("prior").dump());
  if (!prior) return Damaged(prior.error().message);
  info.spec.prior = std::move(*prior);
  json.at("columns").get_to(info.spec.columns);
  json.at("x_names").get_to(info.spec.x_names);
  json.at("traces").get_to(info.spec.traces);
  info.spec.project = json.value("project", info.spec.project);
  json.at("rows").get_to(info.rows);
  json.at("dropped").get_to(info.dropped);
  json.at("sha256").get_to(info.sha256);
  json.at("warnings").get_to(info.warnings);
  info.create_time =
      WallTime(std::chrono::microseconds(json.at("create_time_us").get<std::int64_t>()));
  return info;
}

}  // namespace

std::string DataSetJson(const DataSetInfo& info) {
  return Json{{"schema", kDataSetSchema},
              {"id", info.spec.id},
              {"prior", Json::parse(PriorJson(info.spec.prior))},
              {"columns", info.spec.columns},
              {"x_names", info.spec.x_names},
              {"traces", info.spec.traces},
              {"project", info.spec.project},
              {"rows", info.rows},
              {"dropped", info.dropped},
              {"sha256", info.sha256},
              {"warnings", info.warnings},
              {"create_time_us", Microseconds(info.create_time)}}
             .dump(1) +
         "\n";
}

Result<DataSetInfo> DataSetFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("schema") || !json["schema"].is_number_integer()) {
    return Damaged("it is no JSON object with a schema");
  }
  if (json["schema"].get<std::int64_t>() > kDataSetSchema) {
    return Fail(ErrorCode::kFailedPrecondition,
                "the data set was made by a later version of Inferon",
                "Use a version at least as new as the one that imported it");
  }
  try {
    return InfoFrom(json);
  } catch (const Json::exception& error) {
    return Damaged(error.what());
  }
}

}  // namespace inferon::trainer
