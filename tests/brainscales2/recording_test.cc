#include "worker/brainscales2/recording.h"

#include <gtest/gtest.h>

#include <cmath>

namespace inferon::worker {
namespace {

constexpr std::int64_t kDuration = 1400 * 125;

// A recording whose value at time t (us) is 300 + t / 10.
BatchReply Ramp(std::uint32_t experiments) {
  BatchReply reply{.experiments = experiments};
  for (std::uint32_t e = 0; e < experiments; ++e) {
    std::uint32_t count = 0;
    for (double ns = -2000; ns < 1'405'000; ns += 34, ++count) {
      const double cycles = std::floor(ns / 8);
      reply.sample_time.push_back(static_cast<std::int32_t>(cycles));
      reply.sample_value.push_back(
          static_cast<std::uint16_t>(std::lround(300 + cycles / 125 / 10)));
    }
    reply.sample_count.push_back(count);
    reply.spike_count.push_back(2);
    reply.spike_time.insert(reply.spike_time.end(), {125, 250});
  }
  return reply;
}

BatchRequest RequestFor(std::uint32_t experiments) {
  BatchRequest request{.fields = {"leak.i_bias"}, .codes = {1}, .duration_cycles = kDuration};
  request.rows.assign(experiments, 0);
  return request;
}

TEST(RecordingTest, TracesAreInterpolatedOnTheGridAndSpikesAreMicroseconds) {
  const BatchReply reply = Ramp(2);
  ASSERT_TRUE(CheckBatchReply(reply, RequestFor(2)));
  ObservationBatch batch;
  const Protocol protocol;
  AppendOnGrid(reply, protocol, batch);
  ASSERT_EQ(batch.size(), 2u);
  ASSERT_EQ(batch.points, protocol.Points());
  for (std::size_t e = 0; e < 2; ++e) {
    for (std::size_t i = 0; i < batch.points; ++i) {
      EXPECT_NEAR(batch.Trace(e)[i], 300 + static_cast<double>(i) / 10, 1.01) << i;
    }
  }
  EXPECT_EQ(batch.spike_time_us, (std::vector<float>{1, 2, 1, 2}));
}

TEST(RecordingTest, AHoleIsInterpolatedUpToItsLimit) {
  const auto with_hole = [](std::size_t samples) {
    BatchReply reply = Ramp(1);
    reply.sample_time.erase(reply.sample_time.begin() + 1000,
                            reply.sample_time.begin() + 1000 + static_cast<int>(samples));
    reply.sample_value.erase(reply.sample_value.begin() + 1000,
                             reply.sample_value.begin() + 1000 + static_cast<int>(samples));
    reply.sample_count[0] -= static_cast<std::uint32_t>(samples);
    return reply;
  };
  const BatchReply small = with_hole(50);
  ASSERT_TRUE(CheckBatchReply(small, RequestFor(1)));
  ObservationBatch batch;
  AppendOnGrid(small, Protocol(), batch);
  EXPECT_NEAR(batch.trace[33], 303.3, 1.01);
  const auto refused = CheckBatchReply(with_hole(70), RequestFor(1));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("hole"), std::string::npos);
}

TEST(RecordingTest, WhatCannotBeTrustedIsRefused) {
  const auto refused = [](auto&& spoil) {
    BatchReply reply = Ramp(2);
    spoil(reply);
    const Status status = CheckBatchReply(reply, RequestFor(2));
    return !status && status.error().code == ErrorCode::kDataLoss;
  };
  EXPECT_FALSE(refused([](BatchReply&) {}));
  EXPECT_TRUE(refused([](BatchReply& r) { r.experiments = 1; }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.sample_count[1] -= 1; }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.sample_time[500] = r.sample_time[499]; }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.sample_value[7] = 1024; }));
  EXPECT_TRUE(refused([](BatchReply& r) {
    std::fill(r.sample_value.begin(), r.sample_value.end(), std::uint16_t{512});
  }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.spike_time[1] = r.spike_time[0]; }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.spike_time[1] = kDuration; }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.spike_time[0] = -1; }));
  EXPECT_TRUE(refused([](BatchReply& r) { r.sample_value.pop_back(); }));
}

TEST(RecordingTest, TwoPercentOfLostSamplesAreTheLimit) {
  // Every n-th sample is lost.
  const auto thinned = [](std::size_t n) {
    const BatchReply full = Ramp(1);
    BatchReply reply{.experiments = 1, .sample_count = {0}, .spike_count = {0}};
    for (std::size_t i = 0; i < full.sample_time.size(); ++i) {
      if (i % n == 0) continue;
      reply.sample_time.push_back(full.sample_time[i]);
      reply.sample_value.push_back(full.sample_value[i]);
      ++reply.sample_count[0];
    }
    return reply;
  };
  EXPECT_TRUE(CheckBatchReply(thinned(52), RequestFor(1)));
  EXPECT_FALSE(CheckBatchReply(thinned(48), RequestFor(1)));
}

}  // namespace
}  // namespace inferon::worker
