// Mutated messages to the scheduler: refused with a reason, or taken within the documented ranges.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "common/base/hash.h"
#include "common/rpc/convert.h"
#include "server/scheduler/services/convert.h"
#include "server/scheduler/services/operations_convert.h"
#include "tests/fuzz/mutate.h"
#include "tests/scheduler/service_fixture.h"

namespace inferon::scheduler {
namespace {

class SchedulerFuzzTest : public testing::Test {
 protected:
  SchedulerFuzzTest() { spdlog::set_level(spdlog::level::off); }

  // The message from mutated bytes; those that do not parse never reach a handler.
  template <typename Message, typename Body>
  void ForEach(const Message& valid, int count, const Body& body) {
    int parsed = 0;
    fuzz::ForEachMutation(valid.SerializeAsString(), count, [&](const std::string& bytes) {
      Message message;
      if (!message.ParseFromString(bytes)) return;
      ++parsed;
      body(message);
    });
    EXPECT_GT(parsed, count / 100);
  }
  static void ExpectReason(const Error& error) {
    EXPECT_FALSE(error.message.empty());
    EXPECT_NE(error.code, ErrorCode::kInternal) << error.message;
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  Limits limits_;
  std::unique_ptr<Core> core_ =
      std::make_unique<Core>(MakeMemoryStore(), folder_.path(), limits_, clock_);
};

TEST_F(SchedulerFuzzTest, MutatedSubmissionsAreRefusedOrValid) {
  int accepted = 0;
  ForEach(ToMessage(MakeRequest("r", 2)), 10'000, [&](const v1::CreateJobRequest& message) {
    const Result<JobRequest> request = FromProto(message);
    if (!request) return ExpectReason(request.error());
    const Status valid = ValidateJob(*request, limits_);
    if (!valid) return ExpectReason(valid.error());
    ++accepted;
    const JobSpec& spec = request->spec;
    ASSERT_GE(spec.Experiments(), 1u);
    ASSERT_LE(spec.Experiments(), limits_.max_experiments_per_job);
    ASSERT_GE(spec.shard_size, 1u);
    ASSERT_LE(spec.shard_size, kMaxShardSize);
    ASSERT_EQ(spec.sets.codes.size(), spec.sets.size() * spec.sets.dimension);
  });
  EXPECT_GT(accepted, 10);
}

TEST_F(SchedulerFuzzTest, MutatedWorkersCallsAreRefusedOrAnswered) {
  ASSERT_TRUE(core_->CreateJob(MakeRequest("r", 100, 1)));
  v1::SynchronizeRequest valid = MakeSync("w1", "aaaaaaaaaaaaaaaa", 1);
  valid.mutable_capabilities()->set_mode("emulator");
  valid.mutable_capabilities()->set_version("1");
  v1::LeaseRef& lease = *valid.add_leases();
  lease.set_shard(1);
  lease.set_fence(std::uint64_t{1} << 32 | 1);
  ForEach(valid, 3'000, [&](const v1::SynchronizeRequest& message) {
    const Result<SyncAnswer> answer = core_->Synchronize(FromProto(message));
    if (!answer) return ExpectReason(answer.error());
    ASSERT_LE(answer->leases.size(), limits_.max_leases_per_worker);
  });
  v1::CommitShardRequest commit;
  *commit.mutable_lease() = lease;
  commit.set_sha256(std::string(64, 'a'));
  commit.set_substrate_seconds(1);
  ForEach(commit, 3'000, [&](const v1::CommitShardRequest& message) {
    const auto done = core_->CommitShard(FromProto(message.lease()), message.sha256(),
                                         message.substrate_seconds());
    ASSERT_FALSE(done) << "nothing was uploaded";
    ExpectReason(done.error());
  });
  EXPECT_EQ(core_->GetJob("projects/default/jobs/1")->experiments_done, 0u);
}

TEST_F(SchedulerFuzzTest, MutatedUploadsAreRefusedOrWhole) {
  ASSERT_TRUE(core_->CreateJob(MakeRequest("r", 4)));
  FakeWorker worker("w1", "aaaaaaaaaaaaaaaa");
  const LeaseRef lease = worker.LeaseOne(*core_);
  const std::string frame = FrameOf(core_->GetShard(lease).value());
  v1::UploadShardRequest valid;
  valid.mutable_lease()->set_shard(lease.shard);
  valid.mutable_lease()->set_fence(lease.fence);
  valid.set_total_bytes(frame.size());
  valid.set_sha256("x");
  valid.set_data(frame);
  valid.set_crc32(Crc32(frame));
  int whole = 0;
  ForEach(valid, 3'000, [&](const v1::UploadShardRequest& message) {
    const std::string sha256 = Sha256Hex(message.data());
    const auto upload = core_->BeginUpload(FromProto(message.lease()), message.total_bytes(),
                                           sha256, message.offset());
    if (!upload) return ExpectReason(upload.error());
    const Status taken = (*upload)->Append(message.offset(), message.data(), message.crc32());
    if (!taken) return ExpectReason(taken.error());
    const Result<std::uint64_t> received = (*upload)->Finish();
    if (!received) return ExpectReason(received.error());
    ++whole;
    const Result<bool> done = core_->CommitShard(lease, sha256, 1);
    EXPECT_EQ(done.has_value(), message.data() == frame) << "only a frame of this shard counts";
    if (!done) ExpectReason(done.error());
  });
  EXPECT_GT(whole, 0);
}

TEST_F(SchedulerFuzzTest, MutatedOperatorsMessagesAreRefusedOrValid) {
  Canary canary;
  canary.substrate = "emulator";
  canary.spec = MakeRequest("r", 2).spec;
  ForEach(ToProto(canary), 5'000, [&](const v1::Canary& message) {
    const Result<Canary> decoded = FromProto(message);
    if (!decoded) return ExpectReason(decoded.error());
    const Status valid = ValidateCanary(*decoded, limits_);
    if (!valid) return ExpectReason(valid.error());
    ASSERT_LE(decoded->spec.sets.size(), kMaxCanarySets);
  });
  v1::Reservation reservation;
  reservation.set_worker("workers/w1");
  reservation.mutable_start_time()->set_seconds(1'700'000'000);
  reservation.mutable_end_time()->set_seconds(1'700'000'100);
  ForEach(reservation, 5'000, [&](const v1::Reservation& message) {
    const Result<Reservation> decoded = FromProto(message);
    if (!decoded) return ExpectReason(decoded.error());
    const auto made = core_->CreateReservation(*decoded);
    if (!made) return ExpectReason(made.error());
    ASSERT_LT(made->start, made->end);
    ASSERT_TRUE(core_->DeleteReservation(made->id));
  });
}

}  // namespace
}  // namespace inferon::scheduler
