#include <fmt/format.h>

#include <algorithm>

#include "common/neuron/observation.h"
#include "server/scheduler/core.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {
namespace {

constexpr double kMaxAgeSeconds = 1e10;

}  // namespace

Result<ResultPage> Core::ReadResults(const std::string& name, std::uint64_t index, bool follow) {
  // The job first: an end that is seen has all its shards in their last state.
  const Result<Job> job = GetJob(name);
  if (!job) return tl::unexpected(job.error());
  if (index > job->experiments) {
    return InvalidArgument(
        fmt::format("start_index is {}, but {} has {} experiments", index, name, job->experiments),
        "Start at an index below the number of experiments");
  }
  if (index == job->experiments) return ResultPage{std::nullopt, true};
  if (job->purge_time) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the results of {} were removed by retention", name),
                "Submit the job again under another request id; fetch results while they are kept");
  }
  const std::vector<Shard> shards =
      readers_.Read([&](StoreReader& reader) { return reader.ShardsFrom(job->id, index, 1); });
  const Shard& shard = shards.at(0);
  if (IsOpen(shard.state)) return ResultPage{std::nullopt, !follow || HasEnded(job->state)};
  Result<ResultChunk> chunk = ReadChunk(shard, index);
  if (!chunk) return tl::unexpected(chunk.error());
  return ResultPage{std::move(*chunk), false};
}

Result<ResultChunk> Core::ReadChunk(const Shard& shard, std::uint64_t index) {
  const std::uint64_t skipped = index - shard.first;
  const auto left = static_cast<std::uint32_t>(shard.count - skipped);
  if (shard.state == ShardState::kDead) {
    return ResultChunk{.first = index, .count = left, .error = shard.error};
  }
  ResultChunk chunk{.first = index,
                    .count = left,
                    .worker = shard.worker,
                    .calibration_id = shard.calibration_id,
                    .suspect = shard.suspect};
  Result<std::string> frame = ReadSegment(segment_folder_, shard.location, shard.sha256);
  if (!frame) return tl::unexpected(frame.error());
  if (skipped == 0 && frame->size() <= limits_.max_result_bytes) {
    chunk.frame = std::move(*frame);
    return chunk;
  }
  // A part: as many experiments as fit by the size of the largest, at least one.
  const Result<ObservationBatch> batch = DecodeObservations(*frame);
  if (!batch) return tl::unexpected(batch.error());
  std::uint64_t bytes = 0;
  std::uint32_t count = 0;
  while (count < left) {
    const std::size_t spikes = batch->spike_count[skipped + count];
    bytes += batch->points * sizeof(std::uint16_t) + (spikes + 1) * sizeof(float);
    if (count > 0 && bytes > limits_.max_result_bytes) break;
    ++count;
  }
  chunk.count = count;
  chunk.frame = EncodeObservations(Slice(*batch, skipped, count));
  return chunk;
}

Result<GarbageReport> Core::CollectGarbage(std::chrono::duration<double> older_than, bool dry_run,
                                           const Actor& actor) {
  if (!(older_than.count() >= 0 && older_than.count() <= kMaxAgeSeconds)) {
    return InvalidArgument(
        fmt::format("older_than_seconds is {}, outside 0..{}", older_than.count(), kMaxAgeSeconds));
  }
  return Write([&]() -> Result<GarbageReport> { return Purge(older_than, dry_run, actor); });
}

// Segment files go after their rows: a file that is left behind by a crash in between is removed at
// the next start, because no row names it.
GarbageReport Core::Purge(std::chrono::duration<double> older_than, bool dry_run,
                          const Actor& actor) {
  const WallTime now = clock_.WallNow();
  const std::vector<Job> jobs = store_->View().Purgeable(
      now - std::chrono::duration_cast<WallTime::duration>(older_than), kMaxPurgedJobs);
  GarbageReport report;
  if (jobs.empty()) return report;
  std::vector<JobId> ids;
  for (const Job& job : jobs) {
    ids.push_back(job.id);
    report.jobs.push_back(JobName(job.project, job.id));
    report.experiments += job.experiments_done;
  }
  for (const SegmentUse& use : store_->View().SegmentsOf(ids)) {
    const std::uint64_t bytes = SegmentBytes(segment_folder_, use.segment);
    const bool open = use.segment == segments_->current() && bytes < limits_.segment_bytes;
    if (use.needed || open) continue;
    ++report.segments;
    report.bytes += bytes;
    if (!dry_run) free_segments_.insert(use.segment);
  }
  if (dry_run) return report;
  for (const Job& job : jobs) {
    store_->PurgeJob(job.id, now);
    Tell("job.purged", job, JobName(job.project, job.id),
         fmt::format("{} results removed", job.experiments_done), actor);
  }
  return report;
}

}  // namespace inferon::scheduler
