// How often each method was called, how it ended and how long it took.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/metrics/metrics.h"

namespace inferon {

// Thread-safe.
class CallStatistics {
 public:
  // `code` as gRPC names it: "OK", "PERMISSION_DENIED".
  void Count(const std::string& method, const std::string& code, double seconds);
  void Collect(MetricSink& sink) const;

 private:
  struct Method {
    Histogram seconds{TimeBounds()};
    std::map<std::string, double> codes;
  };

  mutable std::mutex mu_;
  std::map<std::string, std::unique_ptr<Method>> methods_;  // Guarded by mu_.
};

}  // namespace inferon
