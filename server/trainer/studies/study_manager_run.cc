// The thread of the study manager: runs studies, cancels the jobs of cancelled ones.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <exception>

#include "common/base/trace.h"
#include "server/trainer/studies/pipeline.h"
#include "server/trainer/studies/study_manager.h"

namespace inferon::trainer {
namespace {

bool HasWork(const StudyRecord& record) {
  return record.state == StudyState::kRunning ||
         (record.state == StudyState::kCancelled && !record.jobs_cancelled);
}

// The part of an exception's text that is for people: libraries append stack traces.
std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// What an outcome makes of a study that still runs.
void Conclude(StudyRecord& record, const Status& outcome, WallTime now) {
  if (record.state != StudyState::kRunning) return;  // Cancelled meanwhile.
  record.state = outcome ? StudyState::kSucceeded : StudyState::kFailed;
  record.error = outcome ? "" : outcome.error().Text();
  record.end_time = now;
}

}  // namespace

void StudyManager::Loop(std::stop_token stop) {
  while (Journal journal = NextStudy(stop)) {
    const StudyRecord record = journal->Snapshot();
    try {
      if (record.state == StudyState::kRunning) {
        RunOne(*journal, stop);
      } else {
        CancelJobs(*journal, stop);
      }
    } catch (const std::exception& e) {
      // Even the record could not be written: another try needs room on the disk.
      spdlog::error("study {}: {}", record.id, e.what());
      clock_.SleepFor(options_.retry_after, stop);
    }
    const std::lock_guard lock(mu_);
    running_.reset();
    running_id_.clear();
  }
}

StudyManager::Journal StudyManager::NextStudy(std::stop_token stop) {
  std::unique_lock lock(mu_);
  Journal next;
  wake_.wait(lock, stop, [&] {
    next = nullptr;
    WallTime oldest{};
    for (const auto& [id, journal] : studies_) {
      const StudyRecord record = journal->Snapshot();
      if (!HasWork(record) || (next && record.create_time >= oldest)) continue;
      next = journal;
      oldest = record.create_time;
    }
    return next != nullptr;
  });
  if (stop.stop_requested() || !next) return nullptr;
  running_.emplace();
  running_id_ = next->Snapshot().id;
  return next;
}

void StudyManager::RunOne(StudyJournal& journal, std::stop_token stop) {
  std::stop_source source;
  {
    const std::lock_guard lock(mu_);
    source = *running_;  // Shared state: Cancel and the destructor stop it.
  }
  const std::stop_callback forward(stop, [&] { source.request_stop(); });
  const StudyRecord record = journal.Snapshot();
  if (record.state != StudyState::kRunning) return;  // Cancelled before it was marked as running.
  const auto profile = ParseProfile(record.spec.profile_toml);
  if (!profile) {
    const WallTime now = clock_.WallNow();
    journal.Change([&](StudyRecord& r) { Conclude(r, tl::unexpected(profile.error()), now); });
    return;
  }
  const StudyContext study{record.id,    journal.folder(), record.spec, *profile, options_.pipeline,
                           experiments_, factory_,         registry_,   clock_,   journal};
  const std::optional<Trace> trace = ParseTraceParent(record.trace);
  const TraceScope scope(trace ? ChildOf(*trace) : MakeTrace());
  spdlog::info("study {} runs", record.id);
  journal.StartRun();
  const Status outcome = Attempt(study, source.get_token());
  journal.StopRun();
  if (source.stop_requested()) return;  // Cancelled, or to be resumed by the next manager.
  const WallTime now = clock_.WallNow();
  journal.Change([&](StudyRecord& r) { Conclude(r, outcome, now); });
  if (outcome) {
    spdlog::info("study {} has succeeded", record.id);
  } else {
    spdlog::error("study {} has failed: {}", record.id, outcome.error().Text());
  }
}

Status StudyManager::Attempt(const StudyContext& study, std::stop_token stop) {
  std::string last;
  for (int attempt = 1; attempt <= options_.attempts; ++attempt) {
    try {
      return RunStudy(study, stop);
    } catch (const std::exception& e) {
      last = FirstLine(e.what());
      spdlog::error("study {}, attempt {}: {}", study.id, attempt, e.what());
    }
    if (attempt < options_.attempts && !clock_.SleepFor(options_.retry_after, stop)) break;
  }
  return Fail(
      ErrorCode::kInternal,
      fmt::format("the environment failed {} times, the last time with: {}", options_.attempts,
                  last),
      "Look at the trainer's log, check free disk space and memory, then create the study again "
      "under a new id");
}

void StudyManager::CancelJobs(StudyJournal& journal, std::stop_token stop) {
  for (const auto& [request_id, job] : journal.Snapshot().jobs) {
    const Status cancelled = experiments_.Cancel(job, stop);
    if (stop.stop_requested()) return;  // The next manager goes on.
    // A job that has ended needs no cancelling; another refusal is for the operator to see.
    if (!cancelled && cancelled.error().code != ErrorCode::kFailedPrecondition) {
      spdlog::warn("cancelling {}: {}", job, cancelled.error().Text());
    }
  }
  journal.Change([](StudyRecord& record) { record.jobs_cancelled = true; });
}

}  // namespace inferon::trainer
