#include "tests/scheduler/scheduler_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "common/base/hash.h"
#include "common/base/philox.h"
#include "common/neuron/profile.h"

namespace inferon::scheduler {
namespace {

// These tests end servers, never the machine: a folder in memory keeps the same promises and does
// not wait for a busy disk.
[[maybe_unused]] const bool kInMemory = [] {
  return std::filesystem::is_directory("/dev/shm") && setenv("TMPDIR", "/dev/shm", 0) == 0;
}();

}  // namespace

JobRequest MakeRequest(const std::string& request_id, std::size_t sets, std::uint32_t shard_size,
                       std::uint32_t trials) {
  static const Profile profile = BuiltInProfile("adex-paper").value();
  JobRequest request;
  request.request_id = request_id;
  request.title = "a test";
  request.spec.sets.dimension = profile.dimension();
  for (std::size_t i = 0; i < sets * profile.dimension(); ++i) {
    request.spec.sets.codes.push_back(static_cast<std::uint16_t>(i % 1023));
  }
  request.spec.trials = trials;
  request.spec.profile_toml = profile.text;
  request.spec.protocol = {{{5, 15, 1}}, 20, 1};
  request.spec.seed = 7;
  request.spec.shard_size = shard_size;
  return request;
}

ObservationBatch ResultOf(std::uint64_t seed, std::uint64_t first, std::uint32_t count,
                          std::size_t points) {
  ObservationBatch batch;
  batch.points = points;
  batch.provenance = "{}";
  for (std::uint64_t e = first; e < first + count; ++e) {
    PhiloxSequence random(StreamKey(seed, "test"), e * 1000);
    for (std::size_t i = 0; i < points; ++i) {
      batch.trace.push_back(static_cast<std::uint16_t>(random.Below(1024)));
    }
    const std::uint32_t spikes = random.Below(3);
    batch.spike_count.push_back(spikes);
    for (std::uint32_t s = 0; s < spikes; ++s) batch.spike_time_us.push_back(1.5f + s);
  }
  return batch;
}

std::string FrameOf(const ShardWork& work) {
  return EncodeObservations(
      ResultOf(work.spec.seed, work.first, work.count, work.spec.protocol.Points()));
}

Capabilities EmulatorCapabilities() { return {"emulator", "emulator", "", "", "test"}; }

Result<SyncAnswer> FakeWorker::Beat(Core& core, std::uint32_t wanted, bool draining) {
  Result<SyncAnswer> answer =
      core.Synchronize({id_, session_, capabilities, held_, wanted, draining});
  if (!answer) return answer;
  held_.clear();
  for (const GivenLease& given : answer->leases) held_.push_back(given.ref);
  return answer;
}

LeaseRef FakeWorker::LeaseOne(Core& core) {
  const std::vector<LeaseRef> before = held_;
  const Result<SyncAnswer> answer = Beat(core, 1);
  EXPECT_TRUE(answer) << answer.error().Text();
  for (const LeaseRef& lease : held_) {
    if (std::find(before.begin(), before.end(), lease) == before.end()) return lease;
  }
  ADD_FAILURE() << "no new lease";
  return {};
}

Status Stage(Core& core, const LeaseRef& lease, const std::string& frame) {
  auto upload = core.BeginUpload(lease, frame.size(), Sha256Hex(frame));
  if (!upload) return tl::unexpected(upload.error());
  constexpr std::size_t kChunk = 100;
  for (std::size_t offset = 0; offset < frame.size(); offset += kChunk) {
    const std::string_view chunk = std::string_view(frame).substr(offset, kChunk);
    if (Status ok = (*upload)->Append(offset, chunk, Crc32(chunk)); !ok) return ok;
  }
  const Result<std::uint64_t> finished = (*upload)->Finish();
  if (!finished) return tl::unexpected(finished.error());
  return {};
}

Result<bool> RunShard(Core& core, const LeaseRef& lease) {
  const Result<ShardWork> work = core.GetShard(lease);
  if (!work) return tl::unexpected(work.error());
  const std::string frame = FrameOf(*work);
  if (Status ok = Stage(core, lease, frame); !ok) return tl::unexpected(ok.error());
  return core.CommitShard(lease, Sha256Hex(frame), 0.5);
}

std::vector<ResultChunk> ReadAll(Core& core, const std::string& job, std::uint64_t index) {
  std::vector<ResultChunk> chunks;
  for (;;) {
    Result<ResultPage> page = core.ReadResults(job, index, false);
    EXPECT_TRUE(page) << page.error().Text();
    if (!page || !page->chunk) return chunks;
    index = page->chunk->first + page->chunk->count;
    chunks.push_back(std::move(*page->chunk));
  }
}

void CoreTest::Restart() {
  core_.reset();
  Result<std::unique_ptr<Core>> core = OpenCore(folder_.path(), limits_, clock_);
  ASSERT_TRUE(core) << core.error().Text();
  core_ = std::move(*core);
}

Job CoreTest::Submit(const JobRequest& request) {
  const Result<Job> job = core_->CreateJob(request);
  EXPECT_TRUE(job) << job.error().Text();
  return job ? *job : Job{};
}

Job CoreTest::Get(const Job& job) { return core_->GetJob(NameOf(job)).value(); }

std::vector<std::string> CoreTest::EventKinds(const Job& job) {
  std::vector<std::string> kinds;
  const Result<EventPage> page = core_->ReadEvents(NameOf(job), 0);
  for (const Event& event : page.value().events) kinds.push_back(event.kind);
  return kinds;
}

}  // namespace inferon::scheduler
