#include "server/scheduler/scheduler_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "common/metrics/metrics_server.h"
#include "common/rpc/server.h"
#include "server/scheduler/core.h"
#include "server/scheduler/core_metrics.h"
#include "server/scheduler/services/services.h"
#include "server/scheduler/services/stream_pump.h"

namespace inferon::scheduler {
namespace {

// Calls Core::Tick for as long as it lives.
class Ticker {
 public:
  Ticker(Core& core, Clock& clock, std::chrono::nanoseconds period)
      : core_(core), clock_(clock), period_(period), thread_([this](std::stop_token stop) {
          while (clock_.SleepFor(period_, stop)) Step();
        }) {}

  void Step() {
    try {
      if (Status done = core_.Tick(); !done) spdlog::warn("tick: {}", done.error().Text());
    } catch (const std::exception& error) {
      spdlog::error("tick: {}", error.what());
    }
  }

 private:
  Core& core_;
  Clock& clock_;
  const std::chrono::nanoseconds period_;
  std::jthread thread_;  // Last.
};

class Server : public SchedulerServer {
 public:
  Server(std::unique_ptr<Core> core, std::unique_ptr<TokenStore> tokens,
         const SchedulerOptions& options)
      : core_(std::move(core)),
        guard_(std::move(tokens), options.guard, *options.clock),
        clock_(*options.clock),
        stop_time_(options.stop_time),
        pump_(core_->limits().stream_threads, core_->limits().max_streams),
        experiments_(MakeExperimentService(*core_, guard_, pump_, traces_)),
        workers_(MakeWorkerService(*core_, guard_, traces_)),
        projects_(MakeProjectService(*core_, guard_)) {}

  // The port is opened last, so that the first call finds everything ready.
  Status Listen(const SchedulerOptions& options) {
    Result<rpc::Server> server = rpc::StartServer(
        {.address = options.address, .tls = options.tls, .tokens = !options.guard.tokens.empty()},
        {experiments_.service.get(), workers_.get(), projects_.get()}, &experiments_.streams);
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    if (!options.metrics.empty()) {
      auto metrics = StartMetricsServer(options.metrics, [this](MetricSink& sink) {
        guard_.statistics().Collect(sink);
        CollectMetrics(*core_, sink);
      });
      if (!metrics) return tl::unexpected(metrics.error());
      metrics_ = std::move(*metrics);
    }
    const std::chrono::nanoseconds period = std::clamp<std::chrono::nanoseconds>(
        core_->limits().lease_time / 10, std::chrono::milliseconds(20), std::chrono::seconds(1));
    ticker_.emplace(*core_, clock_, period);
    return {};
  }

  ~Server() override {
    metrics_.reset();
    ticker_.reset();
    pump_.Stop();
    if (!server_.server) return;
    server_.server->Shutdown(clock_.WallNow() + stop_time_);
    server_.server->Wait();
    pump_.AwaitEmpty();
  }

  const std::string& address() const override { return server_.address; }
  std::string metrics_address() const override { return metrics_ ? metrics_->address() : ""; }

 private:
  std::unique_ptr<Core> core_;
  const rpc::CallGuard guard_;
  Clock& clock_;
  const std::chrono::milliseconds stop_time_;
  StreamPump pump_;
  JobTraces traces_;
  ExperimentServiceParts experiments_;
  std::unique_ptr<grpc::Service> workers_;
  std::unique_ptr<grpc::Service> projects_;
  std::optional<Ticker> ticker_;
  rpc::Server server_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace

Result<std::unique_ptr<SchedulerServer>> StartScheduler(const SchedulerOptions& options) {
  auto tokens = rpc::OpenTokens(options.guard, *options.clock);
  if (!tokens) return tl::unexpected(tokens.error());
  Result<std::unique_ptr<Core>> core = OpenCore(options.folder, options.limits, *options.clock);
  if (!core) return tl::unexpected(core.error());
  auto server = std::make_unique<Server>(std::move(*core), std::move(*tokens), options);
  if (Status listening = server->Listen(options); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::unique_ptr<SchedulerServer>(std::move(server));
}

}  // namespace inferon::scheduler
