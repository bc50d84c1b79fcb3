#include "tests/scheduler/service_fixture.h"

#include "common/base/hash.h"
#include "common/rpc/convert.h"
#include "common/rpc/server.h"

namespace inferon::scheduler {

Stubs::Stubs(const std::string& address) {
  const auto channel = rpc::OpenChannel(address);
  experiments = v1::ExperimentService::NewStub(channel);
  workers = v1::WorkerService::NewStub(channel);
  projects = v1::ProjectService::NewStub(channel);
}

std::unique_ptr<grpc::ClientContext> MakeContext() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(SystemClock().WallNow() + std::chrono::seconds(20));
  return context;
}

v1::CreateJobRequest ToMessage(const JobRequest& request) {
  v1::CreateJobRequest message;
  message.set_parent("projects/" + request.project);
  message.set_request_id(request.request_id);
  message.set_title(request.title);
  v1::JobSpec* spec = message.mutable_spec();
  *spec->mutable_parameter_sets() = rpc::ToProto(request.spec.sets);
  spec->set_trials(request.spec.trials);
  spec->set_profile_toml(request.spec.profile_toml);
  *spec->mutable_protocol() = rpc::ToProto(request.spec.protocol);
  *spec->mutable_device() = rpc::ToProto(request.spec.device);
  spec->set_seed(request.spec.seed);
  spec->set_substrate(request.spec.substrate);
  spec->set_shard_size(request.spec.shard_size);
  spec->set_priority(request.spec.priority);
  return message;
}

v1::SynchronizeRequest MakeSync(const std::string& worker, const std::string& session,
                                std::uint32_t wanted) {
  v1::SynchronizeRequest request;
  request.set_worker(worker);
  request.set_session(session);
  request.mutable_capabilities()->set_substrate("emulator");
  request.set_wanted(wanted);
  return request;
}

grpc::Status UploadOnWire(Stubs& stubs, const v1::LeaseRef& lease, const std::string& frame) {
  const auto context = MakeContext();
  v1::UploadShardResponse response;
  const auto writer = stubs.workers->UploadShard(context.get(), &response);
  constexpr std::size_t kChunk = 200;
  for (std::size_t offset = 0; offset < frame.size(); offset += kChunk) {
    v1::UploadShardRequest chunk;
    if (offset == 0) {
      *chunk.mutable_lease() = lease;
      chunk.set_total_bytes(frame.size());
      chunk.set_sha256(Sha256Hex(frame));
    }
    chunk.set_offset(offset);
    chunk.set_data(frame.substr(offset, kChunk));
    chunk.set_crc32(Crc32(chunk.data()));
    if (!writer->Write(chunk)) break;
  }
  writer->WritesDone();
  return writer->Finish();
}

grpc::Status RunShardOnWire(Stubs& stubs, const v1::LeaseRef& lease) {
  v1::GetShardRequest get;
  *get.mutable_lease() = lease;
  v1::GetShardResponse work;
  if (grpc::Status got = stubs.workers->GetShard(MakeContext().get(), get, &work); !got.ok()) {
    return got;
  }
  const Protocol protocol = rpc::FromProto(work.spec().protocol()).value();
  const std::string frame = EncodeObservations(
      ResultOf(work.spec().seed(), work.first_index(), work.count(), protocol.Points()));
  if (grpc::Status up = UploadOnWire(stubs, lease, frame); !up.ok()) return up;
  v1::CommitShardRequest commit;
  *commit.mutable_lease() = lease;
  commit.set_sha256(Sha256Hex(frame));
  commit.set_substrate_seconds(0.25);
  v1::CommitShardResponse committed;
  return stubs.workers->CommitShard(MakeContext().get(), commit, &committed);
}

grpc::Status ReadResultsOnWire(Stubs& stubs, const std::string& name, std::uint64_t start,
                               bool follow, std::vector<v1::StreamResultsResponse>& results) {
  v1::StreamResultsRequest request;
  request.set_name(name);
  request.set_start_index(start);
  request.set_follow(follow);
  const auto context = MakeContext();
  const auto reader = stubs.experiments->StreamResults(context.get(), request);
  v1::StreamResultsResponse response;
  while (reader->Read(&response)) results.push_back(response);
  return reader->Finish();
}

}  // namespace inferon::scheduler
