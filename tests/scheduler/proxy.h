// A TCP proxy on the loopback that a test can slow down, cut and leave half open.
#pragma once

#include <atomic>
#include <chrono>
#include <list>
#include <string>
#include <thread>

namespace inferon::scheduler {

class Proxy {
 public:
  enum class Mode {
    kPass,
    kDelay,     // Bytes wait for delay() before they go on.
    kHalfOpen,  // Connections are taken and kept, and carry nothing.
    kRefuse,    // Connections are reset, old and new.
  };

  // To 127.0.0.1:port of `target`.
  explicit Proxy(const std::string& target);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  const std::string& address() const { return address_; }
  void Set(Mode mode, std::chrono::milliseconds delay = {}) {
    delay_ = delay;
    mode_ = mode;
  }

 private:
  struct Pair {
    int client;
    int server;
  };
  void Loop(std::stop_token stop);
  void Accept();
  // False where one end has closed.
  bool Carry(int from, int to);
  void Reset(const Pair& pair);

  const int target_port_;
  int listener_ = -1;
  std::string address_;
  std::atomic<Mode> mode_{Mode::kPass};
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  std::list<Pair> pairs_;  // Of the thread.
  std::jthread thread_;    // Last.
};

}  // namespace inferon::scheduler
