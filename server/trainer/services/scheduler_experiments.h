// Experiments run by the scheduler.
#pragma once

#include <memory>

#include "common/rpc/scheduler_client.h"
#include "server/trainer/studies/experiments.h"

namespace inferon::trainer {

// The client outlives it; its retry policy says how long a scheduler that is away is waited for.
std::unique_ptr<Experiments> MakeSchedulerExperiments(rpc::SchedulerClient& client);

}  // namespace inferon::trainer
