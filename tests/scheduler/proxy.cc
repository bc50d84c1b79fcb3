#include "tests/scheduler/proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "common/base/clock.h"

namespace inferon::scheduler {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void Check(int code, const char* what) {
  if (code < 0) throw std::system_error(errno, std::generic_category(), what);
}

bool SendAll(int to, const char* bytes, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    const ssize_t n = send(to, bytes + done, count - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

Proxy::Proxy(const std::string& target)
    : target_port_(std::stoi(target.substr(target.rfind(':') + 1))),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  Check(listener_, "socket");
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  Check(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), "bind");
  Check(listen(listener_, 64), "listen");
  Check(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  address_ = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
  thread_ = std::jthread([this](std::stop_token stop) { Loop(stop); });
}

Proxy::~Proxy() {
  thread_ = {};
  for (const Pair& pair : pairs_) Reset(pair);
  close(listener_);
}

void Proxy::Loop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const Mode mode = mode_;
    if (mode == Mode::kRefuse) {
      for (const Pair& pair : pairs_) Reset(pair);
      pairs_.clear();
    }
    std::vector<pollfd> polled{{listener_, POLLIN, 0}};
    if (mode == Mode::kPass || mode == Mode::kDelay) {
      for (const Pair& pair : pairs_) {
        polled.push_back({pair.client, POLLIN, 0});
        polled.push_back({pair.server, POLLIN, 0});
      }
    }
    poll(polled.data(), polled.size(), 20);
    if (mode == Mode::kDelay) SystemClock().SleepFor(delay_.load(), stop);
    std::size_t at = 1;
    for (auto pair = pairs_.begin(); at < polled.size();) {
      const bool alive = (polled[at].revents == 0 || Carry(pair->client, pair->server)) &&
                         (polled[at + 1].revents == 0 || Carry(pair->server, pair->client));
      at += 2;
      if (!alive) Reset(*pair);
      pair = alive ? std::next(pair) : pairs_.erase(pair);
    }
    if (polled[0].revents != 0) Accept();
  }
}

void Proxy::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  const int no_delay = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  const bool connected =
      connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (connected && mode_ != Mode::kRefuse) {
    pairs_.push_back({client, server});
  } else {
    Reset({client, server});
  }
}

bool Proxy::Carry(int from, int to) {
  char buffer[64 << 10];
  const ssize_t n = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  return n > 0 && SendAll(to, buffer, static_cast<std::size_t>(n));
}

void Proxy::Reset(const Pair& pair) {
  const linger hard{1, 0};
  for (const int fd : {pair.client, pair.server}) {
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
  }
}

}  // namespace inferon::scheduler
