// Options that say what an experiment is: profile, protocol, neuron. Shared by jobs and studies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"

namespace CLI {
class App;
}

namespace inferon::cli {

struct ProtocolOptions {
  std::vector<std::string> steps;  // START:STOP[:SCALE], us; empty: the profile's.
  std::optional<double> duration_us;
  std::optional<double> grid_step_us;
};

struct ExperimentOptions {
  std::string profile = "adex-paper";  // Name of a built-in profile, or a path to a TOML file.
  ProtocolOptions protocol;
  DeviceId device;
  std::string substrate = "emulator";
};

// Adds --step, --duration, --grid-step. `options` must live as long as the app.
void AddProtocolOptions(CLI::App& command, ProtocolOptions& options);
// Adds these and --profile, --chip, --neuron, --run, --substrate.
void AddExperimentOptions(CLI::App& command, ExperimentOptions& options);

// The profile's protocol with what the options replace. Refuses malformed steps and protocols.
Result<Protocol> MakeProtocol(const ProtocolOptions& options, const Protocol& profiles = {});
// A built-in profile by name, else the file at this path.
Result<Profile> FindProfile(const std::string& name_or_path);

}  // namespace inferon::cli
