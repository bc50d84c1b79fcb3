#include "server/trainer/registry/neuron_json.h"

#include <nlohmann/json.hpp>

namespace inferon::trainer {

nlohmann::json ToJson(const Protocol& protocol) {
  nlohmann::json steps = nlohmann::json::array();
  for (const CurrentStep& step : protocol.steps) {
    steps.push_back(
        {{"start_us", step.start_us}, {"stop_us", step.stop_us}, {"scale", step.scale}});
  }
  return {{"steps", steps},
          {"duration_us", protocol.duration_us},
          {"grid_step_us", protocol.grid_step_us}};
}

Protocol ProtocolFromJson(const nlohmann::json& json) {
  Protocol protocol;
  protocol.steps.clear();
  for (const nlohmann::json& step : json.at("steps")) {
    protocol.steps.push_back({step.at("start_us").get<double>(), step.at("stop_us").get<double>(),
                              step.at("scale").get<double>()});
  }
  protocol.duration_us = json.at("duration_us").get<double>();
  protocol.grid_step_us = json.at("grid_step_us").get<double>();
  return protocol;
}

nlohmann::json ToJson(const DeviceId& device) {
  return {{"chip", device.chip}, {"neuron", device.neuron}, {"run", device.run}};
}

DeviceId DeviceFromJson(const nlohmann::json& json) {
  return {json.at("chip").get<std::string>(), json.at("neuron").get<std::uint32_t>(),
          json.at("run").get<std::uint32_t>()};
}

}  // namespace inferon::trainer
