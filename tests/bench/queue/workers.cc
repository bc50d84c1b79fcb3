#include "tests/bench/queue/workers.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <map>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/rpc/server.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::bench {
namespace {

constexpr std::size_t kChunk = 1 << 20;

// A whole upload, ready to send.
struct Result {
  std::string sha256;
  std::uint64_t bytes = 0;
  std::vector<v1::UploadShardRequest> chunks;
};

Result MakeResult(std::uint32_t count, std::size_t points) {
  ObservationBatch batch;
  batch.points = points;
  batch.provenance = "{}";
  for (std::size_t i = 0; i < count * points; ++i) {
    batch.trace.push_back(static_cast<std::uint16_t>(i * 2654435761u % 1024));
  }
  batch.spike_count.assign(count, 0);
  const std::string frame = EncodeObservations(batch);
  Result result{Sha256Hex(frame), frame.size(), {}};
  for (std::size_t at = 0; at < frame.size(); at += kChunk) {
    v1::UploadShardRequest chunk;
    chunk.set_offset(at);
    chunk.set_data(frame.substr(at, kChunk));
    chunk.set_crc32(Crc32(chunk.data()));
    result.chunks.push_back(std::move(chunk));
  }
  result.chunks[0].set_total_bytes(frame.size());
  result.chunks[0].set_sha256(result.sha256);
  return result;
}

class Worker {
 public:
  Worker(const std::string& address, int index, std::size_t points)
      : stub_(v1::WorkerService::NewStub(rpc::OpenChannel(address))), points_(points) {
    sync_.set_worker(fmt::format("w{}", index));
    sync_.set_session(fmt::format("{:016x}", index + 1));
    sync_.mutable_capabilities()->set_substrate("emulator");
    sync_.set_wanted(2);
  }

  std::vector<v1::Lease> Lease() {
    v1::SynchronizeResponse answer;
    grpc::ClientContext context;
    if (!stub_->Synchronize(&context, sync_, &answer).ok()) return {};
    return {answer.leases().begin(), answer.leases().end()};
  }

  // Bytes; 0 where it failed.
  std::uint64_t Run(const v1::Lease& given) {
    v1::GetShardRequest get;
    get.mutable_lease()->set_shard(given.shard());
    get.mutable_lease()->set_fence(given.fence());
    v1::GetShardResponse work;
    grpc::ClientContext context;
    if (!stub_->GetShard(&context, get, &work).ok()) return 0;
    auto found = results_.find(work.count());
    if (found == results_.end()) {
      found = results_.emplace(work.count(), MakeResult(work.count(), points_)).first;
    }
    if (!Upload(get.lease(), found->second)) return 0;
    v1::CommitShardRequest commit;
    *commit.mutable_lease() = get.lease();
    commit.set_sha256(found->second.sha256);
    commit.set_substrate_seconds(0.5);
    v1::CommitShardResponse committed;
    grpc::ClientContext last;
    return stub_->CommitShard(&last, commit, &committed).ok() ? found->second.bytes : 0;
  }

 private:
  bool Upload(const v1::LeaseRef& lease, Result& result) {
    grpc::ClientContext context;
    v1::UploadShardResponse response;
    const auto writer = stub_->UploadShard(&context, &response);
    *result.chunks[0].mutable_lease() = lease;
    for (const v1::UploadShardRequest& chunk : result.chunks) {
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    return writer->Finish().ok();
  }

  std::unique_ptr<v1::WorkerService::Stub> stub_;
  const std::size_t points_;
  v1::SynchronizeRequest sync_;
  std::map<std::uint32_t, Result> results_;  // By the number of experiments.
};

}  // namespace

Workers::Workers(const std::string& address, int count, std::size_t points) : points_(points) {
  for (int i = 0; i < count; ++i) {
    threads_.emplace_back([this, address, i](std::stop_token stop) { Work(address, i, stop); });
  }
}

Workers::~Workers() = default;

void Workers::Work(const std::string& address, int index, std::stop_token stop) {
  Worker worker(address, index, points_);
  while (!stop.stop_requested()) {
    const std::vector<v1::Lease> leases = worker.Lease();
    if (leases.empty()) SystemClock().SleepFor(std::chrono::milliseconds(2), stop);
    for (const v1::Lease& lease : leases) {
      const std::uint64_t bytes = worker.Run(lease);
      bytes_ += bytes;
      ++(bytes > 0 ? shards_ : failed_);
    }
  }
}

}  // namespace inferon::bench
