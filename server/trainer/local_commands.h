// inferon-trainer dataset|model|posterior: the engine on a local data folder, without servers.
#pragma once

#include <functional>
#include <stop_token>

#include "server/trainer/engine/local_engine.h"

namespace CLI {
class App;
}

namespace inferon::trainer {

struct LocalFlags {
  bool json = false;
};

// Adds the commands. `selected` becomes what the command line asks for; it takes the engine's
// options and a stop token, and returns the exit code.
using LocalRun = std::function<int(const LocalEngineOptions& options, std::stop_token stop)>;
void AddLocalCommands(CLI::App& app, LocalFlags& flags, LocalRun& selected);

}  // namespace inferon::trainer
