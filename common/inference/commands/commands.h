// Commands about data sets, their models and posteriors: the same for the client of a trainer
// (inferon) and for the trainer program on a local folder (inferon-trainer). They know an engine, a
// screen and files; who runs them decides which.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "common/inference/commands/restriction_options.h"
#include "common/inference/engine.h"

namespace CLI {
class App;
}

namespace inferon::commands {

// Where results go.
class Screen {
 public:
  virtual ~Screen() = default;
  // For people.
  virtual void Print(const std::string& line) = 0;
  // Rows are as long as titles; titles that begin with '>' stand to the right.
  virtual void PrintTable(const std::vector<std::string>& titles,
                          const std::vector<std::vector<std::string>>& rows) = 0;
  // For programs, once a command.
  virtual void PrintJson(const nlohmann::json& object) = 0;
  virtual void Warn(const std::string& text) = 0;
  // `total` 0: unknown.
  virtual void Progress(const std::string& title, const std::string& unit, std::uint64_t done,
                        std::uint64_t total, const std::string& note) = 0;
  virtual void EndProgress() = 0;
};

// What is wrong, and whether with the user's own input (a file, an argument) or with the call.
struct Failure {
  Error error;
  bool input = false;
};
using Outcome = tl::expected<void, Failure>;

struct Context {
  InferenceEngine& engine;
  Screen& screen;
  std::stop_token stop;
};
using Command = std::function<Outcome(Context&)>;
// Makes `command` what happens when `app` is on the command line.
using OnSelected = std::function<void(CLI::App& app, Command command)>;

// "dataset import|list|export" below the app; "train" below the app's group of model commands; and
// "posterior check" below the group of posterior commands.
void AddDataSetCommands(CLI::App& app, const OnSelected& on_selected);
// Below the group of data set commands.
void AddExportCommand(CLI::App& data_sets, const OnSelected& on_selected);
void AddProposeCommand(CLI::App& data_sets, const OnSelected& on_selected);
void AddTrainCommand(CLI::App& models, const OnSelected& on_selected);
void AddCheckCommand(CLI::App& posteriors, const OnSelected& on_selected);

// A question about one row of numbers.
struct QueryOptions {
  std::string model;
  std::string observation;  // CSV or NPY: one row, or one column.
  std::uint64_t draws = 1000;
  std::uint64_t seed = 0;
  std::string out;           // .csv or .npy; empty: none.
  bool log_density = false;  // A last column of it.
  std::string theta;         // logprob: CSV or NPY.
  RestrictionOptions restriction = {};
};
Outcome Sample(Context& context, const QueryOptions& options);
Outcome Map(Context& context, const QueryOptions& options);
Outcome LogProb(Context& context, const QueryOptions& options);

}  // namespace inferon::commands
