#include "worker/brainscales2/provenance.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace inferon::worker {
namespace {

using Json = nlohmann::json;

// The protocol belongs to it: features of stored observations need the stimulus window.
Json ProtocolJson(const Protocol& protocol) {
  Json steps = Json::array();
  for (const CurrentStep& step : protocol.steps) {
    steps.push_back({step.start_us, step.stop_us, step.scale});
  }
  return {{"steps", steps},
          {"duration_us", protocol.duration_us},
          {"grid_step_us", protocol.grid_step_us}};
}

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json CanaryJson(const ProvenanceInput& input) {
  if (input.canary_age_s < 0) return nullptr;
  return {{"age_s", input.canary_age_s},
          {"worst_sigma", std::isfinite(input.canary.worst_sigma) ? Json(input.canary.worst_sigma)
                                                                  : Json(nullptr)},
          {"worst_feature", input.canary.worst},
          {"kelvin", input.canary.kelvin},
          {"fault", input.canary.fault}};
}

}  // namespace

void RunTotals::Add(const BatchReply& reply) {
  hardware_us += reply.hardware_us;
  waiting_us += reply.waiting_us;
  ++programs;
  repeated += reply.repeated ? 1 : 0;
  saturated += reply.saturated;
  if (const auto celsius = reply.monitors.temperature_c) {
    coldest_c = std::min(coldest_c.value_or(*celsius), *celsius);
    warmest_c = std::max(warmest_c.value_or(*celsius), *celsius);
  }
  supply_v = reply.monitors.supply_v;
}

std::string MakeProvenance(const ProvenanceInput& input) {
  Json rules = Json::object();
  for (const FollowRule& rule : input.mapping.follow) rules[rule.field] = rule.Text();
  const RunTotals& totals = input.totals;
  const RunRequest& request = input.request;
  const Json provenance = {
      {"substrate", "brainscales2"},
      {"mode", input.hello.mode},
      {"chip", request.device.chip},
      {"neuron", request.device.neuron},
      {"run", request.device.run},
      {"seed", request.seed},
      {"profile", request.profile.name},
      {"profile_sha256", request.profile.sha256},
      {"chip_mapping", input.mapping.name},
      {"chip_mapping_sha256", input.mapping.sha256},
      {"rules", rules},
      {"protocol", ProtocolJson(request.protocol)},
      {"calibration_id", input.calibration_id},
      {"bitfile", input.hello.bitfile},
      {"repository", input.hello.repository},
      {"child_version", input.hello.child_version},
      {"versions", input.hello.versions},
      {"health", Name(input.health.health)},
      {"drifted", input.health.health != DeviceHealth::kGood},
      {"canary", CanaryJson(input)},
      {"temperature_c", {Optional(totals.coldest_c), Optional(totals.warmest_c)}},
      {"supply_v", totals.supply_v},
      {"hardware_us", totals.hardware_us},
      {"waiting_us", totals.waiting_us},
      {"programs", totals.programs},
      {"programs_repeated", totals.repeated},
      {"saturated_experiments", totals.saturated}};
  return provenance.dump();
}

}  // namespace inferon::worker
