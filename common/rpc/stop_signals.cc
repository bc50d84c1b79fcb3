#include "common/rpc/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/rpc/server.h"

namespace inferon::rpc {

StopSignals::StopSignals() {
  BlockStopSignals();
  thread_ = std::jthread([this](std::stop_token ending) { Wait(ending); });
}

StopSignals::~StopSignals() {
  thread_.request_stop();
  pthread_kill(thread_.native_handle(), SIGTERM);  // Wakes the thread's own wait.
}

void StopSignals::Wait(std::stop_token ending) {
  constexpr int kSignalBase = 128;
  for (;;) {
    const int number = WaitForStopSignal();
    if (ending.stop_requested()) return;
    if (source_.stop_requested()) _exit(kSignalBase + number);
    source_.request_stop();
  }
}

}  // namespace inferon::rpc
