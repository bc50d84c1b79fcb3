// The whole scheduler in one object: core, clock tick, streams, services, port.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/call_guard.h"
#include "common/rpc/tls.h"
#include "server/scheduler/limits.h"

namespace inferon::scheduler {

struct SchedulerOptions {
  std::filesystem::path folder;  // Data folder; made where it is missing.
  std::string address = "127.0.0.1:0";
  Limits limits;
  std::chrono::milliseconds stop_time{5000};  // Calls under way have this long to finish.
  Clock* clock = &SystemClock();              // Not owned.
  rpc::ServerTls tls = {};
  rpc::GuardOptions guard = {};
  std::string metrics = {};  // Loopback address for Prometheus; empty: none.
};

// A running scheduler; the destructor stops it: streams are ended, calls under way finish (or are
// cancelled after stop_time), what is queued is written.
class SchedulerServer {
 public:
  virtual ~SchedulerServer() = default;
  virtual const std::string& address() const = 0;
  // Where Prometheus scrapes; empty without.
  virtual std::string metrics_address() const = 0;
};

// kFailedPrecondition where folder or port are taken, the schema is newer, or certificates or
// tokens cannot be used; kInvalidArgument for an address that is refused.
Result<std::unique_ptr<SchedulerServer>> StartScheduler(const SchedulerOptions& options);

}  // namespace inferon::scheduler
