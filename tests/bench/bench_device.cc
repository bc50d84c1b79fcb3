// What worker and child cost beyond the chip's own time, and how fast samples travel: lines for
// people, and one JSON object as the last line.
//
// inferon_bench_device FAKE_CHILD [SETS] [PYTHON_CHILD STUB_FOLDER]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/brainscales2.h"
#include "worker/brainscales2/child_process.h"
#include "worker/brainscales2/device.h"

namespace inferon::worker {
namespace {

using Json = nlohmann::json;

constexpr std::uint32_t kTransferSets = 47;  // A program of one second.
constexpr int kTransferRounds = 41;
constexpr double kBytesPerSample = 6;  // 2 of value, 4 of time.

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

double ProcessorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

DeviceConfig Config(std::vector<std::string> launcher, const std::string& mode,
                    const std::filesystem::path& state) {
  DeviceConfig config{.mode = mode,
                      .launcher = std::move(launcher),
                      .environment = {"PATH", "PYTHONPATH", "FLANGE_SIMULATION_RCF_PORT",
                                      "INFERON_STUB_TIME_ACCURATE"},
                      .neuron = 3,
                      .state_folder = state};
  config.canary.interval = std::chrono::seconds(0);
  return config;
}

RunRequest Request(const std::string& chip, std::uint32_t sets) {
  RunRequest request{.profile = BuiltInProfile("adex-paper").value(),
                     .device = {.chip = chip, .neuron = 3},
                     .seed = 1,
                     .count = sets};
  request.sets.dimension = request.profile.dimension();
  for (std::size_t i = 0; i < sets * request.sets.dimension; ++i) {
    request.sets.codes.push_back(static_cast<std::uint16_t>((i * 137) % 1023));
  }
  return request;
}

// Of the children that have ended.
double ChildProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Overhead {
  double ms_per_set = 0;
  double fraction = 0;
  double sets_per_second = 0;
  double processor_ms_per_set = 0;  // Of the worker.
};

// A whole run on a child that takes exactly the programmed time.
Result<Overhead> MeasureOverhead(const DeviceConfig& config, std::vector<std::string> environment,
                                 std::uint32_t sets) {
  Clock& clock = SystemClock();
  auto substrate = OpenBrainscales2(config, std::move(environment), clock);
  if (!substrate) return tl::unexpected(substrate.error());
  const std::string chip = (*substrate)->Describe().chip;
  if (const auto warm = (*substrate)->Run(Request(chip, 1), {}); !warm) {
    return tl::unexpected(warm.error());
  }
  const RunRequest request = Request(chip, sets);
  const double processor = ProcessorSeconds();
  const SteadyTime start = clock.Now();
  const auto batch = (*substrate)->Run(request, {});
  const double wall = Seconds(clock.Now() - start);
  if (!batch) return tl::unexpected(batch.error());
  const double hardware = 1e-6 * Json::parse(batch->provenance)["hardware_us"].get<double>();
  return Overhead{1e3 * (wall - hardware) / sets, hardware / wall, sets / wall,
                  1e3 * (ProcessorSeconds() - processor) / sets};
}

struct Transfer {
  std::vector<double> rates;  // MB/s of each round, ascending.
  double megabytes = 0;       // Of all rounds.
  double worker_s = 0;        // Processor time of the worker, the first round included,
  double child_s = 0;         // and of the child, its start included.
};

// Full-rate samples from a child that does nothing else, received, decoded and checked.
Status RunTransfer(const DeviceConfig& config, Transfer& transfer) {
  Clock& clock = SystemClock();
  Device device(
      {.launch = {config.launcher, ChildEnvironment({}, {}, config.mode)}, .mode = config.mode},
      config.restart, clock);
  DeviceConfig large = config;
  large.batch_seconds = 10;
  const auto plan = PlanBatches(large, BuiltInChipMapping(config.mapping).value(), "",
                                Request("", kTransferSets));
  if (!plan) return tl::unexpected(plan.error());
  for (int round = -1; round < kTransferRounds; ++round) {  // The first one warms up.
    const SteadyTime start = clock.Now();
    const auto reply = device.Await(plan->open, plan->batches[0], std::chrono::seconds(60), {});
    const double wall = Seconds(clock.Now() - start);
    if (!reply) return tl::unexpected(reply.error());
    const double megabytes =
        1e-6 * kBytesPerSample * static_cast<double>(reply->sample_value.size());
    transfer.megabytes += megabytes;
    if (round >= 0) transfer.rates.push_back(megabytes / wall);
  }
  std::sort(transfer.rates.begin(), transfer.rates.end());
  return {};
}

Result<Transfer> MeasureTransfer(const DeviceConfig& config) {
  Transfer transfer;
  const double worker = ProcessorSeconds(), child = ChildProcessorSeconds();
  if (Status ran = RunTransfer(config, transfer); !ran) return tl::unexpected(ran.error());
  transfer.worker_s = ProcessorSeconds() - worker;
  transfer.child_s = ChildProcessorSeconds() - child;  // It has ended.
  return transfer;
}

int Fail(const Error& error) {
  fmt::print(stderr, "inferon_bench_device: {}\n", error.Text());
  return 1;
}

// The real child on the recording stand-in for the vendor's package.
Json MeasurePythonChild(const std::string& script, const std::string& stub,
                        const std::filesystem::path& state, std::uint32_t sets) {
  const auto measured =
      MeasureOverhead(Config({"/usr/bin/python3", "-B", "-u", script}, "simulation", state),
                      {"PATH=/usr/bin:/bin", "PYTHONPATH=" + stub, "FLANGE_SIMULATION_RCF_PORT=1",
                       "INFERON_STUB_TIME_ACCURATE=1"},
                      sets);
  if (!measured) {
    fmt::print(stderr, "the Python child was not measured: {}\n", measured.error().Text());
    return nullptr;
  }
  return {{"overhead_ms_per_set", measured->ms_per_set},
          {"fraction_of_limit", measured->fraction},
          {"sets_per_second", measured->sets_per_second}};
}

int Run(const std::string& fake, std::uint32_t sets, const std::string& script,
        const std::string& stub) {
  const TemporaryFolder folder;
  const auto overhead = MeasureOverhead(
      Config({fake, "--synthetic", "--time-accurate"}, "fake", folder.path() / "a"), {}, sets);
  if (!overhead) return Fail(overhead.error());
  fmt::print(
      "{} sets: {:.3f} ms beyond the programmed time each, {:.2f} sets/s, {:.2f} % of the "
      "limit\n",
      sets, overhead->ms_per_set, overhead->sets_per_second, 100 * overhead->fraction);
  const auto transfer = MeasureTransfer(Config({fake, "--synthetic"}, "fake", folder.path() / "b"));
  if (!transfer) return Fail(transfer.error());
  const double median = transfer->rates[transfer->rates.size() / 2];
  const double worker_rate = transfer->megabytes / transfer->worker_s;
  const double child_rate = transfer->megabytes / transfer->child_s;
  fmt::print(
      "samples of {} sets at full rate: {:.0f} MB/s (median of {}, best {:.0f}); a second of "
      "processor time takes in {:.0f} MB, sends {:.0f} MB\n",
      kTransferSets, median, transfer->rates.size(), transfer->rates.back(), worker_rate,
      child_rate);
  Json python = nullptr;
  if (!script.empty()) python = MeasurePythonChild(script, stub, folder.path() / "c", sets);
  const Json result = {{"overhead_ms_per_set", overhead->ms_per_set},
                       {"fraction_of_limit", overhead->fraction},
                       {"transfer_mb_s", median},
                       {"transfer_best_mb_s", transfer->rates.back()},
                       {"worker_mb_per_processor_s", worker_rate},
                       {"child_mb_per_processor_s", child_rate},
                       {"sets_per_second", overhead->sets_per_second},
                       {"worker_processor_ms_per_set", overhead->processor_ms_per_set},
                       {"sets", sets},
                       {"python_child", python}};
  fmt::print("{}\n", result.dump());
  return 0;
}

}  // namespace
}  // namespace inferon::worker

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: inferon_bench_device FAKE_CHILD [SETS] [PYTHON_CHILD STUB]\n");
    return 2;
  }
  const int sets = argc > 2 ? std::atoi(argv[2]) : 300;
  return inferon::worker::Run(argv[1], static_cast<std::uint32_t>(std::max(1, sets)),
                              argc > 4 ? argv[3] : "", argc > 4 ? argv[4] : "");
}
