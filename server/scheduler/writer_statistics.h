// What the process has written: Prometheus' view is one of a process, and a process has one writer.
#pragma once

#include "common/metrics/histogram.h"

namespace inferon::scheduler {

struct WriterStatistics {
  Histogram changes{CountBounds()};        // In a transaction.
  Histogram commit_seconds{TimeBounds()};  // Syncing the segments and committing.
};

// Thread-safe.
WriterStatistics& ProcessWriterStatistics();

}  // namespace inferon::scheduler
