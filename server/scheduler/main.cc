// inferon-scheduler: the queue of experiments as a server.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string_view>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/rpc/security_options.h"
#include "common/rpc/server.h"
#include "server/scheduler/backup.h"
#include "server/scheduler/scheduler_server.h"

namespace inferon::scheduler {
namespace {

// Exit codes: docs/user-guide.md.
constexpr int kExitInternal = 1;
constexpr int kExitUsage = 2;
constexpr int kExitRefused = 4;

struct Flags {
  SchedulerOptions options;
  std::string address_file;
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
};

// An option in seconds for a limit in milliseconds.
void AddSeconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                double least, double most, const std::string& help) {
  const double standard = std::chrono::duration<double>(value).count();
  app.add_option_function<double>(
         name,
         [&value](double seconds) {
           value = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000 + 0.5));
         },
         help)
      ->check(CLI::Range(least, most))
      ->type_name("SECONDS")
      ->default_str(fmt::format("{}", standard));
}

template <typename T>
void AddCount(CLI::App& app, const std::string& name, T& value, T least, T most,
              const std::string& help) {
  app.add_option(name, value, help)->check(CLI::Range(least, most))->capture_default_str();
}

void AddQueueLimits(CLI::App& app, Limits& limits) {
  AddCount<std::uint64_t>(app, "--max-experiments-per-job", limits.max_experiments_per_job, 1,
                          1'000'000'000, "Experiments in one job");
  AddCount<std::uint64_t>(app, "--max-shards-per-job", limits.max_shards_per_job, 1, 1'000'000,
                          "Shards in one job");
  AddCount<std::uint64_t>(app, "--max-queued-experiments", limits.max_queued_experiments, 1,
                          10'000'000'000, "Experiments that wait or run, all jobs together");
  AddCount<std::uint64_t>(app, "--max-queued-jobs", limits.max_queued_jobs, 1, 1'000'000,
                          "Jobs that wait or run");
  AddSeconds(app, "--queue-retry-seconds", limits.queue_retry_after, 0.1, 3600,
             "Advice to a client whose job does not fit in the queue");
}

void AddLeaseLimits(CLI::App& app, Limits& limits) {
  AddSeconds(app, "--lease-seconds", limits.lease_time, 0.1, 3600,
             "Life of a lease without a heartbeat");
  AddSeconds(app, "--poll-seconds", limits.poll_interval, 0.01, 60,
             "Time between the calls of a worker that waits for work");
  AddSeconds(
      app, "--busy-seconds", limits.busy_interval, 0.01, 60,
      "Time between the calls of a worker that holds shards; a cancelled job runs on for it");
  AddCount<std::uint32_t>(app, "--max-losses", limits.retry.max_losses, 1, 100,
                          "Lost workers before a shard is split");
  AddCount<std::uint32_t>(app, "--max-losses-alone", limits.retry.max_losses_alone, 1, 1000,
                          "Lost workers before a single experiment is given up");
  AddCount<std::uint32_t>(app, "--max-leases-per-worker", limits.max_leases_per_worker, 1, 1000,
                          "Shards that one worker holds");
  AddCount<std::uint32_t>(app, "--max-workers", limits.max_workers, 1, 100'000,
                          "Worker ids that are known");
  AddCount<std::uint32_t>(app, "--max-attempts", limits.retry.max_attempts, 1, 100,
                          "Attempts before a failing shard is split or given up");
  AddSeconds(app, "--backoff-seconds", limits.retry.first_backoff, 0, 3600,
             "Back-off after the first failure; doubles with each");
  AddSeconds(app, "--max-backoff-seconds", limits.retry.max_backoff, 0, 86'400, "Longest back-off");
}

void AddProjectLimits(CLI::App& app, Limits& limits) {
  AddCount<std::uint32_t>(app, "--max-projects", limits.max_projects, 1, 100'000, "Projects");
  app.add_flag("--closed-projects", limits.closed_projects,
               "Take jobs of projects only that an operator has created");
  AddSeconds(app, "--share-half-life-seconds", limits.share_half_life, 1, 31'536'000,
             "Time after which used substrate time counts half in the fair share");
  AddCount<std::uint32_t>(app, "--max-reservations", limits.max_reservations, 1, 100'000,
                          "Reservations of workers");
  AddCount<std::uint32_t>(app, "--checks-kept", limits.checks_kept, 1, 100'000,
                          "Health checks of a worker that are remembered");
}

// An option in days for a limit in seconds.
void AddDays(CLI::App& app, const std::string& name, std::chrono::seconds& limit,
             const std::string& text) {
  constexpr double kSecondsOfADay = 86'400;
  app.add_option_function<double>(
         name,
         [&limit](double days) {
           limit = std::chrono::seconds(static_cast<std::int64_t>(days * kSecondsOfADay));
         },
         text)
      ->check(CLI::Range(0.0, 36'500.0))
      ->type_name("DAYS")
      ->default_str(fmt::format("{}", static_cast<double>(limit.count()) / kSecondsOfADay));
}

void AddTrafficLimits(CLI::App& app, SchedulerOptions& options) {
  Limits& limits = options.limits;
  AddCount<std::uint64_t>(app, "--max-upload-bytes", limits.max_upload_bytes, 1024, kMaxUploadBytes,
                          "Bytes of a shard's results");
  AddCount<std::uint32_t>(app, "--max-uploads", limits.max_uploads, 1, 10'000,
                          "Uploads at the same time");
  AddCount<std::uint64_t>(app, "--max-result-bytes", limits.max_result_bytes, 1024, kMaxResultBytes,
                          "Bytes of results in one message of a stream");
  AddCount<std::uint64_t>(app, "--segment-bytes", limits.segment_bytes, 1024,
                          std::uint64_t{1} << 40, "Size from which a segment file is full");
  AddDays(app, "--retain-days", limits.retain,
          "Results of ended jobs are removed after this; 0: never");
  AddDays(
      app, "--forget-days", limits.forget,
      "What is left of a job without results, and old events, are removed after this; 0: never");
  AddCount<std::uint32_t>(app, "--max-waiting-writes", limits.max_waiting_writes, 1, 100'000,
                          "Changes that wait for the disk");
  AddCount<std::uint32_t>(app, "--max-group", limits.max_group, 1, 10'000,
                          "Changes in one transaction");
  AddCount<std::uint32_t>(app, "--max-streams", limits.max_streams, 1, 100'000,
                          "Watches and result streams at the same time");
  AddCount<std::uint32_t>(app, "--stream-threads", limits.stream_threads, 1, 256,
                          "Threads that serve the streams");
  AddCount<std::uint32_t>(app, "--max-readers", limits.max_readers, 1, 256,
                          "Reading connections to the database");
  AddCount<std::uint32_t>(app, "--events-per-message", limits.events_per_message, 1, 100'000,
                          "Events in one message of a watch");
  AddSeconds(app, "--stop-seconds", options.stop_time, 0, 3600,
             "Time that calls under way have to finish after SIGTERM");
}

int ExitCodeOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return kExitUsage;
    case ErrorCode::kFailedPrecondition:
      return kExitRefused;
    default:
      return kExitInternal;
  }
}

int Serve(const Flags& flags) {
  Result<std::unique_ptr<SchedulerServer>> server = StartScheduler(flags.options);
  if (!server) {
    spdlog::error("{}", server.error().Text());
    return ExitCodeOf(server.error());
  }
  if (!flags.address_file.empty()) WriteFileAtomically(flags.address_file, (*server)->address());
  spdlog::info("listening on {}, data in {}", (*server)->address(), flags.options.folder.string());
  if (!flags.options.metrics.empty()) {
    spdlog::info("metrics at http://{}/metrics", (*server)->metrics_address());
  }
  const int signal = rpc::WaitForStopSignal();
  spdlog::info("stopping after signal {}", signal);
  server->reset();
  spdlog::info("stopped");
  return 0;
}

// inferon-scheduler backup: beside a running server or without one.
int BackupMain(int argc, char** argv) {
  std::string folder;
  std::string target;
  CLI::App app("Copies a data folder, in use or not, and checks the copy.",
               "inferon-scheduler backup");
  app.add_option("--data", folder, "Data folder of a scheduler")->required();
  app.add_option("--to", target, "Folder for the copy; it must not exist")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  SetUpLogging("backup", "info");
  try {
    const Result<BackupReport> report = Backup(folder, target);
    if (!report) {
      spdlog::error("{}", report.error().Text());
      const bool usage = report.error().code == ErrorCode::kNotFound;
      return usage ? kExitUsage : ExitCodeOf(report.error());
    }
    spdlog::info("{} jobs and {} results ({} bytes of segments) are in {}", report->jobs,
                 report->shards, report->bytes, target);
    return 0;
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return kExitInternal;
  }
}

// Frames of results are of megabytes and come and go all the time: their memory is kept for the
// next one, instead of being asked of the kernel page by page each time.
void KeepMemoryOfFrames() {
#ifdef __GLIBC__
  constexpr int kLargestFromHeap = 32 << 20;  // The most that glibc takes.
  constexpr int kKept = 256 << 20;            // Free bytes at the heap's end that are given back.
  mallopt(M_MMAP_THRESHOLD, kLargestFromHeap);
  mallopt(M_TRIM_THRESHOLD, kKept);
#endif
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "backup") return BackupMain(argc - 1, argv + 1);
  rpc::BlockStopSignals();
  KeepMemoryOfFrames();
  Flags flags;
  CLI::App app("Queue of experiments: takes jobs, leases shards to workers, keeps results.",
               "inferon-scheduler");
  app.set_version_flag("--version", INFERON_VERSION);
  app.footer("inferon-scheduler backup --help: copies a data folder.");
  app.add_option("--data", flags.options.folder, "Data folder; made where it is missing")
      ->required();
  app.add_option("--listen", flags.options.address,
                 "HOST:PORT (port 0: any free one) or unix:/PATH; beyond the loopback with TLS and "
                 "tokens only")
      ->required();
  app.add_option("--address-file", flags.address_file,
                 "File for the address, written once the server is ready");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  rpc::AddServerSecurityOptions(app, flags.options.tls, flags.options.guard);
  rpc::AddObservationOptions(app, flags.options.metrics, flags.log_format);
  AddQueueLimits(app, flags.options.limits);
  AddProjectLimits(app, flags.options.limits);
  AddLeaseLimits(app, flags.options.limits);
  AddTrafficLimits(app, flags.options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  SetUpLogging("scheduler", flags.log_level, flags.log_format);
  try {
    return Serve(flags);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return kExitInternal;
  }
}

}  // namespace
}  // namespace inferon::scheduler

int main(int argc, char** argv) { return inferon::scheduler::Main(argc, argv); }
