// The emulator against the reference solution (reference_neuron.h), noise off. Prints the table of
// docs/substrate.md.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/emulator/emulator_fixture.h"
#include "tests/emulator/reference_neuron.h"

namespace inferon::worker {
namespace {

constexpr std::size_t kFirstSpikes = 10;
constexpr double kAllowedUs = 0.2;

// Sets of the uniform prior: those with 1..70 spikes in the stimulus window, and others.
struct Selection {
  ParameterSets relevant, others;
};

Selection Select(const Profile& profile, std::size_t relevant, std::size_t others) {
  constexpr std::size_t kBlock = 8192;
  Selection selection{{profile.dimension(), {}}, {profile.dimension(), {}}};
  for (std::uint64_t seed = 1; selection.relevant.size() < relevant; ++seed) {
    RunRequest request = Request(profile, RandomSets(profile, kBlock, seed));
    request.protocol = profile.protocol;
    const ObservationBatch batch = RunOrDie(request);
    std::span<const float> times = batch.spike_time_us;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::size_t spikes =
          CountStimulusSpikes(times.first(batch.spike_count[i]), request.protocol);
      times = times.subspan(batch.spike_count[i]);
      const bool wanted = spikes >= 1 && spikes <= 70;
      ParameterSets& sets = wanted ? selection.relevant : selection.others;
      if (sets.size() == (wanted ? relevant : others)) continue;
      const auto codes = request.sets[i];
      sets.codes.insert(sets.codes.end(), codes.begin(), codes.end());
    }
  }
  return selection;
}

struct Accuracy {
  std::size_t sets = 0, equal_count = 0, close = 0;
  std::vector<double> error_us;  // Of the first ten spikes that both have, sorted.

  double Share(std::size_t part) const { return static_cast<double>(part) / sets; }
  double Quantile(double q) const {
    return error_us.empty() ? 0 : error_us[static_cast<std::size_t>(q * (error_us.size() - 1))];
  }
};

using SpikeTrains = std::vector<std::vector<double>>;

SpikeTrains ReferenceSpikes(const Profile& profile, const ParameterSets& sets) {
  SpikeTrains trains;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    trains.push_back(RunReference(MakeReference(profile, sets[i]), profile.protocol).spike_time_us);
  }
  return trains;
}

// A set is close if its first ten spikes are there and each is within kAllowedUs.
Accuracy Compare(const Profile& profile, const ParameterSets& sets, const SpikeTrains& expected) {
  RunRequest request = Request(profile, sets);
  request.protocol = profile.protocol;
  const ObservationBatch batch = RunOrDie(request);
  Accuracy accuracy{.sets = sets.size()};
  std::span<const float> times = batch.spike_time_us;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::span<const float> spikes = times.first(batch.spike_count[i]);
    times = times.subspan(spikes.size());
    accuracy.equal_count += spikes.size() == expected[i].size();
    const std::size_t first = std::min(kFirstSpikes, expected[i].size());
    bool close = spikes.size() >= first;
    for (std::size_t k = 0; k < std::min(first, spikes.size()); ++k) {
      accuracy.error_us.push_back(std::abs(spikes[k] - expected[i][k]));
      close = close && accuracy.error_us.back() <= kAllowedUs;
    }
    accuracy.close += close;
  }
  std::sort(accuracy.error_us.begin(), accuracy.error_us.end());
  return accuracy;
}

void PrintRow(const std::string& name, const Accuracy& accuracy) {
  std::printf("| %s | %zu | %.2f %% | %.2f %% | %.4f | %.4f | %.4f |\n", name.c_str(),
              accuracy.sets, 100 * accuracy.Share(accuracy.equal_count),
              100 * accuracy.Share(accuracy.close), accuracy.Quantile(0.5), accuracy.Quantile(0.99),
              accuracy.Quantile(1));
}

void PrintHead(const char* first) {
  std::printf(
      "| %s | number | equal counts | first ten within 0.2 us | median us | 99 %% us | "
      "largest us |\n|---|---|---|---|---|---|---|\n",
      first);
}

void ExpectAccurate(const std::string& name, const Profile& profile, std::size_t relevant,
                    std::size_t others) {
  const Selection selection = Select(profile, relevant, others);
  for (const ParameterSets* sets : {&selection.relevant, &selection.others}) {
    if (sets->size() == 0) continue;
    const Accuracy accuracy = Compare(profile, *sets, ReferenceSpikes(profile, *sets));
    PrintRow(name + (sets == &selection.relevant ? ", 1..70 spikes" : ", others"), accuracy);
    EXPECT_GE(accuracy.Share(accuracy.equal_count), 0.99) << name;
    EXPECT_GE(accuracy.Share(accuracy.close), 0.98) << name;
  }
}

