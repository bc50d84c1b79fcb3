#include "server/trainer/registry/model_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <thread>

namespace inferon::trainer {
namespace {

SharedModel Model(const std::string& id) {
  auto model = std::make_shared<LoadedModel>();
  model->record.id = id;
  return model;
}

TEST(ModelCacheTest, ManyWhoAskAtOnceReadOnce) {
  constexpr int kThreads = 8;
  std::atomic<int> reads{0};
  std::latch all_ask(kThreads);
  ModelCache cache(2, [&](const std::string& id) -> Result<SharedModel> {
    ++reads;
    all_ask.wait();  // Everybody has begun to ask.
    return Model(id);
  });
  std::set<const LoadedModel*> seen;
  std::mutex mu;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        all_ask.count_down();
        const auto model = cache.Get("m");
        const std::lock_guard lock(mu);
        seen.insert(model->get());
      });
    }
  }
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_EQ(reads, 1);
}

TEST(ModelCacheTest, WhileOneIsReadOthersAnswer) {
  std::latch reading(1), go_on(1);
  ModelCache cache(2, [&](const std::string& id) -> Result<SharedModel> {
    if (id == "slow") {
      reading.count_down();
      go_on.wait();
    }
    return Model(id);
  });
  ASSERT_TRUE(cache.Get("ready"));
  std::jthread slow([&] { EXPECT_TRUE(cache.Get("slow")); });
  reading.wait();
  EXPECT_TRUE(cache.Get("ready"));
  EXPECT_TRUE(cache.Get("other"));
  go_on.count_down();
}

TEST(ModelCacheTest, TheLeastRecentlyUsedMakesRoom) {
  std::vector<std::string> reads;
  ModelCache cache(2, [&](const std::string& id) -> Result<SharedModel> {
    reads.push_back(id);
    return Model(id);
  });
  for (const char* id : {"a", "b", "a", "c", "a", "b"}) ASSERT_TRUE(cache.Get(id));
  EXPECT_EQ(reads, (std::vector<std::string>{"a", "b", "c", "b"}));
  EXPECT_EQ(cache.size(), 2u);
}

TEST(ModelCacheTest, FailuresAreTriedAgain) {
  int reads = 0;
  ModelCache cache(2, [&](const std::string& id) -> Result<SharedModel> {
    if (++reads == 1) return Fail(ErrorCode::kDataLoss, "damaged");
    if (reads == 2) throw std::runtime_error("disk gone");
    return Model(id);
  });
  EXPECT_EQ(cache.Get("m").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(cache.Get("m").error().message, "disk gone");
  EXPECT_TRUE(cache.Get("m"));
}

TEST(ModelCacheTest, AModelDroppedWhileItIsReadIsNotKept) {
  ModelCache* self = nullptr;
  int reads = 0;
  ModelCache cache(2, [&](const std::string& id) -> Result<SharedModel> {
    if (++reads == 1) self->Drop(id);
    return Model(id);
  });
  self = &cache;
  EXPECT_TRUE(cache.Get("m"));
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_TRUE(cache.Get("m"));
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(ModelCacheTest, LoadingAndDroppingByManyThreadsKeepsNoMoreThanItsCapacity) {
  std::mutex mu;
  std::vector<std::weak_ptr<const LoadedModel>> all;
  ModelCache cache(3, [&](const std::string& id) -> Result<SharedModel> {
    SharedModel model = Model(id);
    const std::lock_guard lock(mu);
    all.push_back(model);
    return model;
  });
  {
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&cache, thread] {
        for (unsigned i = 0; i < 2000; ++i) {
          const std::string id = "m" + std::to_string((i * 7 + thread * 3) % 11);
          if (i % 13 == 0) cache.Drop(id);
          const auto model = cache.Get(id);
          EXPECT_EQ((*model)->record.id, id);
        }
      });
    }
  }
  EXPECT_LE(cache.size(), 3u);
  const auto alive = std::ranges::count_if(all, [](const auto& model) { return !model.expired(); });
  EXPECT_EQ(static_cast<std::size_t>(alive), cache.size());
  EXPECT_GT(all.size(), 100u);
}

}  // namespace
}  // namespace inferon::trainer
