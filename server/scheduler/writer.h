// The one thread that writes, with group commit.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

#include "common/base/result.h"
#include "server/scheduler/store.h"

namespace inferon::scheduler {

// Around each group of writes, on the writer's thread.
struct WriterHooks {
  std::function<void()> before_commit;  // What must be on disk before the rows that name it.
  std::function<void()> after_commit;   // The group is on disk.
  // Changes were undone: those of the whole group, or of one body.
  std::function<void(bool whole_group)> after_undo;
};

// Callers hand in a body and wait; whatever is queued goes into one transaction; an answer means
// that the body's changes are on disk. Bodies run in order, on one thread, and must not call Run().
// Thread-safe.
class Writer {
 public:
  Writer(Store& store, WriterHooks hooks, std::uint32_t max_waiting, std::uint32_t max_group);
  // Writes what is queued, then ends the thread.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Runs body() -> Result<T> inside a transaction. A body that throws is undone alone and its
  // exception comes out here; a returned error keeps what the body changed.
  // kResourceExhausted where max_waiting bodies wait already.
  template <typename Body>
  std::invoke_result_t<Body> Run(Body&& body) {
    std::optional<std::invoke_result_t<Body>> result;
    Task task([&] { result.emplace(body()); });
    if (Status queued = Enqueue(task); !queued) return tl::unexpected(queued.error());
    Wait(task);
    return std::move(*result);
  }

  // Bodies that wait for their turn.
  std::size_t waiting() const {
    std::lock_guard lock(mu_);
    return queue_.size();
  }

 private:
  // Each has its own condition, so that the end of a group wakes every caller once.
  struct Task {
    explicit Task(std::function<void()> body_in) : body(std::move(body_in)) {}
    const std::function<void()> body;
    std::exception_ptr failure = nullptr;
    std::mutex mu;
    std::condition_variable finished;
    bool done = false;  // Guarded by mu.
  };

  Status Enqueue(Task& task);
  static void Wait(Task& task);
  void Loop(std::stop_token stop);
  // Commits one group; its tasks carry their failures afterwards.
  void Step(const std::deque<Task*>& group);
  void RunParts(const std::deque<Task*>& group);

  Store& store_;
  const WriterHooks hooks_;
  const std::uint32_t max_waiting_;
  const std::uint32_t max_group_;
  mutable std::mutex mu_;
  std::condition_variable_any queued_;
  std::deque<Task*> queue_;  // Guarded by mu_.
  std::jthread thread_;      // Last: it uses all of the above.
};

}  // namespace inferon::scheduler
