// SIGINT and SIGTERM as a stop token.
#pragma once

#include <stop_token>
#include <thread>

namespace inferon::rpc {

// Requests a stop at the first signal; at the second, the process ends with 128 + its number. Made
// first in main, before any other thread; its thread lives exactly as long as the object.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  std::stop_token token() const { return source_.get_token(); }

 private:
  void Wait(std::stop_token ending);

  std::stop_source source_;
  std::jthread thread_;
};

}  // namespace inferon::rpc
