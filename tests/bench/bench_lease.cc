// Cost of a submission and of a lease with a long queue, on the scheduler's core without the wire.
// Usage: inferon_bench_lease [JOBS SETS PROJECTS]. Prints one JSON object; times are processor
// time.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

constexpr int kLeases = 400;
constexpr int kWorkers = 200;

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Jobs of several projects, priorities and neurons.
bool SubmitAll(Core& core, int jobs, int sets, int projects) {
  JobRequest request = MakeRequest("", static_cast<std::size_t>(sets), 512);
  for (int i = 0; i < jobs; ++i) {
    request.request_id = fmt::format("r{}", i);
    request.project = fmt::format("p{}", i % projects);
    request.spec.priority = i % 7;
    request.spec.device.neuron = static_cast<std::uint32_t>(i % 5);
    const Result<Job> job = core.CreateJob(request);
    if (!job) {
      std::fprintf(stderr, "%s\n", job.error().Text().c_str());
      return false;
    }
  }
  return true;
}

// Milliseconds of each lease, sorted.
std::vector<double> LeaseTimes(Core& core) {
  std::vector<double> times;
  for (int i = 0; i < kLeases; ++i) {
    FakeWorker worker(fmt::format("w{}", i % kWorkers), fmt::format("{:016x}", i));
    const double start = CpuSeconds();
    if (!worker.Beat(core, 1) || worker.held().size() != 1) break;
    times.push_back(1e3 * (CpuSeconds() - start));
  }
  std::sort(times.begin(), times.end());
  return times;
}

int Bench(int jobs, int sets, int projects) {
  spdlog::set_level(spdlog::level::err);
  Limits limits;
  limits.max_queued_jobs = 1'000'000;
  limits.max_queued_experiments = 1'000'000'000;
  const TemporaryFolder folder;
  auto core = OpenCore(folder.path(), limits, SystemClock()).value();
  double start = CpuSeconds();
  if (!SubmitAll(*core, jobs, sets, projects)) return 1;
  const double submit = 1e3 * (CpuSeconds() - start) / jobs;
  core.reset();
  start = CpuSeconds();
  core = OpenCore(folder.path(), limits, SystemClock()).value();
  const double open = CpuSeconds() - start;
  const std::vector<double> times = LeaseTimes(*core);
  if (times.size() != kLeases) return 1;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::puts(fmt::format(R"({{"bench":"lease","jobs":{},"queued_sets":{},"projects":{},)"
                        R"("submit_cpu_ms":{:.3f},"start_cpu_s":{:.3f},"lease_cpu_ms_p50":{:.3f},)"
                        R"("lease_cpu_ms_p99":{:.3f},"rss_mb":{}}})",
                        jobs, std::int64_t{jobs} * sets, projects, submit, open, times[kLeases / 2],
                        times[kLeases * 99 / 100], usage.ru_maxrss / 1024)
                .c_str());
  return 0;
}

}  // namespace
}  // namespace inferon::scheduler

int main(int argc, char** argv) {
  const auto number = [&](int index, int standard) {
    return argc > index ? std::max(1, std::atoi(argv[index])) : standard;
  };
  return inferon::scheduler::Bench(number(1, 10'000), number(2, 1000), number(3, 10));
}
