#include "server/trainer/studies/study_journal.h"

#include "common/base/files.h"

namespace inferon::trainer {
namespace {

// Revisions that may be shown before study.json is written again.
constexpr std::uint64_t kRevisionsAhead = 100'000;

}  // namespace

StudyJournal::StudyJournal(std::filesystem::path folder, StudyRecord record, Clock& clock)
    : folder_(std::move(folder)),
      clock_(clock),
      record_(std::move(record)),
      revision_limit_(record_.revision) {}

StudyRecord StudyJournal::Snapshot() const {
  const std::lock_guard lock(mu_);
  return record_;
}

void StudyJournal::Change(const std::function<void(StudyRecord&)>& change) {
  const std::lock_guard lock(mu_);
  change(record_);
  ++record_.revision;
  SaveLocked();
  changed_.notify_all();
}

void StudyJournal::Progress(const std::string& step, std::uint64_t done, std::uint64_t total,
                            const std::string& part) {
  const std::lock_guard lock(mu_);
  auto& parts = parts_[step];
  parts[part] = {done, total};
  ShowLocked([&](StudyRecord& record) {
    StepRecord& s = *record.FindStep(step);
    s.done = 0;
    s.total = 0;
    for (const auto& [name, progress] : parts) {
      s.done += progress.first;
      s.total += progress.second;
    }
  });
}

void StudyJournal::Note(const std::string& step, const std::string& note) {
  const std::lock_guard lock(mu_);
  ShowLocked([&](StudyRecord& record) { record.FindStep(step)->note = note; });
}

void StudyJournal::ShowLocked(const std::function<void(StudyRecord&)>& change) {
  change(record_);
  ++record_.revision;
  if (record_.revision >= revision_limit_) SaveLocked();
  changed_.notify_all();
}

void StudyJournal::SaveLocked() {
  if (counted_from_) {
    const SteadyTime now = clock_.Now();
    record_.active_seconds += std::chrono::duration<double>(now - *counted_from_).count();
    counted_from_ = now;
  }
  revision_limit_ = record_.revision + kRevisionsAhead;
  WriteFileAtomically(folder_ / "study.json", StudyJson(record_, revision_limit_));
}

void StudyJournal::StartRun() {
  const std::lock_guard lock(mu_);
  counted_from_ = clock_.Now();
}

void StudyJournal::StopRun() {
  const std::lock_guard lock(mu_);
  SaveLocked();
  counted_from_.reset();
}

StudyRecord StudyJournal::WaitForChange(std::uint64_t revision,
                                        std::chrono::milliseconds patience) const {
  std::unique_lock lock(mu_);
  changed_.wait_for(lock, patience, [&] { return record_.revision != revision; });
  return record_;
}

}  // namespace inferon::trainer
