#include "client/cli/model_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/format.h"
#include "common/rpc/convert.h"

namespace inferon::cli {

std::string ModelName(const std::string& given) {
  return given.find('/') == std::string::npos ? "models/" + given : given;
}

nlohmann::json ModelJson(const v1::Model& model) {
  const std::vector<std::string> aliases(model.aliases().begin(), model.aliases().end());
  if (!model.dataset().empty()) {
    return {{"name", model.name()},
            {"aliases", aliases},
            {"input", model.input()},
            {"dataset", model.dataset()},
            {"parameters",
             std::vector<std::string>(model.parameters().begin(), model.parameters().end())},
            {"columns", model.columns()},
            {"settings", nlohmann::json::parse(model.settings_json(), nullptr, false)},
            {"training_count", model.training_count()},
            {"dataset_sha256", model.dataset_sha256()},
            {"heldout_log_density", model.heldout_log_density()},
            {"seed", model.seed()},
            {"weight_count", model.weight_count()},
            {"weights_sha256", model.weights_sha256()},
            {"create_time", FormatTimeUtc(rpc::FromProto(model.create_time()))}};
  }
  nlohmann::json steps = nlohmann::json::array();
  for (const v1::CurrentStep& step : model.protocol().steps()) {
    steps.push_back(
        {{"start_us", step.start_us()}, {"stop_us", step.stop_us()}, {"scale", step.scale()}});
  }
  return {{"name", model.name()},
          {"aliases", aliases},
          {"input", model.input()},
          {"study", model.study()},
          {"parameters",
           std::vector<std::string>(model.parameters().begin(), model.parameters().end())},
          {"profile", model.profile()},
          {"profile_sha256", model.profile_sha256()},
          {"protocol",
           {{"steps", steps},
            {"duration_us", model.protocol().duration_us()},
            {"grid_step_us", model.protocol().grid_step_us()}}},
          {"chip", model.device().chip()},
          {"neuron", model.device().neuron()},
          {"run", model.device().run()},
          {"settings", model.settings_json().empty()
                           ? nlohmann::json()
                           : nlohmann::json::parse(model.settings_json(), nullptr, false)},
          {"training_count", model.training_count()},
          {"dataset_sha256", model.dataset_sha256()},
          {"heldout_log_density", model.heldout_log_density()},
          {"seed", model.seed()},
          {"weight_count", model.weight_count()},
          {"weights_sha256", model.weights_sha256()},
          {"acceptance", model.acceptance()},
          {"false_negative_rate", model.false_negative_rate()},
          {"false_negative_bound", model.false_negative_bound()},
          {"create_time", FormatTimeUtc(rpc::FromProto(model.create_time()))}};
}

std::string DescribeSteps(const v1::Protocol& protocol) {
  std::string text;
  for (const v1::CurrentStep& step : protocol.steps()) {
    text +=
        fmt::format("{}{:g} to {:g} us", text.empty() ? "" : ", ", step.start_us(), step.stop_us());
  }
  return fmt::format("{}, recorded for {:g} us on a grid of {:g} us",
                     text.empty() ? "no current" : text, protocol.duration_us(),
                     protocol.grid_step_us());
}

}  // namespace inferon::cli
