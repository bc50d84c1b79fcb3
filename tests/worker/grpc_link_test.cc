#include "worker/agent/grpc_link.h"

#include <gtest/gtest.h>

#include <mutex>

#include "common/base/hash.h"
#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::worker {
namespace {

using std::chrono::seconds;

// Records what a worker sends and answers as told.
class FakeService : public v1::WorkerService::Service {
 public:
  grpc::Status Synchronize(grpc::ServerContext*, const v1::SynchronizeRequest* request,
                           v1::SynchronizeResponse* response) override {
    report = *request;
    if (!refusal.ok()) return refusal;
    *response = orders;
    return grpc::Status::OK;
  }
  grpc::Status GetShard(grpc::ServerContext*, const v1::GetShardRequest*,
                        v1::GetShardResponse* response) override {
    *response = shard;
    return refusal;
  }
  grpc::Status UploadShard(grpc::ServerContext*, grpc::ServerReader<v1::UploadShardRequest>* reader,
                           v1::UploadShardResponse* response) override {
    chunks.clear();
    if (!refusal.ok()) return refusal;
    v1::UploadShardRequest chunk;
    while (reader->Read(&chunk)) chunks.push_back(chunk);
    response->set_received_bytes(1);
    return grpc::Status::OK;
  }
  grpc::Status CommitShard(grpc::ServerContext*, const v1::CommitShardRequest* request,
                           v1::CommitShardResponse*) override {
    commit = *request;
    return grpc::Status::OK;
  }
  grpc::Status FailShard(grpc::ServerContext*, const v1::FailShardRequest* request,
                         v1::FailShardResponse*) override {
    failure = *request;
    return grpc::Status::OK;
  }

  grpc::Status refusal;
  v1::SynchronizeRequest report;
  v1::SynchronizeResponse orders;
  v1::GetShardResponse shard;
  std::vector<v1::UploadShardRequest> chunks;
  v1::CommitShardRequest commit;
  v1::FailShardRequest failure;
};

class GrpcLinkTest : public ::testing::Test {
 protected:
  GrpcLinkTest() {
    Result<rpc::Server> server = rpc::StartServer({}, {&service_});
    EXPECT_TRUE(server);
    server_ = std::move(*server);
    link_ = MakeGrpcLink({.scheduler = server_.address,
                          .worker = "w-1",
                          .session = RandomSession(),
                          .version = "1.2.3",
                          .substrate = {.substrate = "emulator", .mode = "fake"}});
  }

  void OfferShard() {
    service_.shard.set_job("projects/default/jobs/3");
    service_.shard.set_first_index(5);
    service_.shard.set_count(4);
    v1::JobSpec& spec = *service_.shard.mutable_spec();
    spec.set_trials(2);
    spec.set_seed(99);
    const Result<Profile> profile = BuiltInProfile("adex-paper");
    spec.set_profile_toml(profile->text);
    ParameterSets sets{.dimension = profile->dimension(), .codes = {}};
    sets.codes.assign(3 * sets.dimension, 12);
    *spec.mutable_parameter_sets() = rpc::ToProto(sets);
  }

