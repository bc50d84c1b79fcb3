// Models as people and programs see them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "inferon/v1/inference.pb.h"

namespace inferon::cli {

// "demo-summary" and "models/demo-summary" both mean that model.
std::string ModelName(const std::string& given);
nlohmann::json ModelJson(const v1::Model& model);
// "200 to 1200 us, recorded for 1400 us on a grid of 1 us".
std::string DescribeSteps(const v1::Protocol& protocol);

}  // namespace inferon::cli
