// A few threads for many streams: an idle stream holds no thread, only its place in the pump.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "common/base/result.h"

namespace inferon::scheduler {

class StreamPump;

// Something that makes steps when it is told to.
class PumpedStream {
 public:
  virtual ~PumpedStream() = default;
  // One step, on a thread of the pump; never two at a time.
  virtual void Step() = 0;

 private:
  friend class StreamPump;
  enum class Place { kIdle, kQueued, kRunning, kRunningAndDue };
  Place place_ = Place::kIdle;  // Guarded by the pump's mu_.
};

// Thread-safe.
class StreamPump {
 public:
  StreamPump(std::uint32_t threads, std::uint32_t max_streams);
  // Every stream must have left.
  ~StreamPump();
  StreamPump(const StreamPump&) = delete;
  StreamPump& operator=(const StreamPump&) = delete;

  // Takes a stream in and schedules its first step. kResourceExhausted over max_streams,
  // kUnavailable while the server stops.
  Status Enter(const std::shared_ptr<PumpedStream>& stream);
  void Leave(const std::shared_ptr<PumpedStream>& stream);
  // The stream gets a step soon; one that is running now gets another one after it. One that has
  // not entered, or has left, gets none.
  void Schedule(const std::shared_ptr<PumpedStream>& stream);
  // From now on stopping() is true; every stream gets a step to end itself.
  void Stop();
  // Waits, after Stop(), until every stream has left: what a stream ends itself with must live
  // until then, also where its client has gone long ago.
  void AwaitEmpty();
  bool stopping() const;

 private:
  void Loop(std::stop_token stop);
  void ScheduleLocked(const std::shared_ptr<PumpedStream>& stream);

  const std::uint32_t max_streams_;
  mutable std::mutex mu_;
  std::condition_variable_any due_;
  std::condition_variable_any empty_;
  std::deque<std::shared_ptr<PumpedStream>> queue_;  // Guarded by mu_.
  std::set<std::shared_ptr<PumpedStream>> streams_;  // Guarded by mu_; shared with gRPC's hold.
  std::uint32_t running_ = 0;                        // Steps under way. Guarded by mu_.
  bool stopping_ = false;                            // Guarded by mu_.
  std::vector<std::jthread> threads_;                // Last.
};

}  // namespace inferon::scheduler