TEST(AccuracyTest, SpikesAreThoseOfTheReference) {
  PrintHead("sets");
  ExpectAccurate("adex-paper", WithoutNoise(ShippedProfile()), 2000, 500);
}

TEST(AccuracyTest, OtherProfilesAndFormsAreAsAccurate) {
  PrintHead("sets");
  Profile textbook = WithoutNoise(ShippedProfile());
  textbook.exponential = ExponentialForm::kTextbook;
  ExpectAccurate("adex-paper, textbook form", textbook, 300, 100);
  ExpectAccurate("adex-tutorial", WithoutNoise(BuiltInProfile("adex-tutorial").value()), 300, 100);
  ExpectAccurate("lif2", WithoutNoise(BuiltInProfile("lif2").value()), 300, 40);
}

// The sets above are chosen by the emulator's own counts. Here the reference chooses, from all of a
// uniform sample: what the emulator silenced or made fire by mistake would show.
TEST(AccuracyTest, TheReferenceFindsTheSameRelevantSets) {
  const Profile profile = WithoutNoise(ShippedProfile());
  const ParameterSets sets = RandomSets(profile, 20'000, 77);
  const ObservationBatch batch = RunOrDie(Request(profile, sets));
  std::span<const float> times = batch.spike_time_us;
  std::size_t relevant = 0, equal = 0, only_here = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const std::span<const float> spikes = times.first(batch.spike_count[i]);
    times = times.subspan(spikes.size());
    const std::vector<double> reference =
        RunReference(MakeReference(profile, sets[i]), profile.protocol).spike_time_us;
    const std::size_t expected =
        CountStimulusSpikes(std::vector<float>(reference.begin(), reference.end()), {});
    const std::size_t counted = CountStimulusSpikes(spikes, {});
    const bool wanted = expected >= 1 && expected <= 70;
    relevant += wanted;
    equal += wanted && counted == expected;
    only_here += !wanted && counted >= 1 && counted <= 70;
  }
  std::printf(
      "| adex-paper, %zu of 20 000 relevant by the reference | equal counts %.2f %% | "
      "relevant by the emulator only: %zu |\n",
      relevant, 100.0 * static_cast<double>(equal) / static_cast<double>(relevant), only_here);
  EXPECT_GE(static_cast<double>(equal), 0.99 * static_cast<double>(relevant));
  EXPECT_LE(static_cast<double>(only_here), 0.01 * static_cast<double>(relevant));
}

// The stored trace where no spike is: each point within a count of the reference.
TEST(AccuracyTest, TracesWithoutSpikesAreThoseOfTheReference) {
  const Profile profile = WithoutNoise(ShippedProfile());
  const ParameterSets sets = Select(profile, 1, 100).others;
  const ObservationBatch batch = RunOrDie(Request(profile, sets));
  std::vector<double> times(batch.points);
  for (std::size_t k = 0; k < times.size(); ++k) times[k] = static_cast<double>(k);
  std::size_t silent = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.spike_count[i] > 0) continue;
    const ReferenceRun run = RunReference(MakeReference(profile, sets[i]), {}, times);
    ASSERT_EQ(run.sample.size(), batch.points);
    for (std::size_t k = 0; k < batch.points; ++k) {
      const double counts = std::clamp(profile.madc_gain * run.sample[k].v + profile.madc_offset,
                                       profile.madc_min, profile.madc_max);
      ASSERT_NEAR(batch.Trace(i)[k], counts, 0.6) << i << " at " << k;  // 0.5 is rounding.
    }
    ++silent;
  }
  EXPECT_GT(silent, 80u);
}

TEST(AccuracyTest, ErrorFallsWithTheStep) {
  Profile profile = WithoutNoise(ShippedProfile());
  const ParameterSets sets = Select(profile, 400, 0).relevant;
  const SpikeTrains expected = ReferenceSpikes(profile, sets);
  PrintHead("step us");
  double last = 0;
  for (const double step : {0.4, 0.2, 0.1, 0.05}) {
    profile.step_us = step;
    const Accuracy accuracy = Compare(profile, sets, expected);
    PrintRow(fmt::format("{}", step), accuracy);
    // Of second order: a quarter. The rest is for single precision and for spikes that a step of
    // 0.4 us misses.
    if (last > 0) EXPECT_LT(accuracy.Quantile(0.5), last / 3) << step;
    last = accuracy.Quantile(0.5);
  }
}

}  // namespace
}  // namespace inferon::worker
