// Speed of the twelve features on emulated traces with 30 spikes each: one JSON line.
//
// inferon_bench_features [traces] [seed]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/philox.h"
#include "common/features/features.h"
#include "worker/emulator/emulator.h"

namespace inferon {
namespace {

constexpr std::size_t kSpikes = 30;
constexpr int kRounds = 5;
// Parameter sets drawn in the search for neurons that spike about so often, and trials of each.
constexpr std::uint32_t kCandidates = 10'000, kTrials = 8;
constexpr std::size_t kNear = 2;  // Spikes that a candidate may be away.

// Processor time of this process, s: unlike wall time it does not count what others run.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::string Machine() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name"))
      return line.substr(std::min(line.find(": ") + 2, line.size()));
  }
  return "unknown";
}

// Traces with exactly kSpikes spikes in the step, from as many parameter sets as it takes.
std::vector<Observation> EmulatedTraces(std::size_t count, std::uint64_t seed) {
  const Profile profile = BuiltInProfile("adex-paper").value();
  const auto emulator = worker::MakeEmulator({1});
  PhiloxSequence random(StreamKey(seed, "bench"));
  std::vector<Observation> traces;
  for (std::uint32_t first = 0; traces.size() < count; first += kCandidates) {
    worker::RunRequest search{.profile = profile, .seed = seed, .first_index = first};
    search.count = kCandidates;
    search.sets.dimension = profile.dimension();
    for (std::size_t i = 0; i < kCandidates * profile.dimension(); ++i) {
      search.sets.codes.push_back(static_cast<std::uint16_t>(random.Below(kCodeCount)));
    }
    const ObservationBatch found = emulator->Run(search, {}).value();
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Observation one = Extract(found, i);
      const std::size_t spikes = CountStimulusSpikes(one.spike_time_us, search.protocol);
      if (spikes + kNear < kSpikes || spikes > kSpikes + kNear) continue;
      worker::RunRequest repeat{.profile = profile, .seed = seed + 1, .first_index = 0};
      repeat.count = kTrials;
      repeat.sets.dimension = profile.dimension();
      for (std::uint32_t trial = 0; trial < kTrials; ++trial) {
        const auto set =
            search.sets.codes.begin() + static_cast<std::ptrdiff_t>(i * profile.dimension());
        repeat.sets.codes.insert(repeat.sets.codes.end(), set,
                                 set + static_cast<std::ptrdiff_t>(profile.dimension()));
      }
      const ObservationBatch runs = emulator->Run(repeat, {}).value();
      for (std::size_t trial = 0; trial < runs.size(); ++trial) {
        Observation run = Extract(runs, trial);
        if (CountStimulusSpikes(run.spike_time_us, repeat.protocol) == kSpikes) {
          traces.push_back(std::move(run));
        }
      }
    }
  }
  traces.resize(count);
  return traces;
}

int Run(std::size_t count, std::uint64_t seed) {
  const Protocol protocol;
  const std::vector<Observation> traces = EmulatedTraces(std::min<std::size_t>(count, 256), seed);
  double best = 0, mean_width = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double start = CpuSeconds();
    for (std::size_t i = 0; i < count; ++i) {
      const Features features = ExtractFeatures(traces[i % traces.size()], protocol);
      mean_width += features[static_cast<std::size_t>(Feature::kWidth)];
    }
    best = std::max(best, static_cast<double>(count) / (CpuSeconds() - start));
  }
  const nlohmann::json line{{"bench", "features"},
                            {"traces_per_core_s", std::round(best)},
                            {"features", kFeatureCount},
                            {"points", protocol.Points()},
                            {"spikes", kSpikes},
                            {"traces", count},
                            {"distinct_traces", traces.size()},
                            {"best_of_rounds", kRounds},
                            {"seed", seed},
                            {"mean_width_us", mean_width / static_cast<double>(count * kRounds)},
                            {"time", "cpu"},
                            {"machine", Machine()}};
  fmt::print("{}\n", line.dump());
  return 0;
}

}  // namespace
}  // namespace inferon

int main(int argc, char** argv) {
  const long traces = argc > 1 ? std::atol(argv[1]) : 20'000;
  const long long seed = argc > 2 ? std::atoll(argv[2]) : 1;
  if (traces < 1 || traces > 100'000'000 || seed < 0) {
    fmt::print(stderr, "usage: inferon_bench_features [traces] [seed]\n");
    return 2;
  }
  return inferon::Run(static_cast<std::size_t>(traces), static_cast<std::uint64_t>(seed));
}
