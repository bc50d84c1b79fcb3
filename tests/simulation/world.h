// Virtual time, and a network that loses, delays, doubles and reorders what it carries.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/philox.h"
#include "common/base/result.h"

namespace inferon::scheduler {

// The server's clocks; somebody may set the wall clock. One thread.
class ServerClock : public FakeClock {
 public:
  WallTime WallNow() const override { return FakeClock::WallNow() + jump_; }
  void JumpWall(std::chrono::nanoseconds by) {
    jump_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

 private:
  WallTime::duration jump_{0};
};

// One thread. Events run in order of their time; the server's clock follows, may run ahead while it
// waits for its disk, and may be skewed against everybody else's.
class World {
 public:
  using Duration = std::chrono::nanoseconds;

  explicit World(std::uint64_t seed) : random_(StreamKey(seed, "world")) {}

  PhiloxSequence& random() { return random_; }
  bool Chance(std::uint32_t percent) { return random_.Below(100) < percent; }
  Duration Between(Duration least, Duration most) {
    return least + std::chrono::duration_cast<Duration>((most - least) * random_.Uniform());
  }

  SteadyTime now() const { return now_; }
  ServerClock& server_clock() { return server_clock_; }
  // The server's steady clock jumps ahead of all others.
  void SkewServer(Duration by) {
    skew_ += by;
    server_clock_.Advance(by);
  }

  void After(Duration delay, std::function<void()> event) {
    PostAt(now_ + delay, std::move(event));
  }
  // Runs the next event.
  void Step() {
    const Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_ = std::max(now_, event.at);
    const SteadyTime server = now_ + skew_;
    if (server > server_clock_.Now()) server_clock_.Advance(server - server_clock_.Now());
    event.run();
  }

  // From now on nothing goes wrong any more.
  void Heal() {
    healed_ = true;
    cut_until_.clear();
  }
  // No message to or from the node arrives for a time.
  void Cut(int node, Duration time) { cut_until_[node] = now_ + time; }

  // Calls the server from a node: `serve` runs when a request arrives, perhaps never or twice;
  // `done` runs once, with the first answer that arrives or kDeadlineExceeded.
  template <typename T>
  void Call(int node, Duration timeout, std::function<Result<T>()> serve,
            std::function<void(const Result<T>&)> done) {
    const auto finished = std::make_shared<bool>(false);
    const auto finish = [finished, done = std::move(done)](const Result<T>& answer) {
      if (!std::exchange(*finished, true)) done(answer);
    };
    const auto deliver = [this, node, serve = std::move(serve), finish] {
      const Result<T> answer = serve();
      const SteadyTime sent =
          server_clock_.Now() - skew_;  // Later than now where the disk is slow.
      if (!Lost(node)) PostAt(sent + Delay(), [answer, finish] { finish(answer); });
    };
    if (!Lost(node)) After(Delay(), deliver);
    if (!healed_ && Chance(5)) After(Delay(), deliver);
    After(timeout, [finish] { finish(Fail(ErrorCode::kDeadlineExceeded, "no answer")); });
  }

 private:
  struct Event {
    SteadyTime at;
    std::uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  void PostAt(SteadyTime at, std::function<void()> run) {
    events_.push({at, ++posted_, std::move(run)});
  }
  bool Lost(int node) {
    const auto cut = cut_until_.find(node);
    return (cut != cut_until_.end() && now_ < cut->second) || (!healed_ && Chance(3));
  }
  Duration Delay() {
    using std::chrono::milliseconds;
    const bool late = !healed_ && Chance(5);
    return Between(milliseconds(1), late ? milliseconds(20'000) : milliseconds(50));
  }

  PhiloxSequence random_;
  ServerClock server_clock_;
  SteadyTime now_ = server_clock_.Now();
  Duration skew_{0};
  bool healed_ = false;
  std::map<int, SteadyTime> cut_until_;
  std::uint64_t posted_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace inferon::scheduler
