// Protocol and device as JSON, for study.json and model.json.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/neuron/device.h"
#include "common/neuron/protocol.h"

namespace inferon::trainer {

// The From… functions throw nlohmann::json::exception on a damaged text.
nlohmann::json ToJson(const Protocol& protocol);
Protocol ProtocolFromJson(const nlohmann::json& json);
nlohmann::json ToJson(const DeviceId& device);
DeviceId DeviceFromJson(const nlohmann::json& json);

}  // namespace inferon::trainer
