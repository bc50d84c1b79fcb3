#include "common/metrics/call_statistics.h"

namespace inferon {

void CallStatistics::Count(const std::string& method, const std::string& code, double seconds) {
  const std::lock_guard lock(mu_);
  auto& entry = methods_[method];
  if (!entry) entry = std::make_unique<Method>();
  ++entry->codes[code];
  entry->seconds.Observe(seconds);
}

void CallStatistics::Collect(MetricSink& sink) const {
  const std::lock_guard lock(mu_);
  for (const auto& [name, method] : methods_) {
    for (const auto& [code, count] : method->codes) {
      sink.Counter("inferon_rpc_calls_total", "Calls by method and status",
                   {{"method", name}, {"code", code}}, count);
    }
  }
  for (const auto& [name, method] : methods_) {
    sink.Distribution("inferon_rpc_seconds", "Time of calls", {{"method", name}},
                      method->seconds.Read());
  }
}

}  // namespace inferon
