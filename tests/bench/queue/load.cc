#include "tests/bench/queue/load.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/base/clock.h"
#include "common/neuron/profile.h"
#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "tests/bench/estimators/cpu_time.h"

namespace inferon::bench {
namespace {

using Seconds = std::chrono::duration<double>;

double Since(SteadyTime start) { return Seconds(SystemClock().Now() - start).count(); }

struct Call {
  explicit Call(const v1::CreateJobRequest& submission) : request(submission) {
    context.set_deadline(SystemClock().WallNow() + std::chrono::seconds(60));
  }
  grpc::ClientContext context;
  v1::CreateJobRequest request;
  v1::CreateJobResponse response;
};

std::atomic<std::uint64_t> g_requests{0};
std::string NextRequestId() { return fmt::format("r{}", ++g_requests); }

// Counts what is under way, and waits for its end.
class Pending {
 public:
  void Begin() {
    std::lock_guard lock(mu_);
    ++count_;
  }
  void End() {
    std::lock_guard lock(mu_);
    if (--count_ == 0) none_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mu_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mu_;
  std::condition_variable none_;
  int count_ = 0;
};

// Each answer begins the next call, on the thread that brought it.
class ClosedLoop {
 public:
  ClosedLoop(const std::string& address, const v1::CreateJobRequest& submission, double seconds,
             std::uint64_t most)
      : submission_(submission), seconds_(seconds), most_(most) {
    for (int i = 0; i < 2; ++i) {
      stubs_.push_back(v1::ExperimentService::NewStub(rpc::OpenChannel(address)));
    }
  }
  Rate Run(int in_flight) {
    const double cpu = CpuSeconds();
    start_ = SystemClock().Now();
    for (int i = 0; i < in_flight; ++i) {
      pending_.Begin();
      Next(i % 2);
    }
    pending_.Wait();
    const double wall = Since(start_);
    return {static_cast<double>(done_) / wall, CpuSeconds() - cpu, done_, failed_};
  }

 private:
  void Next(int stub) {
    if (Since(start_) > seconds_ || begun_++ >= most_) return pending_.End();
    auto call = std::make_shared<Call>(submission_);
    call->request.set_request_id(NextRequestId());
    stubs_[static_cast<std::size_t>(stub)]->async()->CreateJob(
        &call->context, &call->request, &call->response, [this, call, stub](grpc::Status status) {
          ++(status.ok() ? done_ : failed_);
          Next(stub);
        });
  }

  const v1::CreateJobRequest& submission_;
  const double seconds_;
  const std::uint64_t most_;
  std::vector<std::unique_ptr<v1::ExperimentService::Stub>> stubs_;
  SteadyTime start_;
  Pending pending_;
  std::atomic<std::uint64_t> begun_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> failed_{0};
};

}  // namespace

v1::CreateJobRequest MakeSubmission(std::size_t sets, std::uint32_t shard_size,
                                    std::size_t points) {
  static const Profile profile = BuiltInProfile("adex-paper").value();
  ParameterSets codes{profile.dimension(), {}};
  for (std::size_t i = 0; i < sets * profile.dimension(); ++i) {
    codes.codes.push_back(static_cast<std::uint16_t>(i % 1023));
  }
  v1::CreateJobRequest message;
  v1::JobSpec& spec = *message.mutable_spec();
  *spec.mutable_parameter_sets() = rpc::ToProto(codes);
  spec.set_trials(1);
  spec.set_profile_toml(profile.text);
  *spec.mutable_protocol() = rpc::ToProto(Protocol{{{5, 15, 1}}, static_cast<double>(points), 1});
  spec.mutable_device()->set_chip("any");
  spec.set_substrate("emulator");
  spec.set_shard_size(shard_size);
  return message;
}

Rate SubmitClosedLoop(const std::string& address, const v1::CreateJobRequest& submission,
                      int in_flight, double seconds, std::uint64_t most) {
  return ClosedLoop(address, submission, seconds, most).Run(in_flight);
}

Latencies SubmitOpenLoop(const std::string& address, const v1::CreateJobRequest& submission,
                         double per_second, double seconds) {
  const auto stub = v1::ExperimentService::NewStub(rpc::OpenChannel(address));
  Latencies latencies;
  std::mutex mu;
  Pending pending;
  const SteadyTime start = SystemClock().Now();
  const int count = static_cast<int>(per_second * seconds);
  for (int i = 0; i < count; ++i) {
    const auto due =
        start + std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(i / per_second));
    const auto wait = due - SystemClock().Now();
    if (wait.count() > 0) SystemClock().SleepFor(wait, {});
    auto call = std::make_shared<Call>(submission);
    call->request.set_request_id(NextRequestId());
    pending.Begin();
    stub->async()->CreateJob(&call->context, &call->request, &call->response,
                             [&, call, due](grpc::Status status) {
                               {
                                 std::lock_guard lock(mu);
                                 if (status.ok()) {
                                   latencies.ms.push_back(1e3 * Since(due));
                                 } else {
                                   ++latencies.failed;
                                 }
                               }
                               pending.End();
                             });
  }
  pending.Wait();
  std::sort(latencies.ms.begin(), latencies.ms.end());
  return latencies;
}

// Heartbeats go round as fast as the scheduler asks for them.
struct Crowd::State {
  class Watcher : public grpc::ClientReadReactor<v1::WatchJobResponse> {
   public:
    void Begin(State& state, v1::ExperimentService::Stub& stub, const std::string& job) {
      state_ = &state;
      request_.set_name(job);
      stub.async()->WatchJob(&context_, &request_, this);
      StartRead(&response_);
      StartCall();
    }
    void OnReadDone(bool ok) override {
      if (ok) StartRead(&response_);
    }
    void OnDone(const grpc::Status&) override {
      if (!state_->leaving) ++state_->failed;
      state_->pending.End();
    }
    void Cancel() { context_.TryCancel(); }

