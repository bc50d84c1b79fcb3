#include "common/metrics/call_statistics.h"

#include <gtest/gtest.h>

namespace inferon {
namespace {

class RecordingSink : public MetricSink {
 public:
  void Gauge(const std::string&, const std::string&, const Labels&, double) override {}
  void Counter(const std::string& name, const std::string&, const Labels& labels,
               double value) override {
    counters[name + "/" + labels.at(0).second + "/" + labels.at(1).second] = value;
  }
  void Distribution(const std::string& name, const std::string&, const Labels& labels,
                    const Histogram::Snapshot& histogram) override {
    sums[name + "/" + labels.at(0).second] = histogram.sum;
  }
  std::map<std::string, double> counters, sums;
};

TEST(CallStatisticsTest, CallsAreCountedByMethodAndStatus) {
  CallStatistics statistics;
  statistics.Count("A.Get", "OK", 0.5);
  statistics.Count("A.Get", "OK", 0.25);
  statistics.Count("A.Get", "NOT_FOUND", 1);
  statistics.Count("A.List", "OK", 2);
  RecordingSink sink;
  statistics.Collect(sink);
  EXPECT_EQ(sink.counters,
            (std::map<std::string, double>{{"inferon_rpc_calls_total/A.Get/OK", 2},
                                           {"inferon_rpc_calls_total/A.Get/NOT_FOUND", 1},
                                           {"inferon_rpc_calls_total/A.List/OK", 1}}));
  EXPECT_EQ(sink.sums, (std::map<std::string, double>{{"inferon_rpc_seconds/A.Get", 1.75},
                                                      {"inferon_rpc_seconds/A.List", 2}}));
}

}  // namespace
}  // namespace inferon
