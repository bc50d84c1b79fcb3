// Throughput of the emulator on the shipped profile: one JSON line.
//
// inferon_bench_emulator [experiments] [threads] [seed]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "common/base/clock.h"
#include "common/base/philox.h"
#include "common/features/features.h"
#include "worker/emulator/emulator.h"

namespace inferon {
namespace {

struct Shares {
  double silent = 0, to_40 = 0, to_70 = 0, more = 0;
};

Shares CountShares(const ObservationBatch& batch, const Protocol& protocol) {
  Shares shares;
  const double one = 1.0 / static_cast<double>(batch.size());
  std::span<const float> times = batch.spike_time_us;
  for (const std::uint32_t count : batch.spike_count) {
    const std::size_t spikes = CountStimulusSpikes(times.first(count), protocol);
    times = times.subspan(count);
    if (spikes == 0) shares.silent += one;
    if (spikes >= 1 && spikes <= 40) shares.to_40 += one;
    if (spikes >= 1 && spikes <= 70) shares.to_70 += one;
    if (spikes > 70) shares.more += one;
  }
  return shares;
}

int Run(std::uint32_t experiments, int threads, std::uint64_t seed) {
  constexpr std::uint32_t kShard = 10'000;
  const Profile profile = BuiltInProfile("adex-paper").value();
  const auto emulator = worker::MakeEmulator({threads});
  PhiloxSequence random(StreamKey(seed, "bench"));
  Shares shares;
  double seconds = 0;
  for (std::uint32_t first = 0; first < experiments; first += kShard) {
    worker::RunRequest request{.profile = profile, .seed = seed, .first_index = first};
    request.count = std::min(kShard, experiments - first);
    request.sets.dimension = profile.dimension();
    for (std::size_t i = 0; i < request.count * profile.dimension(); ++i) {
      request.sets.codes.push_back(static_cast<std::uint16_t>(random.Below(kCodeCount)));
    }
    const SteadyTime start = SystemClock().Now();
    const Result<ObservationBatch> batch = emulator->Run(request, {});
    seconds += std::chrono::duration<double>(SystemClock().Now() - start).count();
    if (!batch) {
      fmt::print(stderr, "{}\n", batch.error().Text());
      return 1;
    }
    const Shares part = CountShares(*batch, request.protocol);
    const double weight = static_cast<double>(request.count) / experiments;
    shares.silent += weight * part.silent, shares.to_40 += weight * part.to_40;
    shares.to_70 += weight * part.to_70, shares.more += weight * part.more;
  }
  const double rate = experiments / seconds;
  fmt::print(
      "{{\"experiments\": {}, \"threads\": {}, \"seed\": {}, \"seconds\": {:.3f}, "
      "\"traces_per_s\": {:.0f}, \"traces_per_s_per_core\": {:.0f}, "
      "\"share_silent\": {:.5f}, \"share_1_40\": {:.5f}, \"share_1_70\": {:.5f}, "
      "\"share_more\": {:.5f}}}\n",
      experiments, threads, seed, seconds, rate, rate / threads, shares.silent, shares.to_40,
      shares.to_70, shares.more);
  return 0;
}

}  // namespace
}  // namespace inferon

int main(int argc, char** argv) {
  const long experiments = argc > 1 ? std::atol(argv[1]) : 20'000;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const long long seed = argc > 3 ? std::atoll(argv[3]) : 1;
  if (experiments < 1 || experiments > 100'000'000 || threads < 1 || threads > 1024 || seed < 0) {
    fmt::print(stderr, "usage: inferon_bench_emulator [experiments] [threads] [seed]\n");
    return 2;
  }
  return inferon::Run(static_cast<std::uint32_t>(experiments), threads,
                      static_cast<std::uint64_t>(seed));
}
