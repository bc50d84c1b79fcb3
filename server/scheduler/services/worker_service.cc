#include "common/rpc/call_guard.h"
#include "common/rpc/convert.h"
#include "common/rpc/status.h"
#include "inferon/v1/workers.grpc.pb.h"
#include "server/scheduler/services/convert.h"
#include "server/scheduler/services/operations_convert.h"
#include "server/scheduler/services/services.h"

namespace inferon::scheduler {
namespace {

class WorkerServiceImpl : public v1::WorkerService::Service {
 public:
  WorkerServiceImpl(Core& core, const rpc::CallGuard& guard, const JobTraces& traces)
      : core_(core), guard_(guard), traces_(traces) {}

  grpc::Status Synchronize(grpc::ServerContext* context, const v1::SynchronizeRequest* request,
                           v1::SynchronizeResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<SyncAnswer> answer = core_.Synchronize(FromProto(*request));
      if (!answer) return rpc::ToStatus(answer.error());
      *response = ToProto(*answer);
      return grpc::Status::OK;
    });
  }

  grpc::Status GetShard(grpc::ServerContext* context, const v1::GetShardRequest* request,
                        v1::GetShardResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<ShardWork> work = core_.GetShard(FromProto(request->lease()));
      if (!work) return rpc::ToStatus(work.error());
      *response = ToProto(*work);
      const Trace trace = traces_.Find(work->job);
      if (!trace.empty()) context->AddInitialMetadata("traceparent", TraceParent(trace));
      return grpc::Status::OK;
    });
  }

  // Bounded by max_uploads; a client that goes silent is cancelled by its own deadline or when its
  // connection breaks.
  grpc::Status UploadShard(grpc::ServerContext* context,
                           grpc::ServerReader<v1::UploadShardRequest>* reader,
                           v1::UploadShardResponse* response) override {
    return guard_.Run(
        *context, v1::UploadShardRequest::default_instance(), [&](const rpc::Caller&) {
          v1::UploadShardRequest chunk;
          if (!reader->Read(&chunk)) {
            return rpc::ToStatus({ErrorCode::kInvalidArgument,
                                  "the upload is empty",
                                  "Send lease, total_bytes, sha256 and the first chunk",
                                  {}});
          }
          const auto upload = core_.BeginUpload(FromProto(chunk.lease()), chunk.total_bytes(),
                                                chunk.sha256(), chunk.offset());
          if (!upload) return rpc::ToStatus(upload.error());
          do {
            const Status taken = (*upload)->Append(chunk.offset(), chunk.data(), chunk.crc32());
            if (!taken) return rpc::ToStatus(taken.error());
          } while (reader->Read(&chunk));
          const Result<std::uint64_t> received = (*upload)->Finish();
          if (!received) return rpc::ToStatus(received.error());
          response->set_received_bytes(*received);
          return grpc::Status::OK;
        });
  }

  grpc::Status GetUpload(grpc::ServerContext* context, const v1::GetUploadRequest* request,
                         v1::GetUploadResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<std::uint64_t> received =
          core_.ReceivedBytes(FromProto(request->lease()), request->sha256());
      if (!received) return rpc::ToStatus(received.error());
      response->set_received_bytes(*received);
      return grpc::Status::OK;
    });
  }

  grpc::Status CommitShard(grpc::ServerContext* context, const v1::CommitShardRequest* request,
                           v1::CommitShardResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<bool> repeated = core_.CommitShard(
          FromProto(request->lease()), request->sha256(), request->substrate_seconds());
      if (!repeated) return rpc::ToStatus(repeated.error());
      response->set_repeated_commit(*repeated);
      return grpc::Status::OK;
    });
  }

  grpc::Status FailShard(grpc::ServerContext* context, const v1::FailShardRequest* request,
                         v1::FailShardResponse*) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Status done = core_.FailShard(FromProto(request->lease()), request->error(),
                                          request->retryable(), request->substrate_seconds());
      return done ? grpc::Status::OK : rpc::ToStatus(done.error());
    });
  }

  grpc::Status ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<std::vector<WorkerView>> workers = core_.ListWorkers();
      if (!workers) return rpc::ToStatus(workers.error());
      for (const WorkerView& worker : *workers) *response->add_workers() = ToProto(worker);
      return grpc::Status::OK;
    });
  }

  grpc::Status GetWorker(grpc::ServerContext* context, const v1::GetWorkerRequest* request,
                         v1::GetWorkerResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<std::string> id = rpc::ParseName(request->name(), "workers");
      if (!id) return rpc::ToStatus(id.error());
      const Result<WorkerDetails> details = core_.GetWorker(*id);
      if (!details) return rpc::ToStatus(details.error());
      *response = ToProto(*details);
      for (v1::HeldShard& shard : *response->mutable_shards()) {
        const std::string job = shard.job();
        if (!caller.Holds(job.substr(0, job.find("/jobs/")))) shard.clear_job();
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                           v1::DrainWorkerResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<std::string> id = rpc::ParseName(request->name(), "workers");
      if (!id) return rpc::ToStatus(id.error());
      const auto worker = core_.DrainWorker(*id, request->reason(), ActorOf(*context, caller));
      if (!worker) return rpc::ToStatus(worker.error());
      *response->mutable_worker() = ToProto(*worker);
      return grpc::Status::OK;
    });
  }

  grpc::Status ResumeWorker(grpc::ServerContext* context, const v1::ResumeWorkerRequest* request,
                            v1::ResumeWorkerResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<std::string> id = rpc::ParseName(request->name(), "workers");
      if (!id) return rpc::ToStatus(id.error());
      const auto worker = core_.ResumeWorker(*id, ActorOf(*context, caller));
      if (!worker) return rpc::ToStatus(worker.error());
      *response->mutable_worker() = ToProto(*worker);
      return grpc::Status::OK;
    });
  }

  grpc::Status CreateReservation(grpc::ServerContext* context,
                                 const v1::CreateReservationRequest* request,
                                 v1::CreateReservationResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<Reservation> wanted = FromProto(request->reservation());
      if (!wanted) return rpc::ToStatus(wanted.error());
      const auto made = core_.CreateReservation(*wanted, ActorOf(*context, caller));
      if (!made) return rpc::ToStatus(made.error());
      *response->mutable_reservation() = ToProto(*made);
      return grpc::Status::OK;
    });
  }

  grpc::Status ListReservations(grpc::ServerContext* context,
                                const v1::ListReservationsRequest* request,
                                v1::ListReservationsResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const auto all = core_.ListReservations();
      if (!all) return rpc::ToStatus(all.error());
      for (const Reservation& one : *all) *response->add_reservations() = ToProto(one);
      return grpc::Status::OK;
    });
  }

  grpc::Status DeleteReservation(grpc::ServerContext* context,
                                 const v1::DeleteReservationRequest* request,
                                 v1::DeleteReservationResponse*) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Status done = core_.DeleteReservation(request->id(), ActorOf(*context, caller));
      return done ? grpc::Status::OK : rpc::ToStatus(done.error());
    });
  }

  grpc::Status SetCanary(grpc::ServerContext* context, const v1::SetCanaryRequest* request,
                         v1::SetCanaryResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<Canary> wanted = FromProto(request->canary());
      if (!wanted) return rpc::ToStatus(wanted.error());
      const auto set = core_.SetCanary(*wanted, ActorOf(*context, caller));
      if (!set) return rpc::ToStatus(set.error());
      *response->mutable_canary() = ToProto(*set);
      return grpc::Status::OK;
    });
  }

  grpc::Status ListCanaries(grpc::ServerContext* context, const v1::ListCanariesRequest* request,
                            v1::ListCanariesResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const auto all = core_.ListCanaries();
      if (!all) return rpc::ToStatus(all.error());
      for (const Canary& one : *all) *response->add_canaries() = ToProto(one);
      return grpc::Status::OK;
    });
  }

 private:
  Core& core_;
  const rpc::CallGuard& guard_;
  const JobTraces& traces_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeWorkerService(Core& core, const rpc::CallGuard& guard,
                                                 const JobTraces& traces) {
  return std::make_unique<WorkerServiceImpl>(core, guard, traces);
}

}  // namespace inferon::scheduler
