// Throughput of the emulator per core (second of processor time), side by side with Brian2.
//
// inferon_bench_emulator [--experiments N] [--seed N] [--no-brian2]
//
// Prints tables, then one line of JSON. Every figure is measured in this run; Brian2's are null,
// with the reason, where it is not installed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/philox.h"
#include "common/features/features.h"
#include "tests/bench/brian2.h"
#include "worker/emulator/emulator.h"
#include "worker/emulator/kernel_choice.h"

namespace inferon {
namespace {

using nlohmann::json;

constexpr int kRounds = 5;  // Of each measurement; the median counts.

double ProcessorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

ParameterSets UniformSets(const Profile& profile, std::size_t sets, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "bench"));
  ParameterSets result{profile.dimension(), {}};
  for (std::size_t i = 0; i < sets * profile.dimension(); ++i) {
    result.codes.push_back(static_cast<std::uint16_t>(random.Below(kCodeCount)));
  }
  return result;
}

worker::RunRequest RequestFor(const Profile& profile, ParameterSets sets, std::uint64_t seed) {
  worker::RunRequest request{.profile = profile, .protocol = profile.protocol, .seed = seed};
  request.count = static_cast<std::uint32_t>(sets.size());
  request.sets = std::move(sets);
  return request;
}

ObservationBatch RunOrExit(const worker::RunRequest& request, worker::Kernel kernel) {
  Result<ObservationBatch> batch =
      worker::MakeEmulator({.threads = 1, .kernel = kernel})->Run(request, {});
  if (batch) return *std::move(batch);
  fmt::print(stderr, "{}\n", batch.error().Text());
  std::exit(1);
}

double RateOnce(const worker::RunRequest& request, worker::Kernel kernel) {
  const double start = ProcessorSeconds();
  RunOrExit(request, kernel);
  return request.count / (ProcessorSeconds() - start);
}

// Traces per second of each build; the builds take turns, so that the machine's moods hit all.
std::vector<double> Rates(const worker::RunRequest& request,
                          const std::vector<worker::KernelBuild>& builds) {
  std::vector<std::vector<double>> rounds(builds.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < builds.size(); ++i) {
      rounds[i].push_back(RateOnce(request, builds[i].run));
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& rates : rounds) {
    std::nth_element(rates.begin(), rates.begin() + kRounds / 2, rates.end());
    medians.push_back(rates[kRounds / 2]);
  }
  return medians;
}

// The sets that have 1..70 spikes during the stimulus, as in a constrained round, repeated to as
// many.
ParameterSets RelevantSets(const worker::RunRequest& request, const ObservationBatch& batch) {
  ParameterSets relevant{request.sets.dimension, {}};
  std::span<const float> times = batch.spike_time_us;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t spikes =
        CountStimulusSpikes(times.first(batch.spike_count[i]), request.protocol);
    times = times.subspan(batch.spike_count[i]);
    if (spikes < 1 || spikes > 70) continue;
    const auto codes = request.sets[i];
    relevant.codes.insert(relevant.codes.end(), codes.begin(), codes.end());
  }
  const std::size_t once = relevant.codes.size();
  while (once > 0 && relevant.size() < request.count) {
    relevant.codes.push_back(relevant.codes[relevant.codes.size() - once]);
  }
  return relevant;
}

// The equations alone: no noise, no settling, hardly a recording.
Profile BareProfile(Profile profile) {
  profile.membrane_noise_mv = profile.threshold_noise_mv = profile.readout_noise_counts = 0;
  profile.settle_us = 0;
  return profile;
}

const Protocol kBareProtocol{{{200, 1200, 1}}, 1300, 100};

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

json OrNull(const std::vector<worker::KernelBuild>& builds, const std::vector<double>& rates,
            std::string_view name) {
  for (std::size_t i = 0; i < builds.size(); ++i) {
    if (builds[i].name == name) return std::round(rates[i]);
  }
  return nullptr;
}

// Of the neurons that Brian2 emulates too: a check that both solve the same equations.
double SpikesPerTrace(const ObservationBatch& batch) {
  const std::size_t neurons = std::min(batch.size(), bench::kBrian2Neurons);
  double spikes = 0;
  for (std::size_t i = 0; i < neurons; ++i) spikes += batch.spike_count[i];
  return spikes / static_cast<double>(neurons);
}

double MeanCounts(const ObservationBatch& batch) {
  const std::size_t neurons = std::min(batch.size(), bench::kBrian2Neurons);
  double sum = 0;
  for (std::size_t i = 0; i < neurons * batch.points; ++i) sum += batch.trace[i];
  return sum / static_cast<double>(neurons * batch.points);
}

struct Options {
  std::uint32_t experiments = 10'000;
  std::uint64_t seed = 1;
  bool brian2 = true;
};

