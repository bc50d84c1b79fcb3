// The scheduler as its clients see it: jobs in domain terms, calls with deadline and retry, streams
// that go on where they were cut off.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/observation.h"
#include "common/neuron/parameters.h"
#include "common/neuron/protocol.h"
#include "common/rpc/client_security.h"
#include "common/rpc/retry_policy.h"

namespace inferon::rpc {

// A batch of experiments to run; the fields and their ranges are those of v1.JobSpec.
struct JobSubmission {
  std::string project = "default";  // Id without "projects/".
  std::string request_id;           // [A-Za-z0-9._-]{1,100}; the same id submits once.
  std::string title;
  ParameterSets sets;
  std::uint32_t trials = 1;
  std::string profile_toml;
  Protocol protocol;
  DeviceId device;
  std::uint64_t seed = 0;
  std::string substrate = "emulator";
  std::uint32_t shard_size = 0;  // 0: the server's default.
  std::int32_t priority = 0;
  std::string pin_worker;       // Worker id; empty: any, as is the next.
  std::string pin_calibration;  // Calibration id.
  double max_run_seconds = 0;   // 0: no limit.
  bool reuse = false;           // Of results of identical experiments.
};

enum class JobState { kPending, kRunning, kSucceeded, kFailed, kCancelled };

// "pending", "running", "succeeded", "failed", "cancelled".
std::string_view JobStateName(JobState state);
inline bool HasEnded(JobState state) {
  return state != JobState::kPending && state != JobState::kRunning;
}

struct JobInfo {
  std::string name;  // projects/{project}/jobs/{job}
  JobState state = JobState::kPending;
  std::string title;
  std::uint64_t experiments = 0;
  std::uint64_t experiments_done = 0;
  std::uint64_t experiments_failed = 0;
  std::uint32_t shards = 0;
  std::uint32_t shards_leased = 0;
  WallTime create_time;
  std::optional<WallTime> start_time;
  std::optional<WallTime> end_time;
  std::string last_error;
  std::string profile_sha256;
  DeviceId device;
  std::string substrate;
  double substrate_seconds = 0;
  std::uint64_t seed = 0;
  std::uint32_t trials = 1;
  std::int32_t priority = 0;
  std::uint32_t shard_size = 0;
  std::string pin_worker;
  std::string pin_calibration;
  bool paused = false;
  double max_run_seconds = 0;
  double run_seconds = 0;
  std::uint64_t experiments_reused = 0;
  std::uint64_t experiments_suspect = 0;
  std::optional<WallTime> results_removed_time;
};

struct JobPage {
  std::vector<JobInfo> jobs;    // Newest first.
  std::string next_page_token;  // Empty after the last page.
};

// Results of consecutive experiments: observations, or the error of all of them.
struct ResultBlock {
  std::uint64_t first_index = 0;
  std::uint32_t count = 0;
  ObservationBatch observations;  // size() == count, or 0 where they failed.
  std::string error;              // Empty where they succeeded.
  std::string worker;             // That ran them; empty where they failed.
  std::string calibration_id;     // That it had loaded.
  bool suspect = false;           // It failed its next health check.
};

struct JobEvent {
  std::uint64_t sequence = 0;
  WallTime time;
  std::string kind;
  std::string resource;
  std::string message;
  std::string actor;  // Who did it; empty: the scheduler.
};

struct JobUpdate {
  std::vector<JobEvent> events;
  JobInfo job;
};

struct WorkerInfo {
  std::string name;   // workers/{worker}
  std::string state;  // "idle", "busy", "draining", "offline"
  std::string substrate;
  std::string mode;
  std::string chip;
  std::string version;
  std::uint32_t leases = 0;
  std::uint64_t shards_done = 0;
  std::uint64_t experiments_done = 0;
  WallTime last_seen;
  double substrate_seconds = 0;
  std::string calibration_id;
  std::string health;  // "unknown", "good", "suspect", "bad"
  std::string health_message;
  std::optional<WallTime> health_time;
  bool drained = false;
  std::string drain_reason;
};

// Thread-safe. Every call ends early with kCancelled when a stop is requested; kUnavailable where
// the scheduler cannot be reached for as long as the policy says.
class SchedulerClient {
 public:
  virtual ~SchedulerClient() = default;

  virtual Result<JobInfo> CreateJob(const JobSubmission& submission, std::stop_token stop = {}) = 0;
  virtual Result<JobInfo> GetJob(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<JobInfo> CancelJob(const std::string& name, std::stop_token stop = {}) = 0;
  // One page; `project` is an id.
  virtual Result<JobPage> ListJobs(const std::string& project, std::uint32_t page_size,
                                   const std::string& page_token, std::stop_token stop = {}) = 0;
  virtual Result<std::vector<WorkerInfo>> ListWorkers(std::stop_token stop = {}) = 0;

  // Hands over the results from start_index on, in order and without gaps, each once, however often
  // the connection breaks. With follow it waits for experiments that are not done yet and returns
  // when the job has ended; without, it returns at the first gap. An error of `take` ends the
  // stream and is returned.
  virtual Status StreamResults(const std::string& name, std::uint64_t start_index, bool follow,
                               std::stop_token stop,
                               const std::function<Status(ResultBlock)>& take) = 0;
  // Hands over the events after a sequence number and the job, until the job has ended. An error of
  // `take` ends the watch and is returned.
  virtual Status WatchJob(const std::string& name, std::uint64_t after_sequence,
                          std::stop_token stop, const std::function<Status(JobUpdate)>& take) = 0;
};

struct SchedulerClientOptions {
  std::string address;
  RetryPolicy retry;
  std::chrono::milliseconds timeout{30'000};  // Of one attempt of a unary call.
  Clock* clock = &SystemClock();              // Not owned.
  std::string user = {};                      // For the scheduler's record; printable ASCII.
  ClientSecurity security = {};
};

// Connects lazily: a scheduler that is down shows in the first call.
std::unique_ptr<SchedulerClient> MakeSchedulerClient(const SchedulerClientOptions& options);

}  // namespace inferon::rpc
