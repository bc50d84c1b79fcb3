// A trainer's parts around a temporary folder, with the toy neuron and the histogram estimators.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "server/trainer/studies/study_manager.h"
#include "tests/trainer/histogram_estimators.h"
#include "tests/trainer/toy_experiments.h"

namespace inferon::trainer {

// One life of a trainer on a data folder.
class TrainerParts {
 public:
  explicit TrainerParts(const std::filesystem::path& data, ManagerOptions options = {});

  FakeClock clock;
  ToyExperiments experiments;
  std::unique_ptr<EstimatorFactory> factory;
  Registry registry;
  const std::filesystem::path data;
  const ManagerOptions options;

  // Starts the manager; call once what the toy answers is set.
  StudyManager& Manager();
  // Waits until a study has ended (at most a minute of real time).
  StudyRecord Await(const std::string& id);
  // Creates the toy study and waits for its end.
  StudyRecord Run(const std::string& id = "toy", const StudySpec& spec = ToySpec());

 private:
  std::unique_ptr<StudyManager> manager_;
};

// Options with little work behind the diagnostics.
ManagerOptions QuickOptions();

// Content of every file of a finished study that must not depend on interruptions: all but
// study.json (its revision and the order in which tasks ended).
std::map<std::string, std::string> StableFiles(const std::filesystem::path& data);

}  // namespace inferon::trainer
