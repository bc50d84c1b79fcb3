// What the scheduler tells Prometheus about itself.
#pragma once

#include "common/metrics/metrics.h"

namespace inferon::scheduler {

class Core;

// Queue by project, workers by state and health, leases. Read from the disk and from memory at each
// call.
void CollectMetrics(Core& core, MetricSink& sink);

}  // namespace inferon::scheduler
