#include "server/scheduler/validate.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <set>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using testing::HasSubstr;

// The refusal of a request, or "" where it is accepted.
std::string Refusal(const JobRequest& request, const Limits& limits = {}) {
  const Status status = ValidateJob(request, limits);
  if (status) return "";
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  return status.error().Text();
}

class ValidateTest : public testing::Test {
 protected:
  JobRequest request_ = MakeRequest("r", 3);
};

TEST_F(ValidateTest, GoodJobPasses) { EXPECT_EQ(Refusal(request_), ""); }

TEST_F(ValidateTest, EmptyJobIsRefused) {
  request_.spec.sets.codes.clear();
  EXPECT_THAT(Refusal(request_), HasSubstr("no parameter sets"));
  request_.spec.sets = {};
  EXPECT_THAT(Refusal(request_), HasSubstr("no parameter sets"));
}

TEST_F(ValidateTest, CodeIsRefusedWithRowAndColumn) {
  request_.spec.sets.codes[7 + 2] = 1022;
  EXPECT_EQ(Refusal(request_), "");
  request_.spec.sets.codes[7 + 2] = 1023;
  EXPECT_THAT(Refusal(request_), HasSubstr("code 1023 in row 1, column 2"));
}

TEST_F(ValidateTest, ColumnsMustFitTheProfile) {
  request_.spec.sets.dimension = 3;
  EXPECT_THAT(Refusal(request_), HasSubstr("has 3 columns"));
  EXPECT_THAT(Refusal(request_), HasSubstr("7 free parameters (g_l, v_t"));
}

TEST_F(ValidateTest, ProfileMustParseAndBeSmall) {
  request_.spec.profile_toml = "nonsense";
  EXPECT_NE(Refusal(request_), "");
  request_.spec.profile_toml = std::string(kMaxProfileBytes + 1, '#');
  EXPECT_THAT(Refusal(request_), HasSubstr("65537 bytes"));
}

TEST_F(ValidateTest, RequestIdHasAPattern) {
  for (const std::string id : {"", "a b", "ä"}) {
    request_.request_id = id;
    EXPECT_THAT(Refusal(request_), HasSubstr("is not a request id")) << id;
  }
  request_.request_id = std::string(100, 'a');
  EXPECT_EQ(Refusal(request_), "");
  request_.request_id += "a";
  EXPECT_NE(Refusal(request_), "");
}

TEST_F(ValidateTest, ProjectHasAPattern) {
  for (const std::string id : {"", "-a", "A", "a_b"}) {
    request_.project = id;
    EXPECT_THAT(Refusal(request_), HasSubstr("is not a project id")) << id;
  }
  request_.project = std::string(63, 'a');
  EXPECT_EQ(Refusal(request_), "");
  request_.project += "a";
  EXPECT_NE(Refusal(request_), "");
}

TEST_F(ValidateTest, TitleIsCountedInCharacters) {
  request_.title.clear();
  for (int i = 0; i < 200; ++i) request_.title += "ä";
  EXPECT_EQ(Refusal(request_), "");
  request_.title += "ä";
  EXPECT_THAT(Refusal(request_), HasSubstr("201 characters"));
}

TEST_F(ValidateTest, NumbersHaveRanges) {
  const auto refused = [&](auto set, const char* what) {
    JobRequest changed = request_;
    set(changed.spec);
    EXPECT_THAT(Refusal(changed), HasSubstr(what));
  };
  refused([](JobSpec& spec) { spec.trials = 0; }, "trials is 0");
  refused([](JobSpec& spec) { spec.trials = kMaxTrials + 1; }, "trials is 100001");
  refused([](JobSpec& spec) { spec.shard_size = 0; }, "shard_size is 0");
  refused([](JobSpec& spec) { spec.shard_size = kMaxShardSize + 1; }, "shard_size is 10001");
  refused([](JobSpec& spec) { spec.priority = 101; }, "priority is 101");
  refused([](JobSpec& spec) { spec.priority = -101; }, "priority is -101");
  refused([](JobSpec& spec) { spec.device.neuron = 512; }, "neuron 512");
  refused([](JobSpec& spec) { spec.device.run = kMaxRun + 1; }, "run 1000001");
  refused([](JobSpec& spec) { spec.device.chip = "a/b"; }, "'a/b'");
  refused([](JobSpec& spec) { spec.substrate = "loihi"; }, "'loihi'");
  refused([](JobSpec& spec) { spec.protocol.duration_us = -1; }, "");
}

TEST_F(ValidateTest, ExperimentsPerJobAtTheEdge) {
  Limits limits;
  limits.max_experiments_per_job = 3;
  EXPECT_EQ(Refusal(request_, limits), "");
  limits.max_experiments_per_job = 2;
  EXPECT_THAT(Refusal(request_, limits), HasSubstr("--max-experiments-per-job"));
}

TEST_F(ValidateTest, ShardsPerJobAtTheEdge) {
  request_.spec.shard_size = 1;
  Limits limits;
  limits.max_shards_per_job = 3;
  EXPECT_EQ(Refusal(request_, limits), "");
  limits.max_shards_per_job = 2;
  EXPECT_THAT(Refusal(request_, limits), HasSubstr("larger shard_size"));
}

