#include "common/rpc/status.h"
#include "inferon/v1/workers.grpc.pb.h"
#include "server/scheduler/services/convert.h"
#include "server/scheduler/services/services.h"

namespace inferon::scheduler {
namespace {

class WorkerServiceImpl : public v1::WorkerService::Service {
 public:
  explicit WorkerServiceImpl(Core& core) : core_(core) {}

  grpc::Status Synchronize(grpc::ServerContext*, const v1::SynchronizeRequest* request,
                           v1::SynchronizeResponse* response) override {
    return rpc::Guard("Synchronize", [&] {
      const Result<SyncAnswer> answer = core_.Synchronize(FromProto(*request));
      if (!answer) return rpc::ToStatus(answer.error());
      *response = ToProto(*answer);
      return grpc::Status::OK;
    });
  }

  grpc::Status GetShard(grpc::ServerContext*, const v1::GetShardRequest* request,
                        v1::GetShardResponse* response) override {
    return rpc::Guard("GetShard", [&] {
      const Result<ShardWork> work = core_.GetShard(FromProto(request->lease()));
      if (!work) return rpc::ToStatus(work.error());
      *response = ToProto(*work);
      return grpc::Status::OK;
    });
  }

  // Bounded by max_uploads; a client that goes silent is cancelled by its own deadline or when its
  // connection breaks.
  grpc::Status UploadShard(grpc::ServerContext*, grpc::ServerReader<v1::UploadShardRequest>* reader,
                           v1::UploadShardResponse* response) override {
    return rpc::Guard("UploadShard", [&] {
      v1::UploadShardRequest chunk;
      if (!reader->Read(&chunk)) {
        return rpc::ToStatus({ErrorCode::kInvalidArgument,
                              "the upload is empty",
                              "Send lease, total_bytes, sha256 and the first chunk",
                              {}});
      }
      const auto upload =
          core_.BeginUpload(FromProto(chunk.lease()), chunk.total_bytes(), chunk.sha256());
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

  grpc::Status CommitShard(grpc::ServerContext*, const v1::CommitShardRequest* request,
                           v1::CommitShardResponse* response) override {
    return rpc::Guard("CommitShard", [&] {
      const Result<bool> repeated = core_.CommitShard(
          FromProto(request->lease()), request->sha256(), request->substrate_seconds());
      if (!repeated) return rpc::ToStatus(repeated.error());
      response->set_repeated_commit(*repeated);
      return grpc::Status::OK;
    });
  }

  grpc::Status FailShard(grpc::ServerContext*, const v1::FailShardRequest* request,
                         v1::FailShardResponse*) override {
    return rpc::Guard("FailShard", [&] {
      const Status done =
          core_.FailShard(FromProto(request->lease()), request->error(), request->retryable());
      return done ? grpc::Status::OK : rpc::ToStatus(done.error());
    });
  }

  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* response) override {
    return rpc::Guard("ListWorkers", [&] {
      const Result<std::vector<WorkerView>> workers = core_.ListWorkers();
      if (!workers) return rpc::ToStatus(workers.error());
      for (const WorkerView& worker : *workers) *response->add_workers() = ToProto(worker);
      return grpc::Status::OK;
    });
  }

 private:
  Core& core_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeWorkerService(Core& core) {
  return std::make_unique<WorkerServiceImpl>(core);
}

}  // namespace inferon::scheduler
