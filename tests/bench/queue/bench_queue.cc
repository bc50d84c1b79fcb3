// Speed of the queue: a scheduler in a process of its own, clients and worker stubs here, on the
// loopback; ratios against raw SQLite and raw gRPC of the same run. The last line is one JSON
// object. Usage: inferon_bench_queue [--quick] [--data FOLDER]
//            [--only single|shards|crowd|path|long]
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/rpc/server.h"
#include "tests/bench/queue/load.h"
#include "tests/bench/queue/raw_limits.h"
#include "tests/bench/queue/workers.h"
#include "tests/scheduler/process.h"

namespace inferon::bench {
namespace {

using scheduler::SchedulerProcess;
using Json = nlohmann::json;

constexpr int kInFlight = 64;
constexpr std::size_t kPoints = 1400;  // 2.8 kB a trace.
constexpr std::uint32_t kShard = 512;
constexpr std::size_t kBatch = 10'000;  // Sets of a large job.
constexpr int kWorkers = 4;

struct Scale {
  double seconds = 4;
  std::uint64_t path_experiments = 600'000;
  std::uint64_t queued_sets = 10'000'000;
  int small_shards = 1500;
  int watchers = 1000;
  int workers = 200;
};

constexpr Scale kQuick{0.3, 4 * kShard, 50'000, 50, 20, 4};

double Since(SteadyTime start) {
  return std::chrono::duration<double>(SystemClock().Now() - start).count();
}

// A scheduler on a new folder; or the echo server.
class Server {
 public:
  explicit Server(const std::filesystem::path& folder)
      : Server(folder, {"--data", (folder / "data").string(), "--listen", "127.0.0.1:0",
                        "--max-queued-jobs", "1000000", "--max-queued-experiments", "100000000",
                        "--max-streams", "4096", "--log-level", "error"}) {}
  Server(const std::filesystem::path& folder, std::vector<std::string> arguments,
         const std::string& program = INFERON_BINARY_DIR "/bin/inferon-scheduler")
      : file_(folder / "address"),
        process_(WithAddressFile(std::move(arguments), folder, file_), folder / "log", program),
        address_(SchedulerProcess::WaitForAddress(file_)) {
    if (address_.empty()) throw std::runtime_error(ReadFile(folder / "log").value_or("no log"));
  }
  ~Server() {
    process_.Terminate();
    process_.Wait();
  }
  const std::string& address() const { return address_; }

  // Of its processor time so far.
  double CpuSeconds() const {
    std::ifstream stat(fmt::format("/proc/{}/stat", process_.pid()));
    std::string skipped;
    std::getline(stat, skipped, ')');
    for (int i = 0; i < 11; ++i) stat >> skipped;
    double user = 0, system = 0;
    stat >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  // Peak of its resident memory.
  double PeakMb() const {
    std::ifstream status(fmt::format("/proc/{}/status", process_.pid()));
    for (std::string word; status >> word;) {
      double kb = 0;
      if (word == "VmHWM:" && status >> kb) return kb / 1024;
    }
    return 0;
  }

 private:
  static std::vector<std::string> WithAddressFile(std::vector<std::string> arguments,
                                                  const std::filesystem::path& folder,
                                                  const std::filesystem::path& file) {
    std::filesystem::create_directories(folder);
    arguments.insert(arguments.end(), {"--address-file", file.string()});
    return arguments;
  }

  const std::filesystem::path file_;
  SchedulerProcess process_;
  const std::string address_;
};

void Say(const char* what) { std::fprintf(stderr, "bench queue: %s\n", what); }

std::string SubmitOne(v1::ExperimentService::Stub& stub, v1::CreateJobRequest submission,
                      const std::string& id) {
  submission.set_request_id(id);
  v1::CreateJobResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub.CreateJob(&context, submission, &response);
  if (!status.ok()) throw std::runtime_error(status.error_message());
  return response.job().name();
}

// Adds what another round has measured.
void Add(Rate& total, double& seconds, const Rate& round) {
  seconds += static_cast<double>(round.done) / round.per_second;
  total.client_cpu_s += round.client_cpu_s;
  total.done += round.done;
  total.failed += round.failed;
  total.per_second = static_cast<double>(total.done) / seconds;
}

// Single submissions beside what SQLite and gRPC allow one after the other. In turns, because the
// machine and its disk are faster at some times than at others.
void MeasureSingle(const std::filesystem::path& folder, const std::string& self, const Scale& scale,
                   Json& line) {
  constexpr int kRounds = 5;
  const v1::CreateJobRequest submission = MakeSubmission(1, 1, 20);
  Server echo(folder / "echo", {"--echo"}, self);
  Server server(folder / "single");
  const double cpu = server.CpuSeconds();
  const auto submit = [&](const Server& to, double seconds) {
    return SubmitClosedLoop(to.address(), submission, kInFlight, seconds, 1u << 30);
  };
  Rate raw, rate;
  double sqlite_seconds_each = 0, raw_seconds = 0, seconds = 0;
  Say("single submissions, raw SQLite and raw gRPC, in turns");
  for (int round = 0; round < kRounds; ++round) {
    sqlite_seconds_each += 1 / RawSqlitePerSecond(folder / fmt::format("raw-{}", round), submission,
                                                  kInFlight, scale.seconds / 2 / kRounds);
    Add(raw, raw_seconds, submit(echo, scale.seconds / 2 / kRounds));
    Add(rate, seconds, submit(server, scale.seconds / kRounds));
  }
  const double sqlite = kRounds / sqlite_seconds_each;
  const auto done = static_cast<double>(rate.done);
  line["submit_single_per_s"] = rate.per_second;
  line["raw_sqlite_per_s"] = sqlite;
  line["raw_grpc_per_s"] = raw.per_second;
  line["raw_limit_ratio"] = rate.per_second * (1 / sqlite + 1 / raw.per_second);
  line["submit_scheduler_cpu_ms"] = 1e3 * (server.CpuSeconds() - cpu) / done;
  line["submit_client_cpu_ms"] = 1e3 * rate.client_cpu_s / done;
  line["raw_grpc_client_cpu_ms"] = 1e3 * raw.client_cpu_s / static_cast<double>(raw.done);
  line["failed"] = rate.failed + raw.failed;
}

// A long queue, submitted in large jobs; leases from it.
void MeasureLong(const std::filesystem::path& folder, const Scale& scale, Json& line) {
  Say("batches");
  Server server(folder / "long");
  const Rate rate = SubmitClosedLoop(server.address(), MakeSubmission(kBatch, kShard, kPoints), 4,
                                     1e9, scale.queued_sets / kBatch);
  line["submit_batch_per_s"] = rate.per_second * kBatch;
  line["queued_sets"] = rate.done * kBatch;
  Say("leases");
  const auto stub = v1::WorkerService::NewStub(rpc::OpenChannel(server.address()));
  std::vector<double> ms;
  const double cpu = server.CpuSeconds();
  for (int i = 0; i < 400; ++i) {
    v1::SynchronizeRequest request;
    request.set_worker(fmt::format("w{}", i % 200));
    request.set_session(fmt::format("{:016x}", i + 1));
    request.mutable_capabilities()->set_substrate("emulator");
    request.set_wanted(1);
    v1::SynchronizeResponse answer;
    grpc::ClientContext context;
    const SteadyTime start = SystemClock().Now();
    if (stub->Synchronize(&context, request, &answer).ok() && answer.leases_size() == 1) {
      ms.push_back(1e3 * Since(start));
    }
  }
  std::sort(ms.begin(), ms.end());
  line["lease_ms_10m"] = ms.empty() ? -1 : ms[ms.size() / 2];
  line["lease_ms_10m_p99"] = ms.empty() ? -1 : ms[ms.size() * 99 / 100];
  line["lease_cpu_ms_10m"] = 1e3 * (server.CpuSeconds() - cpu) / 400;
  line["leases"] = ms.size();
  line["rss_mb_10m"] = server.PeakMb();
}

// Reads results until `experiments` have come.
bool Fetch(v1::ExperimentService::Stub& stub, const std::string& name, std::uint64_t experiments) {
  v1::StreamResultsRequest request;
  request.set_name(name);
  request.set_follow(true);
  grpc::ClientContext context;
  const auto reader = stub.StreamResults(&context, request);
  v1::StreamResultsResponse part;
  std::uint64_t next = 0;
  while (reader->Read(&part)) {
    if (part.first_index() != next || part.frame().empty()) return false;
    next += part.count();
  }
  return reader->Finish().ok() && next == experiments;
}

// Submit, lease, commit, stream out.
void MeasurePath(const std::filesystem::path& folder, const Scale& scale, Json& line) {
  Say("the whole path");
  Server server(folder / "path");
  const auto stub = v1::ExperimentService::NewStub(rpc::OpenChannel(server.address()));
  const std::uint64_t sets = std::min<std::uint64_t>(scale.path_experiments, 20'000);
  const v1::CreateJobRequest submission = MakeSubmission(sets, kShard, kPoints);
  const std::uint64_t jobs = scale.path_experiments / sets;
  Workers workers(server.address(), kWorkers, kPoints);
  const SteadyTime start = SystemClock().Now();
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < jobs; ++i) {
    names.push_back(SubmitOne(*stub, submission, fmt::format("path-{}", i)));
  }
  for (const std::string& name : names) {
    if (!Fetch(*stub, name, sets)) throw std::runtime_error("results of " + name + " are missing");
  }
  const double seconds = Since(start);
  line["path_experiments_per_s"] = static_cast<double>(jobs * sets) / seconds;
  line["path_mb_per_s"] = static_cast<double>(workers.bytes()) / 1e6 / seconds;
  line["path_scheduler_cpu_ms_per_shard"] =
      1e3 * server.CpuSeconds() / static_cast<double>(workers.shards());
  line["rss_mb_600k"] = server.PeakMb();
  line["path_experiments"] = jobs * sets;
}

// Shards whose results have hardly any bytes; then ones with many, and nobody who fetches them.
void MeasureShards(const std::filesystem::path& folder, const Scale& scale, Json& line) {
  const auto run = [&](const char* name, std::size_t points, std::uint32_t shard, int shards,
                       int count) {
    Server server(folder / name);
    const auto stub = v1::ExperimentService::NewStub(rpc::OpenChannel(server.address()));
    const std::size_t sets = std::size_t{shard} * static_cast<std::size_t>(shards);
    SubmitOne(*stub, MakeSubmission(sets, shard, points), "r");
    const double cpu = server.CpuSeconds();
    const SteadyTime start = SystemClock().Now();
    Workers workers(server.address(), count, points);
    while (workers.shards() < static_cast<std::uint64_t>(shards)) {
      SystemClock().SleepFor(std::chrono::milliseconds(2), {});
    }
    line[fmt::format("{}_wall_ms", name)] = 1e3 * Since(start) / shards;
    line[fmt::format("{}_mb_per_s", name)] =
        static_cast<double>(workers.bytes()) / 1e6 / Since(start);
    return 1e3 * (server.CpuSeconds() - cpu) / shards;
  };
  Say("small shards");
  line["shard_overhead_ms"] = run("shard", 20, 1, scale.small_shards, 1);
  Say("large shards");
  line["payload_scheduler_cpu_ms"] =
      run("payload", kPoints, 2048, scale.small_shards / 15, kWorkers);
}

void MeasureCrowd(const std::filesystem::path& folder, const Scale& scale, Json& line) {
  Say("a crowd");
  Server server(folder / "crowd");
  const v1::CreateJobRequest submission = MakeSubmission(1, 1, 20);
  const auto stub = v1::ExperimentService::NewStub(rpc::OpenChannel(server.address()));
  const std::string watched = SubmitOne(*stub, submission, "watched");
  const Crowd crowd(server.address(), watched, scale.watchers, scale.workers);
  SystemClock().SleepFor(std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::duration<double>(scale.seconds / 4)),
                         {});
  const Latencies latencies = SubmitOpenLoop(server.address(), submission, 200, scale.seconds);
  line["submit_p99_ms_1000_watchers"] = latencies.Quantile(0.99);
  line["submit_p50_ms_1000_watchers"] = latencies.Quantile(0.5);
  line["crowd_failed"] = crowd.failed() + latencies.failed;
  line["watchers"] = scale.watchers;
  line["idle_workers"] = scale.workers;
}

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string text; std::getline(info, text);) {
    if (text.rfind("model name", 0) == 0) return text.substr(text.find(':') + 2);
  }
  return "unknown";
}

// `only` is one part's name; empty: all of them.
int Run(const std::string& self, const Scale& scale, const std::filesystem::path& folder,
        const std::string& only) {
  Json line{{"bench", "queue"}};
  const std::vector<std::pair<std::string, std::function<void()>>> parts{
      {"single", [&] { MeasureSingle(folder, self, scale, line); }},
      {"shards", [&] { MeasureShards(folder, scale, line); }},
      {"crowd", [&] { MeasureCrowd(folder, scale, line); }},
      {"path", [&] { MeasurePath(folder, scale, line); }},
      {"long", [&] { MeasureLong(folder, scale, line); }}};
  bool any = false;
  for (const auto& [name, measure] : parts) {
    if (!only.empty() && only != name) continue;
    any = true;
    measure();
  }
  if (!any) throw std::runtime_error("--only takes single, shards, crowd, path or long");
  double load[3] = {};
  getloadavg(load, 3);
  line["settings"] = {{"in_flight", kInFlight}, {"shard", kShard},      {"points", kPoints},
                      {"workers", kWorkers},    {"batch_sets", kBatch}, {"load_average", load[1]}};
  line["machine"] = {{"processor", ProcessorName()}, {"compiler", __VERSION__}};
  std::puts(line.dump().c_str());
  return 0;
}

int Main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto has = [&](const char* word) {
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
  };
  if (has("--echo")) return ServeEcho(arguments.back());
  const auto value = [&](const char* option, const std::string& standard) {
    const auto at = std::find(arguments.begin(), arguments.end(), option);
    if (at == arguments.end()) return standard;
    if (std::next(at) == arguments.end())
      throw std::runtime_error(fmt::format("{} needs a value", option));
    return *std::next(at);
  };
  const TemporaryFolder folder;
  return Run(argv[0], has("--quick") ? kQuick : Scale(), value("--data", folder.path().string()),
             value("--only", ""));
}

}  // namespace
}  // namespace inferon::bench

int main(int argc, char** argv) {
  try {
    return inferon::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
