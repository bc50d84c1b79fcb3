#include "server/scheduler/core_metrics.h"

#include <map>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

// "name label=value ..." and the value.
class Samples : public MetricSink {
 public:
  void Gauge(const std::string& name, const std::string&, const Labels& labels,
             double value) override {
    std::string key = name;
    for (const auto& [label, text] : labels) key += " " + label + "=" + text;
    EXPECT_TRUE(values.emplace(key, value).second) << key << " comes twice";
  }
  void Counter(const std::string& name, const std::string& help, const Labels& labels,
               double value) override {
    Gauge(name, help, labels, value);
  }
  void Distribution(const std::string&, const std::string&, const Labels&,
                    const Histogram::Snapshot&) override {}

  std::map<std::string, double> values;
};

TEST_F(CoreTest, MetricsShowTheQueueByProjectAndState) {
  Submit(MakeRequest("runs", 8, 4));
  const Job paused = Submit(MakeRequest("paused", 4));
  ASSERT_TRUE(core_->PauseJob(NameOf(paused)));
  JobRequest other = MakeRequest("waits", 4);
  other.project = "other";
  ASSERT_TRUE(core_->CreateJob(other));
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  ASSERT_EQ(worker_.held().size(), 1u);
  clock_.Advance(std::chrono::seconds(3));
  Samples samples;
  CollectMetrics(*core_, samples);
  const auto& values = samples.values;
  EXPECT_EQ(values.at("inferon_open_jobs project=default state=running"), 1);
  EXPECT_EQ(values.at("inferon_open_jobs project=default state=paused"), 1);
  EXPECT_EQ(values.at("inferon_open_jobs project=default state=pending"), 0);
  EXPECT_EQ(values.at("inferon_open_jobs project=other state=pending"), 1);
  EXPECT_EQ(values.at("inferon_open_jobs project=other state=running"), 0);
  EXPECT_EQ(values.at("inferon_queued_experiments project=default"), 12);
  EXPECT_EQ(values.at("inferon_leased_shards project=default"), 1);
  EXPECT_EQ(values.at("inferon_workers state=busy health=unknown"), 1);
  EXPECT_EQ(values.at("inferon_oldest_lease_seconds"), 3);
}

}  // namespace
}  // namespace inferon::scheduler
