#include "common/metrics/metrics_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

namespace inferon {
namespace {

// Gathers samples into the families of Prometheus' library.
class FamilySink : public MetricSink {
 public:
  void Gauge(const std::string& name, const std::string& help, const Labels& labels,
             double value) override {
    Add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
  }
  void Counter(const std::string& name, const std::string& help, const Labels& labels,
               double value) override {
    Add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
  }
  void Distribution(const std::string& name, const std::string& help, const Labels& labels,
                    const Histogram::Snapshot& histogram) override {
    auto& out = Add(name, help, prometheus::MetricType::Histogram, labels).histogram;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      count += histogram.counts[i];
      const double bound = i < histogram.bounds.size() ? histogram.bounds[i]
                                                       : std::numeric_limits<double>::infinity();
      out.bucket.push_back({count, bound});
    }
    out.sample_count = count;
    out.sample_sum = histogram.sum;
  }

  std::vector<prometheus::MetricFamily> Take() {
    std::vector<prometheus::MetricFamily> all;
    for (auto& [name, family] : families_) all.push_back(std::move(family));
    return all;
  }

 private:
  prometheus::ClientMetric& Add(const std::string& name, const std::string& help,
                                prometheus::MetricType type, const Labels& labels) {
    prometheus::MetricFamily& family = families_[name];
    family.name = name;
    family.help = help;
    family.type = type;
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    for (const auto& [key, value] : labels) metric.label.push_back({key, value});
    return metric;
  }

  std::map<std::string, prometheus::MetricFamily> families_;
};

std::string Scrape(const CollectMetrics& collect) {
  FamilySink sink;
  try {
    collect(sink);
  } catch (const std::exception& error) {
    spdlog::error("metrics: {}", error.what());
  }
  return prometheus::TextSerializer().Serialize(sink.Take());
}

// A file descriptor of its own.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// Answers one request after another. The library's own server (civetweb) starts its threads with
// stacks that are too small for a process with LibTorch's thread-local data.
class HttpServer : public MetricsServer {
 public:
  // Takes the socket, which listens.
  HttpServer(int socket, std::string address, CollectMetrics collect)
      : listening_(socket),
        wake_(eventfd(0, EFD_CLOEXEC)),
        address_(std::move(address)),
        collect_(std::move(collect)),
        thread_([this](std::stop_token stop) { Loop(stop); }) {}

  const std::string& address() const override { return address_; }

 private:
  void Loop(std::stop_token stop) {
    const std::stop_callback wake(stop, [this] { eventfd_write(wake_.get(), 1); });
    pollfd ready[] = {{listening_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    while (!stop.stop_requested()) {
      if (poll(ready, std::size(ready), -1) < 0 || ready[0].revents == 0) continue;
      const Descriptor connection(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.get() >= 0) Answer(connection.get());
    }
  }

  // Whoever is slower than this is left.
  void Answer(int connection) const {
    constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
    const std::string request = ReadHead(connection);
    if (request.empty()) return;
    const bool known = request.starts_with("GET /metrics ") || request.starts_with("GET /metrics?");
    const std::string body = known ? Scrape(collect_) : "see /metrics\n";
    const std::string answer = fmt::format(
        "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
        known ? "200 OK" : "404 Not Found", body.size(), body);
    for (std::size_t sent = 0; sent < answer.size();) {
      const ssize_t n = send(connection, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }

  // A request up to its empty line; empty where there is none.
  static std::string ReadHead(int connection) {
    constexpr std::size_t kMostBytes = 8192;
    std::string head;
    char buffer[1024];
    while (head.size() < kMostBytes) {
      const ssize_t n = recv(connection, buffer, sizeof(buffer), 0);
      if (n <= 0) return {};
      head.append(buffer, static_cast<std::size_t>(n));
      if (head.find("\r\n\r\n") != std::string::npos) return head;
    }
    return {};
  }

  const Descriptor listening_;
  const Descriptor wake_;
  const std::string address_;
  const CollectMetrics collect_;
  std::jthread thread_;  // Last.
};

// The port of "127.0.0.1:PORT".
std::optional<std::uint16_t> LoopbackPort(const std::string& address) {
  constexpr std::string_view kHost = "127.0.0.1:";
  if (!address.starts_with(kHost)) return std::nullopt;
  std::uint16_t port = 0;
  const char* end = address.data() + address.size();
  const auto [last, error] = std::from_chars(address.data() + kHost.size(), end, port);
  return error == std::errc() && last == end ? std::optional(port) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> StartMetricsServer(const std::string& address,
                                                          CollectMetrics collect) {
  const auto port = LoopbackPort(address);
  if (!port) {
    return InvalidArgument(
        fmt::format("metrics are served on the loopback only, not on '{}'", address),
        "Give 127.0.0.1:PORT; let a Prometheus of this machine scrape it");
  }
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(*port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || listen(fd, 16) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    const std::string why = std::generic_category().message(errno);
    if (fd >= 0) close(fd);
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("metrics cannot be served on {}: {}", address, why),
                "Choose another port");
  }
  return std::unique_ptr<MetricsServer>(std::make_unique<HttpServer>(
      fd, fmt::format("127.0.0.1:{}", ntohs(at.sin_port)), std::move(collect)));
}

}  // namespace inferon
