// The studies of a trainer: created by clients, run one after another, found again after a crash.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "server/trainer/studies/report.h"
#include "server/trainer/studies/study_context.h"
#include "server/trainer/studies/study_journal.h"

namespace inferon::trainer {

// Ids leave room for the ends of the models' ids ("-features").
inline constexpr std::size_t kMaxStudyId = 54;

struct ManagerOptions {
  PipelineOptions pipeline;
  std::size_t max_studies = 10'000;  // On disk, whatever their state.
  std::size_t max_profile_bytes = 64 << 10;
  int attempts = 3;  // When the environment fails (a full disk).
  std::chrono::seconds retry_after{10};
};

// Thread-safe. One study runs at a time, the oldest first. The destructor stops it where it is; the
// next manager on the folder goes on.
class StudyManager {
 public:
  // What it refers to outlives the manager. `folder` is DATA/studies. A study that cannot be read
  // is left alone and logged.
  StudyManager(std::filesystem::path folder, Experiments& experiments, EstimatorFactory& factory,
               Registry& registry, Clock& clock, ManagerOptions options);
  ~StudyManager();
  // Begins to stop, for callers that have more to stop before the destructor joins.
  void RequestStop();

  // Fills in defaults, checks, writes and starts. The same id and spec gives the study as it is;
  // another spec is kAlreadyExists.
  Result<StudyRecord> Create(const std::string& id, StudySpec spec);
  // kNotFound where there is none.
  Result<StudyRecord> Get(const std::string& id) const;
  // Newest first.
  std::vector<StudyRecord> List() const;
  // The study as soon as its revision is not the one given, or when the time is over.
  Result<StudyRecord> Wait(const std::string& id, std::uint64_t revision,
                           std::chrono::milliseconds patience) const;
  // Cancels a running study and its jobs; a cancelled one stays so; one that has ended otherwise is
  // kFailedPrecondition.
  Result<StudyRecord> Cancel(const std::string& id);
  // kFailedPrecondition where the study has not succeeded.
  Result<Report> ReadStudyReport(const std::string& id) const;

 private:
  using Journal = std::shared_ptr<StudyJournal>;  // Watchers may hold it longer than the map.

  void LoadStudies();
  Result<Journal> Find(const std::string& id) const;
  // Body of the thread: waits for a study that runs or whose jobs are to be cancelled.
  void Loop(std::stop_token stop);
  // The next study to work on; null when stopped.
  Journal NextStudy(std::stop_token stop);
  void RunOne(StudyJournal& journal, std::stop_token stop);
  Status Attempt(const StudyContext& study, std::stop_token stop);
  void CancelJobs(StudyJournal& journal, std::stop_token stop);

  const std::filesystem::path folder_;
  Experiments& experiments_;
  EstimatorFactory& factory_;
  Registry& registry_;
  Clock& clock_;
  const ManagerOptions options_;

  mutable std::mutex mu_;
  std::condition_variable_any wake_;
  std::map<std::string, Journal> studies_;   // Guarded by mu_.
  std::optional<std::stop_source> running_;  // Guarded by mu_; stops the running study.
  std::string running_id_;                   // Guarded by mu_.
  std::jthread thread_;                      // Last: joins before anything else goes.
};

}  // namespace inferon::trainer