   private:
    State* state_ = nullptr;
    grpc::ClientContext context_;
    v1::WatchJobRequest request_;
    v1::WatchJobResponse response_;
  };

  void Beat(std::size_t worker) {
    struct Heartbeat {
      grpc::ClientContext context;
      v1::SynchronizeRequest request;
      v1::SynchronizeResponse response;
    };
    auto call = std::make_shared<Heartbeat>();
    call->context.set_deadline(SystemClock().WallNow() + std::chrono::seconds(10));
    call->request.set_worker(fmt::format("idle-{}", worker));
    call->request.set_session(fmt::format("{:016x}", worker + 1));
    call->request.mutable_capabilities()->set_substrate("brainscales2");
    call->request.set_wanted(1);
    pending.Begin();
    workers[worker % workers.size()]->async()->Synchronize(
        &call->context, &call->request, &call->response, [this, call](grpc::Status status) {
          if (!status.ok() && !leaving) ++failed;
          pending.End();
        });
  }

  std::vector<std::unique_ptr<v1::ExperimentService::Stub>> experiments;
  std::vector<std::unique_ptr<v1::WorkerService::Stub>> workers;
  std::vector<std::unique_ptr<Watcher>> watchers;
  std::atomic<bool> leaving{false};
  std::atomic<std::uint64_t> failed{0};
  Pending pending;
  std::jthread beats;
};

Crowd::Crowd(const std::string& address, const std::string& job, int watchers, int workers)
    : state_(std::make_unique<State>()) {
  for (int i = 0; i < 20; ++i) {
    const auto channel = rpc::OpenChannel(address);
    state_->experiments.push_back(v1::ExperimentService::NewStub(channel));
    state_->workers.push_back(v1::WorkerService::NewStub(channel));
  }
  for (int i = 0; i < watchers; ++i) {
    state_->watchers.push_back(std::make_unique<State::Watcher>());
    state_->pending.Begin();
    state_->watchers.back()->Begin(*state_, *state_->experiments[static_cast<std::size_t>(i % 20)],
                                   job);
  }
  // Each worker calls every 7.5 s, a quarter of the standard lease.
  state_->beats = std::jthread([state = state_.get(), workers](std::stop_token stop) {
    for (std::size_t next = 0; workers > 0; ++next) {
      state->Beat(next % static_cast<std::size_t>(workers));
      if (!SystemClock().SleepFor(std::chrono::milliseconds(7500) / workers, stop)) return;
    }
  });
}

Crowd::~Crowd() {
  state_->leaving = true;
  state_->beats = {};
  for (auto& watcher : state_->watchers) watcher->Cancel();
  state_->pending.Wait();
}

std::uint64_t Crowd::failed() const { return state_->failed; }

}  // namespace inferon::bench
