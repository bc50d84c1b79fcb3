#include "server/trainer/studies/task_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>

namespace inferon::trainer {
namespace {

class MemoryLog : public TaskLog {
 public:
  bool IsDone(const std::string& task) override {
    const std::lock_guard lock(mu);
    return std::ranges::find(done, task) != done.end();
  }
  void Started(const Task& task) override {
    const std::lock_guard lock(mu);
    started.push_back(task.id);
  }
  void Done(const Task& task) override {
    const std::lock_guard lock(mu);
    done.push_back(task.id);
  }
  std::mutex mu;
  std::vector<std::string> started;
  std::vector<std::string> done;
};

Status Succeed(std::stop_token) { return {}; }

// Waits for the stop, as a task that is cut off does.
Status WaitForStop(std::stop_token stop) {
  std::mutex mu;
  std::condition_variable_any never;
  std::unique_lock lock(mu);
  never.wait(lock, stop, [] { return false; });
  return Fail(ErrorCode::kCancelled, "stopped");
}

TEST(TaskGraphTest, TasksRunAfterThoseBeforeThem) {
  MemoryLog log;
  const std::vector<Task> tasks{
      {"a", {}, Succeed}, {"b", {"a"}, Succeed}, {"c", {"a"}, Succeed}, {"d", {"b", "c"}, Succeed}};
  ASSERT_TRUE(RunTasks(tasks, log, {}));
  ASSERT_EQ(log.done.size(), 4u);
  EXPECT_EQ(log.done.front(), "a");
  EXPECT_EQ(log.done.back(), "d");
}

TEST(TaskGraphTest, TasksThatAreDoneDoNotRunAgain) {
  MemoryLog log;
  log.done = {"a"};
  const std::vector<Task> tasks{{"a", {}, Succeed}, {"b", {"a"}, Succeed}};
  ASSERT_TRUE(RunTasks(tasks, log, {}));
  EXPECT_EQ(log.started, std::vector<std::string>{"b"});
}

TEST(TaskGraphTest, IndependentTasksRunSideBySide) {
  std::mutex mu;
  std::condition_variable wake;
  int here = 0;
  const auto meet = [&](std::stop_token) -> Status {  // Ends only when both are there.
    std::unique_lock lock(mu);
    ++here;
    wake.notify_all();
    wake.wait(lock, [&] { return here == 2; });
    return {};
  };
  MemoryLog log;
  EXPECT_TRUE(RunTasks({{"a", {}, meet}, {"b", {}, meet}}, log, {}));
}

TEST(TaskGraphTest, FirstFailureStopsTheOthersAndIsReturned) {
  MemoryLog log;
  const auto fail = [](std::stop_token) -> Status {
    return Fail(ErrorCode::kFailedPrecondition, "too dry");
  };
  const Status status =
      RunTasks({{"a", {}, WaitForStop}, {"b", {}, fail}, {"c", {"a"}, Succeed}}, log, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "too dry");
  EXPECT_TRUE(log.done.empty());
}

TEST(TaskGraphTest, ExceptionIsThrownAgainAfterAllHaveEnded) {
  MemoryLog log;
  const auto fall = [](std::stop_token) -> Status { throw std::runtime_error("no disk"); };
  EXPECT_THROW((void)RunTasks({{"a", {}, WaitForStop}, {"b", {}, fall}}, log, {}),
               std::runtime_error);
}

TEST(TaskGraphTest, StopFromOutsideEndsTheRunAsCancelled) {
  MemoryLog log;
  std::stop_source stop;
  const auto stop_all = [&](std::stop_token) -> Status {
    stop.request_stop();
    return {};
  };
  const Status status =
      RunTasks({{"a", {}, stop_all}, {"b", {}, WaitForStop}}, log, stop.get_token());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

TEST(TaskGraphTest, StepIsTheIdUpToTheDot) {
  EXPECT_EQ((Task{"classifier.training", {}, Succeed}.step()), "classifier");
  EXPECT_EQ((Task{"uniform", {}, Succeed}.step()), "uniform");
}

}  // namespace
}  // namespace inferon::trainer
