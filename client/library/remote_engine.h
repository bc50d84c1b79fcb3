// The inference engine behind a trainer's gRPC address.
#pragma once

#include <memory>

#include "client/library/trainer_client.h"
#include "common/inference/engine.h"

namespace inferon::client {

// Connects lazily: a trainer that is down shows in the first call (kUnavailable). An import is not
// tried again by itself, since its rows have gone by; a broken training is, and goes on.
std::unique_ptr<InferenceEngine> MakeRemoteEngine(const TrainerClientOptions& options);

}  // namespace inferon::client
