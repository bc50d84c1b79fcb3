// The trainer as a server: everything that `inferon-trainer` is made of.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "server/trainer/estimator_factory.h"
#include "server/trainer/studies/study_manager.h"

namespace inferon::trainer {

struct TrainerOptions {
  std::filesystem::path folder;  // DATA: studies/, models/, datasets/, training/, lock.
  std::string address = "127.0.0.1:0";
  std::string scheduler;  // Address.
  std::size_t models_in_memory = 4;
  int most_queries = 16;
  int most_trainings = 4;  // Of models of data sets, at the same time.
  ManagerOptions manager;
};

// A running trainer. Its destructor stops it: queries and watches end, a study stays where it is.
class TrainerServer {
 public:
  virtual ~TrainerServer() = default;
  virtual const std::string& address() const = 0;
};

// kFailedPrecondition where the folder or the port is in use. Goes on with the studies that run.
Result<std::unique_ptr<TrainerServer>> StartTrainer(const TrainerOptions& options,
                                                    EstimatorFactory& factory, Clock& clock);

}  // namespace inferon::trainer
