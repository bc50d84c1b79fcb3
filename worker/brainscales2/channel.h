// Frames over a stream socket, each call with a deadline.
#pragma once

#include <memory>
#include <stop_token>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/brainscales2/frame.h"

namespace inferon::worker {

// Owns the descriptor. Not thread-safe. After an error nothing more can be said on it.
class Channel {
 public:
  // `fd` is a connected stream socket; it becomes non-blocking.
  Channel(int fd, Clock& clock);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // kUnavailable where the other side is gone, kDeadlineExceeded past the deadline.
  Status Send(std::string_view frame, SteadyTime deadline);
  // Those, and kDataLoss for an oversize or malformed frame. A stop shortens the deadline to two
  // seconds: a running program may end, a hanging child may not keep the worker.
  Result<WireFrame> Receive(SteadyTime deadline, std::stop_token stop = {});

 private:
  Status ReceiveExactly(char* bytes, std::size_t count, SteadyTime& deadline,
                        const std::stop_token& stop);
  Status WaitFor(short events, SteadyTime& deadline, const std::stop_token& stop);

  const int fd_;
  Clock& clock_;
};

}  // namespace inferon::worker
