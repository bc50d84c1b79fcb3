#include "worker/brainscales2/channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace inferon::worker {
namespace {

constexpr int kPollSliceMs = 20;  // Between two looks at the clock.
constexpr std::chrono::seconds kStopTime{2};

auto Gone(const std::string& why) {
  return Fail(ErrorCode::kUnavailable, "the child is gone: " + why,
              "Look at its messages in the worker's log");
}

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Channel::Channel(int fd, Clock& clock) : fd_(fd), clock_(clock) {
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

Channel::~Channel() { close(fd_); }

Status Channel::Send(std::string_view frame, SteadyTime deadline) {
  while (!frame.empty()) {
    const ssize_t sent = send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      frame.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && WouldBlock(errno)) {
      if (Status ready = WaitFor(POLLOUT, deadline, {}); !ready) return ready;
    } else if (sent < 0 && errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
  return {};
}

Result<WireFrame> Channel::Receive(SteadyTime deadline, std::stop_token stop) {
  std::uint32_t length = 0;
  Status got = ReceiveExactly(reinterpret_cast<char*>(&length), sizeof length, deadline, stop);
  if (!got) return tl::unexpected(got.error());
  if (length > kMaxWireBytes) {
    return Fail(
        ErrorCode::kDataLoss,
        fmt::format("the child announces a frame of {} bytes, more than {}", length, kMaxWireBytes),
        "Use a worker and a child of the same version");
  }
  auto bytes = std::make_unique_for_overwrite<char[]>(length);
  got = ReceiveExactly(bytes.get(), length, deadline, stop);
  if (!got) return tl::unexpected(got.error());
  return DecodeWire(std::move(bytes), length);
}

Status Channel::ReceiveExactly(char* bytes, std::size_t count, SteadyTime& deadline,
                               const std::stop_token& stop) {
  while (count > 0) {
    const ssize_t got = recv(fd_, bytes, count, 0);
    if (got > 0) {
      bytes += got;
      count -= static_cast<std::size_t>(got);
    } else if (got == 0) {
      return Gone("it has closed the connection");
    } else if (WouldBlock(errno)) {
      if (Status ready = WaitFor(POLLIN, deadline, stop); !ready) return ready;
    } else if (errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
  return {};
}

Status Channel::WaitFor(short events, SteadyTime& deadline, const std::stop_token& stop) {
  bool stopped = stop.stop_requested();
  if (stopped) deadline = std::min(deadline, clock_.Now() + kStopTime);
  for (;;) {
    pollfd entry{fd_, events, 0};
    const int ready = poll(&entry, 1, kPollSliceMs);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return Gone(std::strerror(errno));
    if (!stopped && stop.stop_requested()) {
      stopped = true;
      deadline = std::min(deadline, clock_.Now() + kStopTime);
    }
    if (clock_.Now() >= deadline) {
      return Fail(ErrorCode::kDeadlineExceeded, "the child does not answer in time",
                  "Look at its messages in the worker's log; raise the deadlines of the device "
                  "configuration if the chip is shared");
    }
  }
}

}  // namespace inferon::worker
