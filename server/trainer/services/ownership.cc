#include "server/trainer/services/ownership.h"

#include "common/rpc/convert.h"

namespace inferon::trainer {
namespace {

std::optional<std::string> OfStudy(const std::string& id, const StudyManager& studies) {
  const auto record = studies.Get(id);
  return record ? std::optional("projects/" + record->spec.project) : std::nullopt;
}

std::optional<std::string> OfDataSet(const std::string& id, InferenceEngine& engine) {
  const auto all = engine.ListDataSets({});
  if (!all) return std::nullopt;
  for (const DataSetInfo& info : *all) {
    if (info.spec.id == id) return "projects/" + info.spec.project;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ProjectOf(const std::string& name, const StudyManager& studies,
                                     const Registry& registry, InferenceEngine& engine) {
  if (const auto id = rpc::ParseName(name, "studies")) return OfStudy(*id, studies);
  if (const auto id = rpc::ParseName(name, "datasets")) return OfDataSet(*id, engine);
  const auto id = rpc::ParseName(name, "models");
  if (!id) return std::nullopt;
  const auto record = registry.Get(*id);
  if (!record) return std::nullopt;
  return record->simulator ? OfDataSet(record->simulator->data_set, engine)
                           : OfStudy(record->study, studies);
}

}  // namespace inferon::trainer
