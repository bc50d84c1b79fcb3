// What a child may say: mutated replies are refused or consistent, all the way to observations.
#include "worker/brainscales2/messages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/fuzz/mutate.h"
#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

constexpr std::int64_t kDuration = 3 * 125;  // Short, so that mutations hit the header too.

Result<WireFrame> Decode(std::string_view body) {
  auto bytes = std::make_unique<char[]>(body.size());
  std::memcpy(bytes.get(), body.data(), body.size());
  return DecodeWire(std::move(bytes), body.size());
}

std::string Body(const std::string& frame) { return frame.substr(sizeof(std::uint32_t)); }

BatchRequest Request() {
  return {.fields = {"leak.i_bias", "leak.v_leak"},
          .codes = {1, 2, 3, 4},
          .rows = {0, 1},
          .steps_cycles = {{10, 20}},
          .duration_cycles = kDuration};
}

BatchReply Reply() {
  BatchReply reply{.experiments = 2, .hardware_us = 10, .monitors = {40.0, {1.2}}};
  for (int experiment = 0; experiment < 2; ++experiment) {
    std::uint32_t count = 0;
    for (double ns = -40; ns < 3'100; ns += 34, ++count) {
      reply.sample_time.push_back(static_cast<std::int32_t>(std::floor(ns / 8)));
      reply.sample_value.push_back(static_cast<std::uint16_t>(300 + count % 7));
    }
    reply.sample_count.push_back(count);
    reply.spike_count.push_back(1);
    reply.spike_time.push_back(125);
  }
  return reply;
}

TEST(MessagesTest, MutatedBatchRepliesAreRefusedOrBecomeWholeObservations) {
  const Protocol protocol{.steps = {}, .duration_us = 3, .grid_step_us = 1};
  const std::string body = Body(EncodeBatchReply(Reply()));
  int taken = 0, refused = 0;
  const auto take = [&](const std::string& bytes) {
    const auto frame = Decode(bytes);
    const auto reply = frame ? DecodeBatch(*frame) : tl::unexpected(frame.error());
    if (!reply || !CheckBatchReply(*reply, Request())) {
      ++refused;
      return;
    }
    ObservationBatch batch;
    AppendOnGrid(*reply, protocol, batch);
    ASSERT_EQ(batch.size(), 2u);
    ASSERT_EQ(batch.trace.size(), 2 * protocol.Points());
    for (const std::uint16_t count : batch.trace) ASSERT_LE(count, 1023);
    ++taken;
  };
  take(body);
  ASSERT_EQ(taken, 1) << "the reply itself is good";
  fuzz::ForEachMutation(body, 20'000, take);
  EXPECT_GT(refused, 5'000);
}

TEST(MessagesTest, MutatedRequestsNameOnlySetsThatAreThere) {
  int taken = 0;
  fuzz::ForEachMutation(Body(EncodeBatch(Request())), 20'000, [&](const std::string& bytes) {
    const auto frame = Decode(bytes);
    const auto request = frame ? DecodeBatchRequest(*frame) : tl::unexpected(frame.error());
    if (!request) return;
    ++taken;
    for (const std::uint32_t row : request->rows) {
      ASSERT_LE((row + 1) * request->fields.size(), request->codes.size());
    }
  });
  EXPECT_GT(taken, 100);
}

TEST(MessagesTest, OtherMutatedRepliesAreRefusedOrDecoded) {
  const std::vector<std::string> bodies{
      Body(EncodeHello({.protocol = 1, .mode = "fake", .chip = "c", .versions = {{"a", "b"}}})),
      Body(EncodeOpened("opened", "abc")), Body(EncodeHealthReply({{40.0, {1.2}}, 6000, 0})),
      Body(EncodeCheck({{"numpy", true, "1.24", ""}})),
      Body(EncodeRefusal({ErrorCode::kUnavailable, "no", "wait", {}}))};
  for (const std::string& body : bodies) {
    fuzz::ForEachMutation(body, 4'000, [](const std::string& bytes) {
      const auto frame = Decode(bytes);
      if (!frame) return;
      for (const Status& status : {CheckReply(*frame, "hello"), CheckReply(*frame, "opened")}) {
        EXPECT_TRUE(status || !status.error().message.empty());
      }
      (void)DecodeHello(*frame);
      (void)DecodeCalibrationId(*frame, "opened");
      (void)DecodeHealth(*frame);
      (void)DecodeCheck(*frame);
      (void)DecodeOpen(*frame);
    });
  }
}

TEST(MessagesTest, WhatGoesInComesOut) {
  const BatchReply reply = Reply();
  const auto back = DecodeBatch(Decode(Body(EncodeBatchReply(reply))).value());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->sample_time, reply.sample_time);
  EXPECT_EQ(back->sample_value, reply.sample_value);
  EXPECT_EQ(back->monitors.supply_v, reply.monitors.supply_v);
  const auto request = DecodeBatchRequest(Decode(Body(EncodeBatch(Request()))).value());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->codes, Request().codes);
  EXPECT_EQ(request->rows, Request().rows);
  EXPECT_EQ(request->steps_cycles, Request().steps_cycles);
  const Hello hello{.protocol = 1, .mode = "hardware", .chip = "c", .versions = {{"numpy", "1"}}};
  EXPECT_EQ(DecodeHello(Decode(Body(EncodeHello(hello))).value()).value(), hello);
}

}  // namespace
}  // namespace inferon::worker
