#include <fmt/format.h>

#include <algorithm>

#include "common/neuron/observation.h"
#include "server/scheduler/core.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {

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
  if (shard.state == ShardState::kDead) return ResultChunk{index, left, "", shard.error};
  Result<std::string> frame = ReadSegment(segment_folder_, shard.location, shard.sha256);
  if (!frame) return tl::unexpected(frame.error());
  if (skipped == 0 && frame->size() <= limits_.max_result_bytes) {
    return ResultChunk{index, left, std::move(*frame), ""};
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
  return ResultChunk{index, count, EncodeObservations(Slice(*batch, skipped, count)), ""};
}

}  // namespace inferon::scheduler
