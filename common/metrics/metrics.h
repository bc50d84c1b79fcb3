// Metrics in Prometheus' terms: whoever has some writes them into a sink when somebody asks.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/metrics/histogram.h"

namespace inferon {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Samples of one name come with the same help and the same kind.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  // A value that goes up and down.
  virtual void Gauge(const std::string& name, const std::string& help, const Labels& labels,
                     double value) = 0;
  // A value that only rises while the process lives; its name ends in _total.
  virtual void Counter(const std::string& name, const std::string& help, const Labels& labels,
                       double value) = 0;
  virtual void Distribution(const std::string& name, const std::string& help, const Labels& labels,
                            const Histogram::Snapshot& histogram) = 0;
};

using CollectMetrics = std::function<void(MetricSink&)>;

}  // namespace inferon
