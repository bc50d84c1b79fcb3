#include "common/metrics/metrics_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace inferon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What the server answers on a path.
std::string Get(const std::string& address, const std::string& path) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) {
    const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
    EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(n));
    }
  }
  close(fd);
  return answer;
}

TEST(MetricsServerTest, AScrapeHasEveryKindOfMetric) {
  Histogram histogram({1, 2});
  histogram.Observe(1.5);
  const auto server = StartMetricsServer("127.0.0.1:0", [&](MetricSink& sink) {
    sink.Gauge("inferon_a", "A", {{"project", "lab \"x\""}}, 2.5);
    sink.Gauge("inferon_a", "A", {{"project", "y"}}, 3);
    sink.Counter("inferon_b_total", "B", {}, 7);
    sink.Distribution("inferon_c", "C", {}, histogram.Read());
  });
  ASSERT_TRUE(server) << server.error().Text();
  const std::string answer = Get((*server)->address(), "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("# TYPE inferon_a gauge\ninferon_a{project=\"lab \\\"x\\\"\"} 2.5\n"
                                "inferon_a{project=\"y\"} 3\n"));
  EXPECT_THAT(answer, HasSubstr("inferon_b_total 7"));
  EXPECT_THAT(answer, HasSubstr("inferon_c_bucket{le=\"1\"} 0\ninferon_c_bucket{le=\"2\"} 1\n"
                                "inferon_c_bucket{le=\"+Inf\"} 1"));
  EXPECT_THAT(answer, HasSubstr("inferon_c_sum 1.5"));
}

TEST(MetricsServerTest, AFailureInCollectingIsNotAFailureOfTheServer) {
  const auto server = StartMetricsServer("127.0.0.1:0", [&](MetricSink& sink) {
    sink.Counter("inferon_b_total", "B", {}, 7);
    throw std::runtime_error("the disk is gone");
  });
  ASSERT_TRUE(server);
  EXPECT_THAT(Get((*server)->address(), "/metrics"), HasSubstr("inferon_b_total 7"));
}

TEST(MetricsServerTest, AnotherPathIsNotFoundAndTheServerGoesOn) {
  const auto server = StartMetricsServer("127.0.0.1:0", [](MetricSink&) {});
  ASSERT_TRUE(server);
  EXPECT_THAT(Get((*server)->address(), "/"), HasSubstr("404"));
  EXPECT_THAT(Get((*server)->address(), std::string(10'000, 'a')), Not(HasSubstr("200")));
  EXPECT_THAT(Get((*server)->address(), "/metrics"), HasSubstr("200 OK"));
}

TEST(MetricsServerTest, OnlyTheLoopbackIsServed) {
  for (const char* address : {"0.0.0.0:9464", "9464", "127.0.0.1:", "127.0.0.1:x",
                              "127.0.0.1:70000", "192.168.1.5:0", ""}) {
    const auto server = StartMetricsServer(address, [](MetricSink&) {});
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument) << address;
  }
}

TEST(MetricsServerTest, APortInUseIsRefusedWithAdvice) {
  const auto first = StartMetricsServer("127.0.0.1:0", [](MetricSink&) {});
  ASSERT_TRUE(first);
  const auto second = StartMetricsServer((*first)->address(), [](MetricSink&) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
}

}  // namespace
}  // namespace inferon
