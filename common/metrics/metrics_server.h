// The port that Prometheus scrapes.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/metrics/metrics.h"

namespace inferon {

// Serves http://ADDRESS/metrics for as long as it lives. Numbers only: no names of jobs, no
// secrets.
class MetricsServer {
 public:
  virtual ~MetricsServer() = default;
  virtual const std::string& address() const = 0;
};

// `address`: HOST:PORT; port 0: any free one. `collect` is called for each scrape, on a thread of
// the server; where it throws, the scrape has what came before. kInvalidArgument for an address
// that is not one of the loopback; kFailedPrecondition where the port is in use.
Result<std::unique_ptr<MetricsServer>> StartMetricsServer(const std::string& address,
                                                          CollectMetrics collect);

}  // namespace inferon
