#include "common/rpc/call_guard.h"
#include "common/rpc/convert.h"
#include "common/rpc/status.h"
#include "inferon/v1/experiments.grpc.pb.h"
#include "server/scheduler/services/convert.h"
#include "server/scheduler/services/operations_convert.h"
#include "server/scheduler/services/response_stream.h"
#include "server/scheduler/services/services.h"

namespace inferon::scheduler {
namespace {

// A stream about one job, woken by its changes.
template <typename Response>
class JobStream : public ResponseStream<Response> {
 public:
  template <typename Call>
  JobStream(Core& core, StreamPump& pump, const rpc::CallGuard& guard, const char* method,
            std::shared_ptr<Call> call)
      : ResponseStream<Response>(pump, guard, method, call),
        core_(core),
        name_(call->request().name()) {}

 protected:
  void Subscribe() override {
    const Result<JobKey> key = ParseJobName(name_);
    if (key) subscription_ = core_.changes().Subscribe(key->job, [this] { this->Wake(); });
  }
  void Unsubscribe() override {
    if (subscription_ != 0) core_.changes().Unsubscribe(subscription_);
  }

  Core& core_;
  const std::string name_;

 private:
  std::uint64_t subscription_ = 0;  // 0: none.
};

class WatchStream : public JobStream<v1::WatchJobResponse> {
 public:
  using Method = rpc::StreamMethod<v1::WatchJobRequest, v1::WatchJobResponse>;

  WatchStream(Core& core, StreamPump& pump, const rpc::CallGuard& guard,
              const std::shared_ptr<Method::Call>& call)
      : JobStream(core, pump, guard, "WatchJob", call), after_(call->request().after_sequence()) {}

 protected:
  // The first message comes at once, with or without events, and shows the job as it is.
  Result<Next> Produce(v1::WatchJobResponse& response) override {
    if (ended_) return Next::kEnd;
    const Result<EventPage> page = core_.ReadEvents(name_, after_);
    if (!page) return tl::unexpected(page.error());
    ended_ = page->ended;
    if (page->events.empty() && begun_) return ended_ ? Next::kEnd : Next::kWait;
    begun_ = true;
    for (const Event& event : page->events) {
      *response.add_events() = ToProto(event);
      after_ = event.sequence;
    }
    *response.mutable_job() = ToProto(page->job);
    return Next::kMessage;
  }

 private:
  std::uint64_t after_;
  bool begun_ = false;
  bool ended_ = false;
};

class ResultStream : public JobStream<v1::StreamResultsResponse> {
 public:
  using Method = rpc::StreamMethod<v1::StreamResultsRequest, v1::StreamResultsResponse>;

  ResultStream(Core& core, StreamPump& pump, const rpc::CallGuard& guard,
               const std::shared_ptr<Method::Call>& call)
      : JobStream(core, pump, guard, "StreamResults", call),
        next_(call->request().start_index()),
        follow_(call->request().follow()) {}

 protected:
  Result<Next> Produce(v1::StreamResultsResponse& response) override {
    Result<ResultPage> page = core_.ReadResults(name_, next_, follow_);
    if (!page) return tl::unexpected(page.error());
    if (!page->chunk) return page->ended ? Next::kEnd : Next::kWait;
    next_ = page->chunk->first + page->chunk->count;
    response.set_first_index(page->chunk->first);
    response.set_count(page->chunk->count);
    response.set_frame(std::move(page->chunk->frame));
    response.set_error(page->chunk->error);
    response.set_worker(page->chunk->worker);
    response.set_calibration_id(page->chunk->calibration_id);
    response.set_suspect(page->chunk->suspect);
    return Next::kMessage;
  }

