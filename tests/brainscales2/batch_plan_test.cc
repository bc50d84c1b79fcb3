#include "worker/brainscales2/batch_plan.h"

#include <gtest/gtest.h>

#include <numeric>

namespace inferon::worker {
namespace {

DeviceConfig Config() { return {.mode = "fake", .neuron = 3}; }

RunRequest Request(std::uint64_t first, std::uint32_t count, std::uint32_t trials) {
  RunRequest request{.profile = BuiltInProfile("adex-paper").value(),
                     .device = {.chip = "c", .neuron = 3},
                     .seed = 5,
                     .trials = trials,
                     .first_index = first,
                     .count = count};
  request.sets.dimension = 7;
  const std::uint64_t sets = (first + count - 1) / trials - first / trials + 1;
  for (std::uint64_t i = 0; i < sets * 7; ++i) {
    request.sets.codes.push_back(static_cast<std::uint16_t>(i % 1023));
  }
  return request;
}

Result<BatchPlan> Plan(const RunRequest& request) {
  return PlanBatches(Config(), BuiltInChipMapping("adex-paper").value(), "", request);
}

TEST(BatchPlanTest, EveryExperimentIsInOneBatchOfAboutASecond) {
  const auto plan = Plan(Request(0, 256, 1));
  ASSERT_TRUE(plan) << plan.error().Text();
  std::size_t experiments = 0;
  for (std::size_t i = 0; i < plan->batches.size(); ++i) {
    const BatchRequest& batch = plan->batches[i];
    EXPECT_EQ(batch.first_index, experiments);
    EXPECT_EQ(batch.codes.size(), batch.rows.size() * 7);
    experiments += batch.rows.size();
    EXPECT_LT(plan->hardware_us[i], 1.15e6);
  }
  EXPECT_EQ(experiments, 256u);
  EXPECT_EQ(plan->batches.front().rows.size(), 47u);  // 1 s / (20 ms + 1.4 ms + ...).
}

TEST(BatchPlanTest, TrialsOfASetShareItsWrite) {
  const auto plan = Plan(Request(2, 7, 3));  // Trial 2 of set 0, sets 1 and 2.
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->batches.size(), 1u);
  EXPECT_EQ(plan->batches[0].rows, (std::vector<std::uint32_t>{0, 1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(plan->batches[0].codes, Request(2, 7, 3).sets.codes);
}

TEST(BatchPlanTest, EqualSetsAreWrittenEach) {
  RunRequest request = Request(0, 3, 1);
  std::fill(request.sets.codes.begin(), request.sets.codes.end(), std::uint16_t{5});
  const auto plan = Plan(request);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->batches[0].rows, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST(BatchPlanTest, TimesAreCyclesOfEightNanoseconds) {
  RunRequest request = Request(0, 1, 1);
  request.protocol.steps = {{0.008, 100.004, 1}, {200, 300.5, 1}, {300.5, 400, 1}};
  const auto plan = Plan(request);
  ASSERT_TRUE(plan) << plan.error().Text();
  const std::vector<std::pair<std::int64_t, std::int64_t>> expected{{1, 12501}, {25000, 50000}};
  EXPECT_EQ(plan->batches[0].steps_cycles, expected);
  EXPECT_EQ(plan->batches[0].duration_cycles, 175'000);
}

TEST(BatchPlanTest, WhatTheChipCannotDoIsRefused) {
  RunRequest steps = Request(0, 1, 1);
  steps.protocol.steps = {{0, 100, 1}, {200, 300, 0.5}};
  EXPECT_EQ(Plan(steps).error().code, ErrorCode::kInvalidArgument);
  RunRequest neuron = Request(0, 1, 1);
  neuron.device.neuron = 4;
  EXPECT_NE(Plan(neuron).error().advice.find("--neuron 3"), std::string::npos);
  RunRequest codes = Request(0, 1, 1);
  codes.sets.codes[2] = 1023;
  EXPECT_EQ(Plan(codes).error().code, ErrorCode::kInvalidArgument);
  RunRequest sets = Request(0, 2, 1);
  sets.sets.codes.resize(7);
  EXPECT_EQ(Plan(sets).error().code, ErrorCode::kInvalidArgument);
}

TEST(BatchPlanTest, LongRecordingsStayBelowTheFrameLimit) {
  RunRequest request = Request(0, 400, 100);
  request.protocol = {.steps = {{0, 20'000, 1}}, .duration_us = 20'000, .grid_step_us = 1};
  DeviceConfig config = Config();
  config.batch_seconds = 10;
  const auto plan = PlanBatches(config, BuiltInChipMapping("adex-paper").value(), "", request);
  ASSERT_TRUE(plan);
  for (const BatchRequest& batch : plan->batches) {
    EXPECT_LT(static_cast<double>(batch.rows.size()) * 20'020 * 29.42 * 6, 250e6);
  }
}

}  // namespace
}  // namespace inferon::worker
