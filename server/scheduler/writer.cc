#include "server/scheduler/writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/clock.h"
#include "server/scheduler/writer_statistics.h"

namespace inferon::scheduler {

WriterStatistics& ProcessWriterStatistics() {
  static WriterStatistics statistics;
  return statistics;
}

Writer::Writer(Store& store, WriterHooks hooks, std::uint32_t max_waiting, std::uint32_t max_group)
    : store_(store),
      hooks_(std::move(hooks)),
      max_waiting_(max_waiting),
      max_group_(max_group),
      thread_([this](std::stop_token stop) { Loop(stop); }) {}

Writer::~Writer() = default;

Status Writer::Enqueue(Task& task) {
  {
    std::lock_guard lock(mu_);
    if (queue_.size() >= max_waiting_) {
      Error error{ErrorCode::kResourceExhausted,
                  fmt::format("{} changes wait to be written already", queue_.size()),
                  "Try again in a second", std::chrono::seconds(1)};
      return tl::unexpected(std::move(error));
    }
    queue_.push_back(&task);
  }
  queued_.notify_one();
  return {};
}

void Writer::Wait(Task& task) {
  std::unique_lock lock(task.mu);
  task.finished.wait(lock, [&] { return task.done; });
  if (task.failure) std::rethrow_exception(task.failure);
}

void Writer::Loop(std::stop_token stop) {
  for (;;) {
    std::deque<Task*> group;
    {
      std::unique_lock lock(mu_);
      queued_.wait(lock, stop, [&] { return !queue_.empty(); });
      if (queue_.empty()) return;
      const auto count =
          static_cast<std::ptrdiff_t>(std::min<std::size_t>(queue_.size(), max_group_));
      group.assign(queue_.begin(), queue_.begin() + count);
      queue_.erase(queue_.begin(), queue_.begin() + count);
    }
    Step(group);
    for (Task* task : group) {
      std::lock_guard lock(task->mu);  // It goes with its caller, who needs the lock to leave.
      task->done = true;
      task->finished.notify_one();
    }
  }
}

void Writer::Step(const std::deque<Task*>& group) {
  bool begun = false;
  try {
    store_.Begin();
    begun = true;
    RunParts(group);
    const SteadyTime commit = SystemClock().Now();
    if (hooks_.before_commit) hooks_.before_commit();
    store_.Commit();
    const std::chrono::duration<double> took = SystemClock().Now() - commit;
    ProcessWriterStatistics().commit_seconds.Observe(took.count());
    ProcessWriterStatistics().changes.Observe(static_cast<double>(group.size()));
  } catch (...) {
    for (Task* task : group) task->failure = std::current_exception();
    if (begun) store_.Rollback();
    if (hooks_.after_undo) hooks_.after_undo(true);
    return;
  }
  if (hooks_.after_commit) hooks_.after_commit();
}

void Writer::RunParts(const std::deque<Task*>& group) {
  for (Task* task : group) {
    store_.BeginPart();
    try {
      task->body();
    } catch (...) {
      task->failure = std::current_exception();
      store_.UndoPart();
      if (hooks_.after_undo) hooks_.after_undo(false);
      continue;
    }
    store_.EndPart();
  }
}

}  // namespace inferon::scheduler
