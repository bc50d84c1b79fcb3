// The trainer as a server: everything that `inferon-trainer` is made of.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/rpc/call_guard.h"
#include "common/rpc/client_security.h"
#include "common/rpc/tls.h"
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
  rpc::ServerTls tls;
  rpc::GuardOptions guard;
  rpc::ClientSecurity security;  // Towards the scheduler.
  std::string metrics;           // Loopback address for Prometheus; empty: none.
};

// A running trainer. Its destructor stops it: queries and watches end, a study stays where it is.
class TrainerServer {
 public:
  virtual ~TrainerServer() = default;
  virtual const std::string& address() const = 0;
  // Where Prometheus scrapes; empty without.
  virtual std::string metrics_address() const = 0;
};

// kFailedPrecondition where the folder or the port is in use, or certificates or tokens cannot be
// used. Goes on with the studies that run.
Result<std::unique_ptr<TrainerServer>> StartTrainer(const TrainerOptions& options,
                                                    EstimatorFactory& factory, Clock& clock);

}  // namespace inferon::trainer
