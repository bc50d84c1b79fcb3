// Same request, same bytes: whatever the shards, threads and processor.
#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/philox.h"
#include "tests/emulator/emulator_fixture.h"
#include "worker/emulator/kernel_choice.h"

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

// All experiments of a request by one build of the kernel, as stored. A digest: a test that fails
// should not print megabytes.
std::string BytesOf(const KernelBuild& build, const RunRequest& request) {
  const auto batch = MakeEmulator({.threads = 2, .kernel = build.run})->Run(request, {});
  return batch ? Sha256Hex(EncodeObservations(*batch)) : batch.error().Text();
}

// Uniform draws, every corner of the box, and sets at its edges.
ParameterSets ManySets(const Profile& profile, std::size_t uniform, std::size_t edges) {
  ParameterSets sets = RandomSets(profile, uniform, 11);
  const std::size_t dimension = profile.dimension();
  for (unsigned corner = 0; corner < 1u << dimension; ++corner) {
    for (unsigned i = 0; i < dimension; ++i) {
      sets.codes.push_back(corner >> i & 1u ? kMaxCode : 0);
    }
  }
  PhiloxSequence random(StreamKey(12, "edges"));
  for (std::size_t i = 0; i < edges * dimension; ++i) {
    const std::uint16_t values[] = {0, 1, kMaxCode,
                                    static_cast<std::uint16_t>(random.Below(kCodeCount))};
    sets.codes.push_back(values[random.Below(4)]);
  }
  return sets;
}

void ExpectSameBytes(const RunRequest& request, const std::string& what) {
  const std::vector<KernelBuild> builds = UsableKernels();
  ASSERT_EQ(builds[0].name, "generic");
  const std::string expected = BytesOf(builds[0], request);
  ASSERT_EQ(expected.size(), 64u) << expected;
  for (const KernelBuild& build : builds) {
    EXPECT_EQ(BytesOf(build, request), expected) << build.name << ": " << what;
  }
}

TEST(DeterminismTest, EveryBuildOfTheKernelGivesTheSameBytesForThousandsOfSets) {
  const Profile profile = ShippedProfile();
  RunRequest request = Request(profile, ManySets(profile, 2500, 500));
  request.protocol = {{{20, 220, 1}}, 250, 1};
  request.profile.settle_us = 30;
  ExpectSameBytes(request, "short protocol");
}

TEST(DeterminismTest, EveryBuildOfTheKernelGivesTheSameBytesInEveryProfileAndMode) {
  std::vector<Profile> profiles;
  for (const std::string& name : BuiltInProfileNames()) {
    profiles.push_back(BuiltInProfile(name).value());
  }
  for (const MadcMode mode : {MadcMode::kPoint, MadcMode::kInterpolated, MadcMode::kAveraged}) {
    Profile profile = ShippedProfile();
    profile.madc_mode = mode;
    profile.threshold_noise_mv = 4;
    profile.membrane_noise_tau_us = 5;
    profile.reset = ResetForm::kConductance;
    profile.reset_tau_us = 0.3;
    profile.exponential = ExponentialForm::kTextbook;
    profiles.push_back(profile);
  }
  for (const Profile& profile : profiles) {
    RunRequest request = Request(profile, ManySets(profile, 64, 64));
    request.protocol = {{{20, 120, 1}, {120, 170, -0.5}}, 200, 0.37};
    ExpectSameBytes(request, profile.name);
  }
}

TEST(DeterminismTest, NoiseOffIsNoSpecialCaseOfTheBuilds) {
  const Profile profile = WithoutNoise(ShippedProfile());
  RunRequest request = Request(profile, ManySets(profile, 64, 64));
  request.protocol = {{{20, 120, 1}}, 150, 1};
  ExpectSameBytes(request, "noise off");
}

// Results of other machines, compilers and versions of this program are comparable as long as this
// stays; raise kEmulatorVersion in emulator.cc together with it.
TEST(DeterminismTest, BytesAreThoseOfThisEmulatorVersion) {
  RunRequest request = Whole();
  request.profile.name = "golden";
  request.profile.sha256 = "";
  EXPECT_EQ(Sha256Hex(EncodeObservations(RunOrDie(request))),
            "e300c8d0de57245ed942f572720017263eb24157064f8261b93444b1836d452c");
}

}  // namespace
}  // namespace inferon::worker