 private:
  std::uint64_t next_;
  const bool follow_;
};

// Calls with one answer wait for the disk on gRPC's threads; streams may idle for hours and run on
// the pump.
using Base = v1::ExperimentService::WithAsyncMethod_WatchJob<
    v1::ExperimentService::WithAsyncMethod_StreamResults<v1::ExperimentService::Service>>;

class ExperimentServiceImpl : public Base, public rpc::StreamingService {
 public:
  ExperimentServiceImpl(Core& core, const rpc::CallGuard& guard, StreamPump& pump,
                        JobTraces& traces)
      : core_(core),
        guard_(guard),
        pump_(pump),
        traces_(traces),
        watches_([this](auto*... of) { RequestWatchJob(of...); }, Opens<WatchStream>()),
        results_([this](auto*... of) { RequestStreamResults(of...); }, Opens<ResultStream>()) {}

  void AcceptStreams(grpc::ServerCompletionQueue& queue) override {
    watches_.Accept(queue);
    results_.Accept(queue);
  }

  grpc::Status CreateJob(grpc::ServerContext* context, const v1::CreateJobRequest* request,
                         v1::CreateJobResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<JobRequest> decoded = FromProto(*request);
      if (!decoded) return rpc::ToStatus(decoded.error());
      const Result<Job> job = core_.CreateJob(*decoded, ActorOf(*context, caller));
      if (job) traces_.Add(JobName(job->project, job->id), CurrentTrace());
      return Answer(job, response);
    });
  }

  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      return Answer(core_.GetJob(request->name()), response);
    });
  }

  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<std::string> project = ProjectFromParent(request->parent());
      if (!project) return rpc::ToStatus(project.error());
      const Result<JobPage> page =
          core_.ListJobs(*project, request->page_size(), request->page_token());
      if (!page) return rpc::ToStatus(page.error());
      for (const Job& job : page->jobs) *response->add_jobs() = ToProto(job);
      response->set_next_page_token(page->next_page_token);
      return grpc::Status::OK;
    });
  }

  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      return Answer(core_.CancelJob(request->name(), ActorOf(*context, caller)), response);
    });
  }

  grpc::Status PauseJob(grpc::ServerContext* context, const v1::PauseJobRequest* request,
                        v1::PauseJobResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      return Answer(core_.PauseJob(request->name(), ActorOf(*context, caller)), response);
    });
  }

  grpc::Status ResumeJob(grpc::ServerContext* context, const v1::ResumeJobRequest* request,
                         v1::ResumeJobResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      return Answer(core_.ResumeJob(request->name(), ActorOf(*context, caller)), response);
    });
  }

  grpc::Status ExplainJob(grpc::ServerContext* context, const v1::ExplainJobRequest* request,
                          v1::ExplainJobResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<Explanation> explanation = core_.ExplainJob(request->name());
      if (!explanation) return rpc::ToStatus(explanation.error());
      *response = ToProto(*explanation);
      return grpc::Status::OK;
    });
  }

 private:
  template <typename Stream>
  typename Stream::Method::Open Opens() {
    return [this](const std::shared_ptr<typename Stream::Method::Call>& call) {
      const auto caller = guard_.Admit(call->context(), call->request());
      if (!caller) return Refuse(*call, caller.error());
      Stream::Open(std::make_shared<Stream>(core_, pump_, guard_, call));
    };
  }

  template <typename Response>
  static grpc::Status Answer(const Result<Job>& job, Response* response) {
    if (!job) return rpc::ToStatus(job.error());
    *response->mutable_job() = ToProto(*job);
    return grpc::Status::OK;
  }

  Core& core_;
  const rpc::CallGuard& guard_;
  StreamPump& pump_;
  JobTraces& traces_;
  WatchStream::Method watches_;
  ResultStream::Method results_;
};

}  // namespace

ExperimentServiceParts MakeExperimentService(Core& core, const rpc::CallGuard& guard,
                                             StreamPump& pump, JobTraces& traces) {
  auto service = std::make_unique<ExperimentServiceImpl>(core, guard, pump, traces);
  rpc::StreamingService& streams = *service;
  return {std::move(service), streams};
}

}  // namespace inferon::scheduler
