#include "server/trainer/studies/task_graph.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "common/base/check.h"
#include "common/base/trace.h"

namespace inferon::trainer {
namespace {

// One run over the tasks; lives while its threads do.
class Run {
 public:
  Run(const std::vector<Task>& tasks, TaskLog& log) : log_(log) {
    std::set<std::string> known;
    for (const Task& task : tasks) {
      for (const std::string& before : task.after) INFERON_CHECK(known.contains(before));
      INFERON_CHECK(known.insert(task.id).second);
      if (log.IsDone(task.id)) done_.insert(task.id);
    }
  }

  void Execute(const Task& task) {
    if (!WaitForTurn(task)) return;
    try {
      log_.Started(task);
      const Status status = task.body(stop_.get_token());
      if (status) {
        log_.Done(task);
        Succeeded(task);
      } else {
        Failed(status.error());
      }
    } catch (...) {
      Threw(std::current_exception());
    }
  }

  bool IsDone(const std::string& id) {
    const std::lock_guard lock(mu_);
    return done_.contains(id);
  }

  void Stop() { stop_.request_stop(); }

  Status Outcome(bool all_done) {
    if (exception_) std::rethrow_exception(exception_);
    if (failure_) return tl::unexpected(*failure_);
    if (!all_done) return Fail(ErrorCode::kCancelled, "the study was stopped");
    return {};
  }

 private:
  // False when the run was stopped before all tasks ahead were done.
  bool WaitForTurn(const Task& task) {
    std::unique_lock lock(mu_);
    return wake_.wait(lock, stop_.get_token(), [&] {
      return std::ranges::all_of(task.after, [&](const auto& id) { return done_.contains(id); });
    }) && !stop_.stop_requested();
  }

  void Succeeded(const Task& task) {
    const std::lock_guard lock(mu_);
    done_.insert(task.id);
    wake_.notify_all();
  }

  // Only the first failure counts; what fails after the stop only says that it was stopped.
  void Failed(const Error& error) {
    const std::lock_guard lock(mu_);
    if (stop_.stop_requested()) return;
    failure_ = error;
    stop_.request_stop();
  }

  void Threw(std::exception_ptr exception) {
    const std::lock_guard lock(mu_);
    if (stop_.stop_requested()) return;
    exception_ = std::move(exception);
    stop_.request_stop();
  }

  TaskLog& log_;
  std::stop_source stop_;
  std::mutex mu_;
  std::condition_variable_any wake_;
  std::set<std::string> done_;    // Guarded by mu_.
  std::optional<Error> failure_;  // Guarded by mu_; the first.
  std::exception_ptr exception_;  // Guarded by mu_; the first.
};

}  // namespace

Status RunTasks(const std::vector<Task>& tasks, TaskLog& log, std::stop_token stop) {
  Run run(tasks, log);
  const std::stop_callback forward(stop, [&] { run.Stop(); });
  {
    std::vector<std::jthread> threads;
    for (const Task& task : tasks) {
      if (run.IsDone(task.id)) continue;
      threads.emplace_back([&run, &task, trace = CurrentTrace()] {
        const TraceScope scope(trace);
        run.Execute(task);
      });
    }
  }
  const bool all_done =
      std::ranges::all_of(tasks, [&](const Task& task) { return run.IsDone(task.id); });
  return run.Outcome(all_done);
}

}  // namespace inferon::trainer
