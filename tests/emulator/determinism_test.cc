// Same request, same bytes: whatever the shards, threads and processor.
#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "tests/emulator/emulator_fixture.h"
#include "worker/emulator/instance.h"
#include "worker/emulator/kernel_choice.h"
#include "worker/emulator/schedule.h"

namespace inferon::worker {
namespace {

constexpr std::uint32_t kTrials = 3;

RunRequest Whole() {
  const Profile profile = ShippedProfile();
  RunRequest request = Request(profile, RandomSets(profile, 25, 5), kTrials);
  // A few sets that certainly fire.
  for (std::size_t i = 0; i < 70; i += 7) {
    const std::uint16_t codes[] = {16, 520, 655, 553, 57, 846, 726};
    std::copy(std::begin(codes), std::end(codes),
              request.sets.codes.begin() + static_cast<long>(i));
  }
  return request;
}

// Experiments [first, first + count) of a request, as a shard of the job carries them.
RunRequest Shard(const RunRequest& whole, std::uint32_t first, std::uint32_t count) {
  RunRequest shard = whole;
  shard.first_index = first;
  shard.count = count;
  const std::size_t begin = first / kTrials, end = (first + count - 1) / kTrials + 1;
  const auto at = [&](std::size_t row) {
    return whole.sets.codes.begin() + static_cast<long>(row * whole.sets.dimension);
  };
  shard.sets.codes.assign(at(begin), at(end));
  return shard;
}

TEST(DeterminismTest, SplitIntoShardsDoesNotShow) {
  const RunRequest whole = Whole();
  const std::string expected = EncodeObservations(RunOrDie(whole));
  for (const std::uint32_t cut : {1u, 7u, 16u, 37u, 74u}) {
    ObservationBatch joined = RunOrDie(Shard(whole, 0, cut));
    Append(joined, RunOrDie(Shard(whole, cut, whole.count - cut)));
    EXPECT_EQ(EncodeObservations(joined), expected) << cut;
  }
}

TEST(DeterminismTest, NumberOfThreadsDoesNotShow) {
  const std::string expected = EncodeObservations(RunOrDie(Whole(), 1));
  EXPECT_EQ(EncodeObservations(RunOrDie(Whole(), 2)), expected);
  EXPECT_EQ(EncodeObservations(RunOrDie(Whole(), 7)), expected);
}

TEST(DeterminismTest, SeedChangesTheResult) {
  RunRequest other = Whole();
  other.seed = 2;
  EXPECT_NE(RunOrDie(other).trace, RunOrDie(Whole()).trace);
}

TEST(DeterminismTest, LargeSetIndicesHaveTheirOwnNumbers) {
  RunRequest low = Whole(), high = Whole();
  high.first_index = std::uint64_t{kTrials} << 33;
  EXPECT_NE(RunOrDie(low).trace, RunOrDie(high).trace);
}

// Traces and spikes of one batch by one build of the kernel.
std::string KernelBytes(const KernelBuild& build, const RunRequest& request) {
  const Schedule schedule(request.profile, request.protocol, request.seed);
  const DeviceModel device(request.profile, request.device, request.seed);
  LaneCoefficients lanes;
  KernelOutput output{};
  output.spike_capacity = schedule.SpikeCapacity();
  ObservationBatch batch{.points = request.protocol.Points()};
  batch.trace.resize(kLanes * batch.points);
  std::vector<float> times(std::size_t{kLanes} * output.spike_capacity);
  for (int i = 0; i < kLanes; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const NeuronInstance neuron = device.Write(request.sets[row], row, 0);
    FillLane(request.profile, neuron, {row, 0}, request.seed, i, lanes);
    output.trace[i] = batch.trace.data() + row * batch.points;
    output.spike_time_us[i] = times.data() + row * output.spike_capacity;
  }
  build.run(lanes, schedule.kernel(), output);
  for (int i = 0; i < kLanes; ++i) {
    batch.spike_count.push_back(output.spike_count[i]);
    batch.spike_time_us.insert(batch.spike_time_us.end(), output.spike_time_us[i],
                               output.spike_time_us[i] + output.spike_count[i]);
  }
  return EncodeObservations(batch);
}

TEST(DeterminismTest, EveryBuildOfTheKernelGivesTheSameBytes) {
  RunRequest request = Whole();
  request.protocol = {{{50, 350, 1}}, 400, 0.37};
  const std::vector<KernelBuild> builds = UsableKernels();
  ASSERT_EQ(builds[0].name, "generic");
  const std::string expected = KernelBytes(builds[0], request);
  for (const KernelBuild& build : builds) {
    EXPECT_EQ(KernelBytes(build, request), expected) << build.name;
  }
}

// Results of other machines, compilers and versions of this program are comparable as long as this
// stays; raise kEmulatorVersion in emulator.cc together with it.
TEST(DeterminismTest, BytesAreThoseOfThisEmulatorVersion) {
  RunRequest request = Whole();
  request.profile.name = "golden";
  request.profile.sha256 = "";
  EXPECT_EQ(Sha256Hex(EncodeObservations(RunOrDie(request))),
            "4c4baa2767894948d0ee4bb11762b368097402fbd0b9349193c827abe8f401ee");
}

}  // namespace
}  // namespace inferon::worker
