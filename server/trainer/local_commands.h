// inferon-trainer dataset|model|posterior: the engine on a local data folder, without servers.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

namespace CLI {
class App;
}

namespace inferon::trainer {

struct LocalFlags {
  bool json = false;
};

// Adds the commands. `selected` becomes what the command line asks for; it takes the data folder,
// the threads of a training and a stop token, and returns the exit code.
using LocalRun = std::function<int(const std::string& folder, int threads, std::stop_token stop)>;
void AddLocalCommands(CLI::App& app, LocalFlags& flags, LocalRun& selected);

}  // namespace inferon::trainer
