// A study with its progress, and how it is kept on disk.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "server/trainer/studies/study_spec.h"

namespace inferon::trainer {

enum class StudyState { kRunning, kSucceeded, kFailed, kCancelled };

// What people see of a step.
struct StepRecord {
  std::string id;
  std::string title;
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0 while unknown.
  std::string unit;
  std::optional<WallTime> start_time;
  std::optional<WallTime> end_time;
  std::string note;
};

struct StudyRecord {
  std::string id;
  StudyState state = StudyState::kRunning;
  StudySpec spec;
  std::vector<StepRecord> steps;            // In order.
  std::vector<std::string> tasks_done;      // Tasks (task_graph.h) whose output is on disk.
  std::map<std::string, std::string> jobs;  // Request id -> name, of jobs submitted so far.
  bool jobs_cancelled = false;  // After a cancellation: nothing is left at the scheduler.
  WallTime create_time;
  std::optional<WallTime> end_time;
  double active_seconds = 0;  // Time that a trainer spent on it, over all restarts.
  std::string error;
  std::vector<std::string> models;  // Ids.
  std::vector<std::string> modes;   // Of the devices that made its data, each once.
  std::string trace;                // W3C traceparent of the request that created it, or empty.
  // All settings of the estimators by input ("features", "summary"), as JSON text: rules of a later
  // version do not change a study that is under way.
  std::map<std::string, std::string> recipes;
  std::uint64_t revision = 0;

  StepRecord* FindStep(const std::string& step);
  const StepRecord* FindStep(const std::string& step) const;
};

// A new study with all its steps ahead. The spec has its defaults.
StudyRecord MakeStudyRecord(const std::string& id, const StudySpec& spec, WallTime now);

// 1: studies of flows as the rules have them; 2: also of other estimators, settings and repair.
inline constexpr int kStudySchema = 2;
// Text of study.json. `revision_limit` is what a reader takes as revision: higher than any that was
// shown, so that revisions rise over a crash.
std::string StudyJson(const StudyRecord& record, std::uint64_t revision_limit);
// kDataLoss where the text is damaged or of another schema version.
Result<StudyRecord> StudyFromJson(const std::string& text);

}  // namespace inferon::trainer
