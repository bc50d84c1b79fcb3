// What operators do with a scheduler: projects, workers, reservations, canaries, audit, upkeep.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/rpc/scheduler_client.h"

namespace inferon::rpc {

// Fields and ranges are those of v1.ProjectSettings.
struct ProjectSettings {
  double weight = 1;
  std::uint64_t max_queued_experiments = 0;
  double max_substrate_seconds_per_day = 0;
  std::uint32_t max_submits_per_minute = 0;
  std::string description;
};

struct ProjectInfo {
  std::string name;  // projects/{project}
  ProjectSettings settings;
  WallTime create_time;
  std::uint64_t open_jobs = 0;
  std::uint64_t queued_experiments = 0;
  std::uint32_t shards_leased = 0;
  double substrate_seconds_day = 0;
  double decayed_seconds = 0;
};

struct ReservationInfo {
  std::uint64_t id = 0;
  std::string worker;   // workers/{worker}
  std::string project;  // projects/{project}; empty: maintenance.
  WallTime start;
  WallTime end;
  std::string reason;
};

struct HeldShardInfo {
  std::string job;
  std::uint64_t first_index = 0;
  std::uint32_t count = 0;
  double held_seconds = 0;
};

struct HealthCheckInfo {
  WallTime time;
  std::string verdict;  // "baseline", "good", "outlier", "failed"
  std::string message;
  std::string calibration_id;
};

struct WorkerDetails {
  WorkerInfo worker;
  std::vector<HeldShardInfo> shards;
  std::vector<ReservationInfo> reservations;
  std::vector<HealthCheckInfo> checks;  // Newest first.
};

// Fields and ranges are those of v1.Canary; 0: the server's default.
struct CanaryInfo {
  std::string substrate;
  JobSubmission spec;  // Without parameter sets: none.
  double interval_seconds = 0;
  std::uint32_t baseline_checks = 0;
  double limit_sigmas = 0;
  std::uint32_t revision = 0;
};

struct WaitReason {
  std::string code;
  std::string problem;
  std::string advice;
};

struct Explanation {
  JobInfo job;
  std::vector<WaitReason> reasons;
  std::vector<std::string> workers;
  std::uint64_t experiments_ahead = 0;
  std::optional<WallTime> expected_start;
  std::optional<WallTime> earliest_start;
  std::optional<WallTime> latest_start;
};

struct GarbageReport {
  std::vector<std::string> jobs;
  std::uint64_t experiments = 0;
  std::uint32_t segments = 0;
  std::uint64_t bytes = 0;
};

// Thread-safe; errors as those of SchedulerClient. Names are resource names.
class OperatorClient {
 public:
  virtual ~OperatorClient() = default;

  virtual Result<JobInfo> PauseJob(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<JobInfo> ResumeJob(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<Explanation> ExplainJob(const std::string& name, std::stop_token stop = {}) = 0;

  virtual Result<ProjectInfo> CreateProject(const std::string& name,
                                            const ProjectSettings& settings,
                                            std::stop_token stop = {}) = 0;
  virtual Result<ProjectInfo> UpdateProject(const std::string& name,
                                            const ProjectSettings& settings,
                                            std::stop_token stop = {}) = 0;
  virtual Result<ProjectInfo> GetProject(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<std::vector<ProjectInfo>> ListProjects(std::stop_token stop = {}) = 0;

  virtual Result<WorkerDetails> GetWorker(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<WorkerInfo> DrainWorker(const std::string& name, const std::string& reason,
                                         std::stop_token stop = {}) = 0;
  virtual Result<WorkerInfo> ResumeWorker(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<ReservationInfo> CreateReservation(const ReservationInfo& reservation,
                                                    std::stop_token stop = {}) = 0;
  virtual Result<std::vector<ReservationInfo>> ListReservations(std::stop_token stop = {}) = 0;
  virtual Status DeleteReservation(std::uint64_t id, std::stop_token stop = {}) = 0;
  virtual Result<CanaryInfo> SetCanary(const CanaryInfo& canary, std::stop_token stop = {}) = 0;
  virtual Result<std::vector<CanaryInfo>> ListCanaries(std::stop_token stop = {}) = 0;

  // Of the whole server, or of a project (projects/{project}).
  virtual Result<std::vector<JobEvent>> ListEvents(const std::string& project,
                                                   std::uint64_t after_sequence,
                                                   std::uint32_t page_size,
                                                   std::stop_token stop = {}) = 0;
  virtual Result<GarbageReport> CollectGarbage(double older_than_seconds, bool dry_run,
                                               std::stop_token stop = {}) = 0;
};

// Connects lazily: a scheduler that is down shows in the first call.
std::unique_ptr<OperatorClient> MakeOperatorClient(const SchedulerClientOptions& options);

}  // namespace inferon::rpc