// Brian2's figure for the same neurons, added to the report under `prefix`.
json Brian2Rate(const worker::RunRequest& request, bool record, const Options& options,
                json& settings) {
  if (!options.brian2) return settings["brian2_missing"] = "left out by --no-brian2", nullptr;
  const bench::Brian2Result result = bench::RunBrian2(request, record);
  if (!result.error.empty()) {
    fmt::print("Brian2: no figure: {}\n", result.error);
    return settings["brian2_missing"] = result.error, nullptr;
  }
  if (record) {
    settings["brian2_neurons"] =
        std::min(options.experiments, static_cast<std::uint32_t>(bench::kBrian2Neurons));
    settings["brian2_spikes_per_trace"] = result.spikes_per_trace;
    settings["brian2_mean_counts"] = result.mean_counts;
  }
  return std::round(result.traces_per_core_s);
}

int Run(const Options& options) {
  const Profile profile = BuiltInProfile("adex-paper").value();
  const worker::RunRequest request =
      RequestFor(profile, UniformSets(profile, options.experiments, options.seed), options.seed);
  worker::RunRequest bare = request;
  bare.profile = BareProfile(profile);
  bare.protocol = kBareProtocol;
  const ObservationBatch batch = RunOrExit(request, worker::BestKernel());
  const worker::RunRequest relevant =
      RequestFor(profile, RelevantSets(request, batch), options.seed);

  std::vector<worker::KernelBuild> builds = worker::UsableKernels();
  if (builds.size() > 1) builds.erase(builds.begin());  // The plain one is an oracle, not fast.
  const std::vector<double> rates = Rates(request, builds), bare_rates = Rates(bare, builds);
  const double relevant_rate = Rates(relevant, {builds.back()})[0];
  fmt::print("{:<40}{:>12}\n", "traces per second of processor time", "");
  for (std::size_t i = 0; i < builds.size(); ++i) {
    fmt::print("{:<40}{:>12.0f}\n", fmt::format("{}, full noise, recorded", builds[i].name),
               rates[i]);
    fmt::print("{:<40}{:>12.0f}\n", fmt::format("{}, equations alone", builds[i].name),
               bare_rates[i]);
  }
  fmt::print("{:<40}{:>12.0f}\n", "sets with 1..70 spikes, full noise", relevant_rate);

  json settings = {{"profile", profile.name},
                   {"experiments", options.experiments},
                   {"seed", options.seed},
                   {"step_us", profile.step_us},
                   {"settle_us", profile.settle_us},
                   {"duration_us", request.protocol.duration_us},
                   {"grid_us", request.protocol.grid_step_us},
                   {"threads", 1},
                   {"spikes_per_trace", SpikesPerTrace(batch)},
                   {"mean_counts", MeanCounts(batch)}};
  const json brian2 = Brian2Rate(request, true, options, settings);
  const json brian2_bare = Brian2Rate(bare, false, options, settings);
  if (brian2.is_number()) {
    fmt::print("{:<40}{:>12.0f}\n", "Brian2, full noise, recorded", brian2.get<double>());
    fmt::print("{:<40}{:>12.0f}\n", "Brian2, equations alone", brian2_bare.get<double>());
  }
  const json report = {
      {"bench", "emulator"},
      {"isa", builds.back().name},
      {"traces_per_core_s", std::round(rates.back())},
      {"traces_per_core_s_avx2", OrNull(builds, rates, "avx2")},
      {"traces_per_core_s_relevant", std::round(relevant_rate)},
      {"bare_traces_per_core_s", std::round(bare_rates.back())},
      {"brian2_traces_per_core_s", brian2},
      {"brian2_bare_traces_per_core_s", brian2_bare},
      {"ratio_brian2", brian2.is_number()
                           ? json(std::round(10 * rates.back() / brian2.get<double>()) / 10)
                           : json(nullptr)},
      {"settings", settings},
      {"machine", {{"processor", ProcessorName()}, {"compiler", __VERSION__}}}};
  fmt::print("{}\n", report.dump());
  return 0;
}

}  // namespace
}  // namespace inferon

int main(int argc, char** argv) {
  inferon::Options options;
  for (int i = 1; i < argc; ++i) {
    const bool value = i + 1 < argc;
    if (std::strcmp(argv[i], "--no-brian2") == 0) {
      options.brian2 = false;
    } else if (std::strcmp(argv[i], "--experiments") == 0 && value) {
      options.experiments = static_cast<std::uint32_t>(std::atol(argv[++i]));
    } else if (std::strcmp(argv[i], "--seed") == 0 && value) {
      options.seed = static_cast<std::uint64_t>(std::atoll(argv[++i]));
    } else {
      options.experiments = 0;
    }
  }
  if (options.experiments < 64 || options.experiments > 100'000) {
    fmt::print(stderr,
               "usage: inferon_bench_emulator [--experiments 64..100000] [--seed N] "
               "[--no-brian2]\n");
    return 2;
  }
  return inferon::Run(options);
}
