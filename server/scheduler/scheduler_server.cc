#include "server/scheduler/scheduler_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "common/rpc/server.h"
#include "server/scheduler/core.h"
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
  Server(std::unique_ptr<Core> core, const SchedulerOptions& options)
      : core_(std::move(core)),
        clock_(*options.clock),
        stop_time_(options.stop_time),
        pump_(core_->limits().stream_threads, core_->limits().max_streams),
        experiments_(MakeExperimentService(*core_, pump_)),
        workers_(MakeWorkerService(*core_)),
        projects_(MakeProjectService(*core_)) {}

  // The port is opened last, so that the first call finds everything ready.
  Status Listen(const SchedulerOptions& options) {
    Result<rpc::Server> server =
        rpc::StartServer({options.address}, {experiments_.get(), workers_.get(), projects_.get()});
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    const std::chrono::nanoseconds period = std::clamp<std::chrono::nanoseconds>(
        core_->limits().lease_time / 10, std::chrono::milliseconds(20), std::chrono::seconds(1));
    ticker_.emplace(*core_, clock_, period);
    return {};
  }

  ~Server() override {
    ticker_.reset();
    pump_.Stop();
    if (!server_.server) return;
    server_.server->Shutdown(clock_.WallNow() + stop_time_);
    server_.server->Wait();
  }

  const std::string& address() const override { return server_.address; }

 private:
  std::unique_ptr<Core> core_;
  Clock& clock_;
  const std::chrono::milliseconds stop_time_;
  StreamPump pump_;
  std::unique_ptr<grpc::Service> experiments_;
  std::unique_ptr<grpc::Service> workers_;
  std::unique_ptr<grpc::Service> projects_;
  std::optional<Ticker> ticker_;
  rpc::Server server_;
};

}  // namespace

Result<std::unique_ptr<SchedulerServer>> StartScheduler(const SchedulerOptions& options) {
  Result<std::unique_ptr<Core>> core = OpenCore(options.folder, options.limits, *options.clock);
  if (!core) return tl::unexpected(core.error());
  auto server = std::make_unique<Server>(std::move(*core), options);
  if (Status listening = server->Listen(options); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::unique_ptr<SchedulerServer>(std::move(server));
}

}  // namespace inferon::scheduler
