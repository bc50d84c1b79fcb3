#include "tests/bench/queue/load.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
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

// Of a completion queue; it lives until its operation has ended.
struct Tag {
  std::function<void(bool ok)> ended;
};

// Takes answers on threads of its own. (gRPC's callback API would be shorter; but where its threads
// are the only ones of a process, they sleep for 100 ms after each second, all at once.)
class Answers {
 public:
  explicit Answers(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Take(); });
  }
  // Everything must have ended.
  ~Answers() { queue_.Shutdown(); }
  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  void Take() {
    void* tag = nullptr;
    for (bool ok = false; queue_.Next(&tag, &ok);) static_cast<Tag*>(tag)->ended(ok);
  }

  grpc::CompletionQueue queue_;
  std::vector<std::jthread> threads_;  // Last.
};

// One call with one answer.
template <typename Request, typename Response>
struct Call {
  explicit Call(const Request& request_in) : request(request_in) {
    context.set_deadline(SystemClock().WallNow() + std::chrono::seconds(60));
  }
  grpc::ClientContext context;
  Request request;
  Response response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  Tag tag;
};

// `then` gets the status; the call goes with it.
template <typename Request, typename Response, typename Begin, typename Then>
void Send(const Request& request, Begin&& begin, Then then) {
  auto* call = new Call<Request, Response>(request);
  call->tag.ended = [call, then = std::move(then)](bool) {
    const std::unique_ptr<Call<Request, Response>> owner(call);
    const auto last = std::move(call->tag.ended);  // Holds `then` while it runs.
    then(call->status);
  };
  call->reader = begin(*call);
  call->reader->Finish(&call->response, &call->status, &call->tag);
}

std::atomic<std::uint64_t> g_requests{0};

// Submits under a request id of its own.
template <typename Then>
void Submit(v1::ExperimentService::Stub& stub, Answers& answers, v1::CreateJobRequest submission,
            Then then) {
  submission.set_request_id(fmt::format("r{}", ++g_requests));
  Send<v1::CreateJobRequest, v1::CreateJobResponse>(
      submission,
      [&](auto& call) { return stub.AsyncCreateJob(&call.context, call.request, answers.queue()); },
      std::move(then));
}

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
    Submit(*stubs_[static_cast<std::size_t>(stub)], answers_, submission_,
           [this, stub](const grpc::Status& status) {
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
  Answers answers_{2};  // Last: its threads use the rest.
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
  Latencies latencies;  // Of the one thread that takes answers, until none is pending.
  Pending pending;
  Answers answers(1);
  const SteadyTime start = SystemClock().Now();
  const int count = static_cast<int>(per_second * seconds);
  for (int i = 0; i < count; ++i) {
    const auto due =
        start + std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(i / per_second));
    const auto wait = due - SystemClock().Now();
    if (wait.count() > 0) SystemClock().SleepFor(wait, {});
    pending.Begin();
    Submit(*stub, answers, submission, [&, due](const grpc::Status& status) {
      if (status.ok()) {
        latencies.ms.push_back(1e3 * Since(due));
      } else {
        ++latencies.failed;
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
  class Watcher {
   public:
    Watcher(State& state, v1::ExperimentService::Stub& stub, const std::string& job)
        : state_(state) {
      request_.set_name(job);
      begun_.ended = [this](bool ok) { Read(ok); };
      read_.ended = [this](bool ok) { Read(ok); };
      ended_.ended = [this](bool) {
        if (!state_.leaving) ++state_.failed;
        state_.pending.End();
      };
      reader_ = stub.PrepareAsyncWatchJob(&context_, request_, state.answers.queue());
      reader_->StartCall(&begun_);
    }
    void Cancel() { context_.TryCancel(); }

   private:
    void Read(bool ok) {
      if (ok) return reader_->Read(&response_, &read_);
      reader_->Finish(&status_, &ended_);
    }

    State& state_;
    grpc::ClientContext context_;
    v1::WatchJobRequest request_;
    v1::WatchJobResponse response_;
    grpc::Status status_;
    std::unique_ptr<grpc::ClientAsyncReader<v1::WatchJobResponse>> reader_;
    Tag begun_, read_, ended_;
  };

  void Beat(std::size_t worker) {
    v1::SynchronizeRequest request;
    request.set_worker(fmt::format("idle-{}", worker));
    request.set_session(fmt::format("{:016x}", worker + 1));
    request.mutable_capabilities()->set_substrate("brainscales2");
    request.set_wanted(1);
    pending.Begin();
    Send<v1::SynchronizeRequest, v1::SynchronizeResponse>(
        request,
        [&](auto& call) {
          return workers[worker % workers.size()]->AsyncSynchronize(&call.context, call.request,
                                                                    answers.queue());
        },
        [this](const grpc::Status& status) {
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
  Answers answers{1};  // Its thread uses the above.
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
    state_->pending.Begin();
    state_->watchers.push_back(std::make_unique<State::Watcher>(
        *state_, *state_->experiments[static_cast<std::size_t>(i % 20)], job));
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
