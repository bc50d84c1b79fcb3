// The record of one study: changed by its tasks, watched by clients, kept on disk.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "server/trainer/studies/study_record.h"

namespace inferon::trainer {

// Thread-safe.
class StudyJournal {
 public:
  // `folder` is the study's; study.json lies in it. The clock outlives the journal.
  StudyJournal(std::filesystem::path folder, StudyRecord record, Clock& clock);

  const std::filesystem::path& folder() const { return folder_; }
  StudyRecord Snapshot() const;

  // Changes the record and writes it; once this returns, the change is on disk. Throws
  // std::system_error when the disk refuses.
  void Change(const std::function<void(StudyRecord&)>& change);

  // Progress of a part of a step (its only one where `part` is empty), in memory only: it is found
  // again after a crash. A step shows the sum of its parts.
  void Progress(const std::string& step, std::uint64_t done, std::uint64_t total,
                const std::string& part = {});
  void Note(const std::string& step, const std::string& note);

  // The time from StartRun to StopRun counts as active.
  void StartRun();
  void StopRun();

  // Waits until the revision is another than the one given, or until the time is over.
  StudyRecord WaitForChange(std::uint64_t revision, std::chrono::milliseconds patience) const;

 private:
  void ShowLocked(const std::function<void(StudyRecord&)>& change);
  void SaveLocked();

  const std::filesystem::path folder_;
  Clock& clock_;
  mutable std::mutex mu_;
  mutable std::condition_variable changed_;
  StudyRecord record_;  // Guarded by mu_.
  // Guarded by mu_; step -> part -> done, total.
  std::map<std::string, std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>> parts_;
  std::uint64_t revision_limit_;            // Guarded by mu_; on disk, above record_.revision.
  std::optional<SteadyTime> counted_from_;  // Guarded by mu_; set while it runs.
};

}  // namespace inferon::trainer