TEST_F(ValidateTest, FrameThatCouldNotBeUploadedIsRefused) {
  Limits limits;
  limits.max_upload_bytes = 3 * (20 * 6 + 4);
  EXPECT_EQ(Refusal(request_, limits), "");
  limits.max_upload_bytes -= 1;
  EXPECT_THAT(Refusal(request_, limits), HasSubstr("shard_size of at most 2"));
}

TEST_F(ValidateTest, ContentHashSeesEveryField) {
  std::vector<JobRequest> others(14, request_);
  others[0].title += "x";
  others[1].spec.sets.codes[0] ^= 1;
  others[2].spec.trials = 2;
  others[3].spec.profile_toml += "\n";
  others[4].spec.protocol.duration_us = 21;
  others[5].spec.protocol.grid_step_us = 2;
  others[6].spec.protocol.steps[0].scale = 2;
  others[7].spec.device.chip = "other";
  others[8].spec.device.neuron = 1;
  others[9].spec.device.run = 1;
  others[10].spec.seed = 8;
  others[11].spec.substrate = "brainscales2";
  others[12].spec.shard_size = 5;
  others[13].spec.priority = 1;
  std::set<std::string> hashes{ContentSha256(request_)};
  for (const JobRequest& other : others) hashes.insert(ContentSha256(other));
  EXPECT_EQ(hashes.size(), 15u);
  EXPECT_EQ(ContentSha256(request_), ContentSha256(MakeRequest("another-id", 3)));
}

TEST(ValidateWorkerTest, IdSessionAndSubstrateAreChecked) {
  const std::string session(16, 'a');
  EXPECT_TRUE(ValidateWorker("w", session, EmulatorCapabilities()));
  EXPECT_FALSE(ValidateWorker("W", session, EmulatorCapabilities()));
  EXPECT_FALSE(ValidateWorker("w", std::string(15, 'a'), EmulatorCapabilities()));
  EXPECT_FALSE(ValidateWorker("w", std::string(65, 'a'), EmulatorCapabilities()));
  EXPECT_FALSE(ValidateWorker("w", std::string(16, 'x'), EmulatorCapabilities()));
  EXPECT_FALSE(ValidateWorker("w", session, {"", "", "", "", ""}));
  EXPECT_FALSE(ValidateWorker("w", session, {"emulator", "", "a b", "", ""}));
}

TEST(ValidateWorkerTest, BoundsOfAWorkerAtTheirEdges) {
  const std::string session(16, 'a');
  const auto accepts = [&](const std::function<void(Capabilities&)>& change) {
    Capabilities can = EmulatorCapabilities();
    change(can);
    return ValidateWorker("w", session, can).has_value();
  };
  EXPECT_TRUE(accepts([](Capabilities& can) { can.neurons.assign(512, 511); }));
  EXPECT_FALSE(accepts([](Capabilities& can) { can.neurons.assign(513, 1); }));
  EXPECT_FALSE(accepts([](Capabilities& can) { can.neurons = {512}; }));
  const std::string hash(64, 'a');
  EXPECT_TRUE(accepts([&](Capabilities& can) { can.profile_sha256.assign(64, hash); }));
  EXPECT_FALSE(accepts([&](Capabilities& can) { can.profile_sha256.assign(65, hash); }));
  EXPECT_FALSE(accepts([](Capabilities& can) { can.profile_sha256 = {"abc"}; }));
  EXPECT_TRUE(accepts([](Capabilities& can) { can.switch_seconds = 3600; }));
  EXPECT_FALSE(accepts([](Capabilities& can) { can.switch_seconds = 3600.1; }));
  EXPECT_FALSE(accepts([](Capabilities& can) { can.switch_seconds = -1; }));
  EXPECT_FALSE(accepts([](Capabilities& can) { can.switch_seconds = std::nan(""); }));
}

TEST(ContentTest, LaterFieldsCountWhereTheyAreSet) {
  const JobRequest plain = MakeRequest("r", 4);
  std::set<std::string> hashes{ContentSha256(plain)};
  const auto add = [&](const std::function<void(JobSpec&)>& change) {
    JobRequest other = plain;
    change(other.spec);
    EXPECT_TRUE(hashes.insert(ContentSha256(other)).second);
  };
  add([](JobSpec& spec) { spec.placement.worker = "w"; });
  add([](JobSpec& spec) { spec.placement.calibration_id = "w"; });
  add([](JobSpec& spec) { spec.max_run_seconds = 1; });
  add([](JobSpec& spec) { spec.max_run_seconds = 2; });
  add([](JobSpec& spec) { spec.reuse = true; });
}

TEST(ShortenTest, CutsBetweenCharacters) {
  EXPECT_EQ(Shorten("äöü", 2), "äö");
  EXPECT_EQ(Shorten("abc", 3), "abc");
}

}  // namespace
}  // namespace inferon::scheduler
