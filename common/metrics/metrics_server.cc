#include "common/metrics/metrics_server.h"

#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <spdlog/spdlog.h>

#include <limits>
#include <map>

namespace inferon {
namespace {

// Gathers samples into the families of Prometheus' library.
class FamilySink : public MetricSink {
 public:
  void Gauge(const std::string& name, const std::string& help, const Labels& labels,
             double value) override {
    Add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
  }
  void Counter(const std::string& name, const std::string& help, const Labels& labels,
               double value) override {
    Add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
  }
  void Distribution(const std::string& name, const std::string& help, const Labels& labels,
                    const Histogram::Snapshot& histogram) override {
    auto& out = Add(name, help, prometheus::MetricType::Histogram, labels).histogram;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      count += histogram.counts[i];
      const double bound = i < histogram.bounds.size() ? histogram.bounds[i]
                                                       : std::numeric_limits<double>::infinity();
      out.bucket.push_back({count, bound});
    }
    out.sample_count = count;
    out.sample_sum = histogram.sum;
  }

  std::vector<prometheus::MetricFamily> Take() {
    std::vector<prometheus::MetricFamily> all;
    for (auto& [name, family] : families_) all.push_back(std::move(family));
    return all;
  }

 private:
  prometheus::ClientMetric& Add(const std::string& name, const std::string& help,
                                prometheus::MetricType type, const Labels& labels) {
    prometheus::MetricFamily& family = families_[name];
    family.name = name;
    family.help = help;
    family.type = type;
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    for (const auto& [key, value] : labels) metric.label.push_back({key, value});
    return metric;
  }

  std::map<std::string, prometheus::MetricFamily> families_;
};

class Source : public prometheus::Collectable {
 public:
  explicit Source(CollectMetrics collect) : collect_(std::move(collect)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    FamilySink sink;
    try {
      collect_(sink);
    } catch (const std::exception& error) {
      spdlog::error("metrics: {}", error.what());
    }
    return sink.Take();
  }

 private:
  const CollectMetrics collect_;
};

class PrometheusServer : public MetricsServer {
 public:
  PrometheusServer(const std::string& address, CollectMetrics collect)
      : source_(std::make_shared<Source>(std::move(collect))), exposer_(address, 1) {
    exposer_.RegisterCollectable(source_);
    const auto ports = exposer_.GetListeningPorts();
    address_ = fmt::format("{}:{}", address.substr(0, address.rfind(':')),
                           ports.empty() ? 0 : ports.front());
  }

  const std::string& address() const override { return address_; }

 private:
  const std::shared_ptr<Source> source_;  // Shared with the library's weak pointer.
  prometheus::Exposer exposer_;
  std::string address_;
};

}  // namespace

Result<std::unique_ptr<MetricsServer>> StartMetricsServer(const std::string& address,
                                                          CollectMetrics collect) {
  const auto colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  if (colon == std::string::npos || (host != "127.0.0.1" && host != "[::1]")) {
    return InvalidArgument(
        fmt::format("metrics are served on the loopback only, not on '{}'", address),
        "Give 127.0.0.1:PORT; let a Prometheus of this machine scrape it");
  }
  try {
    return std::unique_ptr<MetricsServer>(
        std::make_unique<PrometheusServer>(address, std::move(collect)));
  } catch (const std::exception&) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("metrics cannot be served on {}", address),
                "Choose another port; this one is in use or not permitted");
  }
}

}  // namespace inferon
