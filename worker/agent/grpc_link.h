// The link to a scheduler over gRPC.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/rpc/client_security.h"
#include "worker/agent/link.h"

namespace inferon::worker {

struct GrpcLinkOptions {
  std::string scheduler;  // Address.
  std::string worker;     // Worker id, [a-z0-9][a-z0-9-]{0,62}.
  std::string session;    // Random id of this process, 16..64 hex digits.
  std::string version;    // Of the software.
  SubstrateDescription substrate;
  std::chrono::milliseconds call_timeout{10'000};     // Of GetShard, CommitShard, FailShard.
  std::chrono::milliseconds upload_timeout{300'000};  // Of a whole upload.
  rpc::ClientSecurity security = {};
};

std::unique_ptr<Link> MakeGrpcLink(const GrpcLinkOptions& options);

// 32 random hex digits.
std::string RandomSession();

}  // namespace inferon::worker
