#include "client/cli/experiment_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <string_view>

namespace inferon::cli {
namespace {

// Numbers between colons; empty where one of them is malformed.
std::vector<double> Numbers(std::string_view text) {
  std::vector<double> numbers;
  for (;;) {
    const auto colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    double value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size()) return {};
    numbers.push_back(value);
    if (colon == std::string_view::npos) return numbers;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace

void AddProtocolOptions(CLI::App& command, ProtocolOptions& options) {
  command
      .add_option("--step", options.steps,
                  "Interval of stimulus current in us, with its amplitude relative to the "
                  "profile's; may be repeated")
      ->default_str("the profile's")
      ->type_name("START:STOP[:SCALE]")
      ->group("Protocol");
  command.add_option("--duration", options.duration_us, "Length of the recording in us")
      ->default_str("the profile's")
      ->group("Protocol");
  command.add_option("--grid-step", options.grid_step_us, "Step of the stored grid in us")
      ->default_str("the profile's")
      ->group("Protocol");
}

void AddExperimentOptions(CLI::App& command, ExperimentOptions& options) {
  command.add_option("--profile", options.profile, "Built-in profile or TOML file")
      ->type_name("NAME|FILE");
  command.add_option("--chip", options.device.chip, "Chip")->group("Neuron");
  command.add_option("--neuron", options.device.neuron, "Neuron on the chip")
      ->check(CLI::Range(0u, kMaxNeuron))
      ->group("Neuron");
  command.add_option("--run", options.device.run, "Hardware run, each with its own drift")
      ->check(CLI::Range(0u, kMaxRun))
      ->group("Neuron");
  command.add_option("--substrate", options.substrate, "Kind of substrate")
      ->check(CLI::IsMember({"emulator", "brainscales2"}))
      ->group("Neuron");
  AddProtocolOptions(command, options.protocol);
}

Result<Protocol> MakeProtocol(const ProtocolOptions& options, const Protocol& profiles) {
  Protocol protocol = profiles;
  if (options.duration_us) protocol.duration_us = *options.duration_us;
  if (options.grid_step_us) protocol.grid_step_us = *options.grid_step_us;
  if (!options.steps.empty()) protocol.steps.clear();
  for (const std::string& text : options.steps) {
    const std::vector<double> numbers = Numbers(text);
    if (numbers.size() != 2 && numbers.size() != 3) {
      return InvalidArgument(fmt::format("'{}' is not a step of current", text),
                             "Give START:STOP or START:STOP:SCALE in us, for example 200:1200:1");
    }
    protocol.steps.push_back({numbers[0], numbers[1], numbers.size() == 3 ? numbers[2] : 1.0});
  }
  if (Status ok = ValidateProtocol(protocol); !ok) return tl::unexpected(ok.error());
  return protocol;
}

Result<Profile> FindProfile(const std::string& name_or_path) {
  const std::vector<std::string> names = BuiltInProfileNames();
  if (std::find(names.begin(), names.end(), name_or_path) != names.end()) {
    return BuiltInProfile(name_or_path);
  }
  Result<Profile> profile = LoadProfile(name_or_path);
  if (!profile && profile.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("'{}' is neither a built-in profile nor a file", name_or_path),
                fmt::format("Give a path to a TOML file, or one of: {}", fmt::join(names, ", ")));
  }
  return profile;
}

}  // namespace inferon::cli