  FakeService service_;
  rpc::Server server_;
  std::unique_ptr<Link> link_;
};

TEST_F(GrpcLinkTest, ReportSaysWhoItIsAndWhatItHas) {
  service_.orders.set_next_seconds(1.5);
  service_.orders.set_drain(true);
  v1::Lease& lease = *service_.orders.add_leases();
  lease.set_shard(7);
  lease.set_fence(8);
  lease.set_seconds_left(30);
  const auto orders =
      link_->Synchronize({.leases = {{3, 4}}, .wanted = 2, .draining = true}, seconds(5), {});
  ASSERT_TRUE(orders) << orders.error().Text();
  EXPECT_EQ(service_.report.worker(), "w-1");
  EXPECT_EQ(service_.report.session().size(), 32u);
  EXPECT_EQ(service_.report.capabilities().mode(), "fake");
  EXPECT_EQ(service_.report.capabilities().version(), "1.2.3");
  ASSERT_EQ(service_.report.leases_size(), 1);
  EXPECT_EQ(service_.report.leases(0).fence(), 4u);
  EXPECT_EQ(service_.report.wanted(), 2u);
  EXPECT_TRUE(service_.report.draining());
  EXPECT_TRUE(orders->drain);
  EXPECT_EQ(orders->next, std::chrono::milliseconds(1'500));
  ASSERT_EQ(orders->leases.size(), 1u);
  EXPECT_EQ(orders->leases[0].ref, (LeaseRef{7, 8}));
  EXPECT_EQ(orders->leases[0].left, seconds(30));
}

TEST_F(GrpcLinkTest, ShardBecomesARunRequest) {
  OfferShard();
  const auto work = link_->GetShard({1, 2}, {});
  ASSERT_TRUE(work) << work.error().Text();
  EXPECT_EQ(work->job, "projects/default/jobs/3");
  EXPECT_EQ(work->request.first_index, 5u);
  EXPECT_EQ(work->request.count, 4u);
  EXPECT_EQ(work->request.seed, 99u);
  EXPECT_EQ(work->request.sets.size(), 3u);
  EXPECT_EQ(work->request.profile.name, "adex-paper");
}

TEST_F(GrpcLinkTest, ShardWithTooFewParameterSetsIsRefusedForGood) {
  OfferShard();
  service_.shard.set_count(6);  // Trials 1..6 of three sets of two begin at the second.
  EXPECT_EQ(link_->GetShard({1, 2}, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(GrpcLinkTest, ShardWithAMalformedProfileIsRefusedForGood) {
  OfferShard();
  service_.shard.mutable_spec()->set_profile_toml("name = 3");
  EXPECT_EQ(link_->GetShard({1, 2}, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(GrpcLinkTest, UploadGoesInChecksummedChunksAndCommitNamesTheDigest) {
  std::string frame((std::size_t{2} << 20) + 100, 'x');
  frame[5] = 'y';
  ASSERT_TRUE(link_->DeliverShard({1, 2}, frame, 0.25, {}));
  ASSERT_EQ(service_.chunks.size(), 3u);
  EXPECT_EQ(service_.chunks[0].lease().fence(), 2u);
  EXPECT_EQ(service_.chunks[0].total_bytes(), frame.size());
  EXPECT_EQ(service_.chunks[0].sha256(), Sha256Hex(frame));
  EXPECT_FALSE(service_.chunks[1].has_lease());
  std::string received;
  for (const v1::UploadShardRequest& chunk : service_.chunks) {
    EXPECT_EQ(chunk.offset(), received.size());
    EXPECT_EQ(chunk.crc32(), Crc32(chunk.data()));
    received += chunk.data();
  }
  EXPECT_EQ(received, frame);
  EXPECT_EQ(service_.commit.sha256(), Sha256Hex(frame));
  EXPECT_DOUBLE_EQ(service_.commit.substrate_seconds(), 0.25);
}

TEST_F(GrpcLinkTest, StaleFenceIsAborted) {
  service_.refusal = rpc::ToStatus({ErrorCode::kAborted, "the lease is over", "Drop it", {}});
  const Status delivered = link_->DeliverShard({1, 2}, std::string(3 << 20, 'x'), 0, {});
  EXPECT_EQ(delivered.error().code, ErrorCode::kAborted);
  EXPECT_EQ(delivered.error().message, "the lease is over");
  EXPECT_TRUE(service_.commit.sha256().empty());
}

TEST_F(GrpcLinkTest, FailureCarriesItsReason) {
  ASSERT_TRUE(link_->FailShard({1, 2}, "broken", true, {}));
  EXPECT_EQ(service_.failure.error(), "broken");
  EXPECT_TRUE(service_.failure.retryable());
}

TEST_F(GrpcLinkTest, SchedulerThatIsGoneIsUnavailable) {
  server_.server->Shutdown();
  const auto orders = link_->Synchronize({}, seconds(2), {});
  EXPECT_EQ(orders.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace inferon::worker
