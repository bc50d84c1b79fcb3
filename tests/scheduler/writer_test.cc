#include "server/scheduler/writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <stdexcept>
#include <vector>

#include "server/scheduler/store.h"

namespace inferon::scheduler {
namespace {

Status AddEvent(Store& store, const std::string& kind) {
  store.AddEvent({0, WallTime{}, kind, "p", 0, "", ""});
  return {};
}

std::vector<std::string> Kinds(Store& store) {
  std::vector<std::string> kinds;
  for (const Event& event : store.OpenReader()->Events({"p", 0}, 0, 1000)) {
    kinds.push_back(event.kind);
  }
  return kinds;
}

class WriterTest : public testing::Test {
 protected:
  std::unique_ptr<Store> store_ = MakeMemoryStore();
};

TEST_F(WriterTest, AnswerMeansCommitted) {
  Writer writer(*store_, {}, 10, 10);
  EXPECT_TRUE(writer.Run([&] { return AddEvent(*store_, "a"); }));
  EXPECT_EQ(Kinds(*store_), std::vector<std::string>{"a"});
}

TEST_F(WriterTest, WhatIsQueuedGoesIntoOneTransaction) {
  std::atomic<int> commits{0};
  Writer writer(*store_, {.after_commit = [&] { ++commits; }}, 100, 100);
  std::promise<void> go;
  std::latch started(1);
  std::vector<std::future<Status>> waiting;
  waiting.push_back(std::async(std::launch::async, [&] {
    return writer.Run([&]() -> Status {
      started.count_down();
      go.get_future().wait();
      return {};
    });
  }));
  started.wait();
  for (int i = 0; i < 8; ++i) {
    waiting.push_back(std::async(
        std::launch::async, [&] { return writer.Run([&] { return AddEvent(*store_, "x"); }); }));
  }
  while (writer.waiting() < 8) std::this_thread::yield();
  go.set_value();
  for (auto& one : waiting) EXPECT_TRUE(one.get());
  EXPECT_EQ(commits, 2);
  EXPECT_EQ(Kinds(*store_).size(), 8u);
}

TEST_F(WriterTest, FullQueueRefusesAtTheEdge) {
  Writer writer(*store_, {}, 1, 1);
  std::promise<void> go;
  std::latch started(1);
  auto running = std::async(std::launch::async, [&] {
    return writer.Run([&]() -> Status {
      started.count_down();
      go.get_future().wait();
      return {};
    });
  });
  started.wait();
  auto queued =
      std::async(std::launch::async, [&] { return writer.Run([]() -> Status { return {}; }); });
  while (writer.waiting() < 1) std::this_thread::yield();
  const Status refused = writer.Run([]() -> Status { return {}; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(refused.error().retry_after.has_value());
  go.set_value();
  EXPECT_TRUE(running.get());
  EXPECT_TRUE(queued.get());
}

TEST_F(WriterTest, BodyThatThrowsIsUndoneAlone) {
  std::vector<bool> undone;
  Writer writer(*store_, {.after_undo = [&](bool whole) { undone.push_back(whole); }}, 10, 10);
  EXPECT_THROW(static_cast<void>(writer.Run([&]() -> Status {
                 EXPECT_TRUE(AddEvent(*store_, "lost"));
                 throw std::runtime_error("broken");
               })),
               std::runtime_error);
  EXPECT_TRUE(writer.Run([&] { return AddEvent(*store_, "kept"); }));
  EXPECT_EQ(Kinds(*store_), std::vector<std::string>{"kept"});
  EXPECT_EQ(undone, std::vector<bool>{false});
}

TEST_F(WriterTest, FailedCommitFailsEveryBodyOfTheGroupAndKeepsNothing) {
  bool broken = true;
  std::vector<bool> undone;
  Writer writer(*store_,
                {.before_commit =
                     [&] {
                       if (broken) throw std::runtime_error("disk");
                     },
                 .after_undo = [&](bool whole) { undone.push_back(whole); }},
                10, 10);
  EXPECT_THROW(static_cast<void>(writer.Run([&] { return AddEvent(*store_, "lost"); })),
               std::runtime_error);
  EXPECT_EQ(undone, std::vector<bool>{true});
  broken = false;
  EXPECT_TRUE(writer.Run([&] { return AddEvent(*store_, "kept"); }));
  EXPECT_EQ(Kinds(*store_), std::vector<std::string>{"kept"});
}

TEST_F(WriterTest, ReturnedErrorKeepsTheChanges) {
  Writer writer(*store_, {}, 10, 10);
  const Status refused = writer.Run([&]() -> Status {
    EXPECT_TRUE(AddEvent(*store_, "expired"));
    return Fail(ErrorCode::kAborted, "late");
  });
  EXPECT_FALSE(refused);
  EXPECT_EQ(Kinds(*store_).size(), 1u);
}

}  // namespace
}  // namespace inferon::scheduler
