#include "server/trainer/studies/pipeline.h"

#include <algorithm>

#include "server/trainer/studies/classifier_steps.h"
#include "server/trainer/studies/diagnostics.h"
#include "server/trainer/studies/estimator_steps.h"
#include "server/trainer/studies/report_step.h"
#include "server/trainer/studies/rounds.h"
#include "server/trainer/studies/target_steps.h"

namespace inferon::trainer {
namespace {

// Priorities within the project: what others wait for goes first.
constexpr std::int32_t kUniformPriority = 3;
constexpr std::int32_t kCalibrationPriority = 2;
constexpr std::int32_t kAuditPriority = 1;
constexpr std::int32_t kConstrainedPriority = 0;
constexpr std::int32_t kValidationPriority = 1;

Status Nothing(std::stop_token) { return {}; }

// Only the emulator has another hardware run at hand.
bool HasOtherRun(const StudyContext& study) { return study.spec.substrate == "emulator"; }

// What a run that was killed was writing at that moment. Nobody else writes now.
void RemoveUnfinishedFiles(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> unfinished;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".part") {
      unfinished.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : unfinished) std::filesystem::remove(path);
}

// Remembers tasks in the study's journal.
class JournalLog : public TaskLog {
 public:
  explicit JournalLog(const StudyContext& study) : study_(study) {}

  bool IsDone(const std::string& task) override {
    const StudyRecord record = study_.journal.Snapshot();
    return std::ranges::find(record.tasks_done, task) != record.tasks_done.end();
  }

  void Started(const Task& task) override {
    const WallTime now = study_.clock.WallNow();
    study_.journal.Change([&](StudyRecord& record) {
      StepRecord& step = *record.FindStep(task.step());
      if (!step.start_time) step.start_time = now;
    });
    study_.At(task.id + ":started");
  }

  void Done(const Task& task) override {
    study_.At(task.id + ":before-done");
    const WallTime now = study_.clock.WallNow();
    study_.journal.Change([&](StudyRecord& record) {
      record.tasks_done.push_back(task.id);
      if (task.id == task.step()) record.FindStep(task.id)->end_time = now;
    });
    study_.At(task.id + ":done");
  }

 private:
  const StudyContext& study_;
};

void AddRounds(const StudyContext& study, std::vector<Task>& tasks) {
  const StudySpec& spec = study.spec;
  const auto uniform = [&study](const char* step, std::uint32_t count, std::int32_t priority) {
    return Task{step, {}, [&study, step, count, priority](std::stop_token stop) {
                  return RunUniformRound(study, step, count, priority, stop);
                }};
  };
  const auto constrained = [&study](const char* step, std::uint32_t count, std::int32_t priority) {
    return Task{step, {"classifier"}, [&study, step, count, priority](std::stop_token stop) {
                  return RunConstrainedRound(study, step, count, priority, stop);
                }};
  };
  tasks.push_back(uniform("uniform", spec.uniform_count, kUniformPriority));
  tasks.push_back(uniform("calibration", spec.calibration_count, kCalibrationPriority));
  tasks.push_back(uniform("audit", spec.audit_count, kAuditPriority));
  tasks.push_back({"classifier.training", {"uniform"}, [&study](std::stop_token stop) {
                     return TrainStudyClassifier(study, stop);
                   }});
  tasks.push_back({"classifier",
                   {"classifier.training", "calibration", "audit"},
                   [&study](std::stop_token stop) { return SetClassifierThreshold(study, stop); }});
  tasks.push_back(constrained("constrained", spec.constrained_count, kConstrainedPriority));
  tasks.push_back(constrained("validation", spec.validation_count, kValidationPriority));
}

// Tasks of one model. The two models go their way side by side, each in its own thread.
void AddModel(const StudyContext& study, const std::string& input, std::vector<Task>& tasks) {
  const auto add = [&](std::string id, std::vector<std::string> after, auto function) {
    tasks.push_back(
        {std::move(id), std::move(after),
         [&study, input, function](std::stop_token stop) { return function(study, input, stop); }});
  };
  add(input, {"constrained"}, TrainModel);
  add("posterior." + input, {input, "target", "validation"}, DrawPosterior);
  add("check." + input, {"posterior." + input}, RunCheck);
  std::vector<std::string> before = {input, "validation", "posterior." + input};
  if (HasOtherRun(study)) before.push_back("diagnostics.other_run");
  add("diagnostics." + input, before, Diagnose);
}

}  // namespace

std::vector<Task> StudyTasks(const StudyContext& study) {
  std::vector<Task> tasks;
  AddRounds(study, tasks);
  tasks.push_back({"target", {"validation"}, [&study](std::stop_token stop) {
                     return RunTarget(study, stop);
                   }});
  if (HasOtherRun(study)) {
    tasks.push_back({"diagnostics.other_run", {"validation"}, [&study](std::stop_token stop) {
                       return RunOtherRun(study, stop);
                     }});
  }
  for (const char* input : kInputs) AddModel(study, input, tasks);
  for (const std::string step : {"posterior", "check", "diagnostics"}) {
    tasks.push_back({step, {step + ".features", step + ".summary"}, Nothing});
  }
  tasks.push_back({"report", {"posterior", "check", "diagnostics"}, [&study](std::stop_token stop) {
                     return MakeReport(study, stop);
                   }});
  return tasks;
}

Status RunStudy(const StudyContext& study, std::stop_token stop) {
  RemoveUnfinishedFiles(study.folder);
  JournalLog log(study);
  return RunTasks(StudyTasks(study), log, stop);
}

}  // namespace inferon::trainer
