#include "server/trainer/studies/study_manager.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>

#include "common/base/files.h"
#include "common/base/trace.h"
#include "common/features/features.h"
#include "server/trainer/studies/pipeline.h"

namespace inferon::trainer {
namespace {

bool IsStudyId(std::string_view id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !id.empty() && id.size() <= kMaxStudyId && plain(id.front()) &&
         std::ranges::all_of(id, [&](char c) { return plain(c) || c == '-'; });
}

// Whether this machine could train the study's estimators: found now, not after the experiments.
Status CheckEstimators(const StudySpec& spec, const Profile& profile, EstimatorFactory& factory) {
  for (const std::string input : {"features", "summary"}) {
    auto recipe = StudyRecipe(spec, input);
    if (!recipe) return tl::unexpected(recipe.error());
    recipe->flow.dimension = profile.dimension();
    recipe->flow.input_columns = input == "summary" ? spec.protocol.Points() : kFeatureCount;
    Status ok = factory.CheckSettings(recipe->flow, recipe->training, spec.constrained_count);
    if (ok) continue;
    ok.error().message = fmt::format("{}_estimator: {}", input, ok.error().message);
    return ok;
  }
  return {};
}

Result<Profile> CheckSpec(const std::string& id, const StudySpec& spec, std::size_t max_profile) {
  if (!IsStudyId(id)) {
    return InvalidArgument(
        fmt::format("\"{}\" is not a study id", id),
        fmt::format("Use lower-case letters, digits and hyphens, at most {}, and begin with a "
                    "letter or digit",
                    kMaxStudyId));
  }
  if (spec.profile_toml.empty()) {
    return InvalidArgument("the study has no profile", "Give the text of a profile");
  }
  if (spec.profile_toml.size() > max_profile) {
    return InvalidArgument(fmt::format("the profile has {} bytes, more than {}",
                                       spec.profile_toml.size(), max_profile),
                           "Shorten its comments");
  }
  Result<Profile> profile = ParseProfile(spec.profile_toml);
  if (!profile) return profile;
  if (Status valid = ValidateSpec(spec, *profile); !valid) return tl::unexpected(valid.error());
  return profile;
}

}  // namespace

StudyManager::StudyManager(std::filesystem::path folder, Experiments& experiments,
                           EstimatorFactory& factory, Registry& registry, Clock& clock,
                           ManagerOptions options)
    : folder_(std::move(folder)),
      experiments_(experiments),
      factory_(factory),
      registry_(registry),
      clock_(clock),
      options_(std::move(options)) {
  std::filesystem::create_directories(folder_);
  LoadStudies();
  thread_ = std::jthread([this](std::stop_token stop) { Loop(stop); });
}

StudyManager::~StudyManager() { RequestStop(); }

void StudyManager::RequestStop() {
  thread_.request_stop();
  const std::lock_guard lock(mu_);
  if (running_) running_->request_stop();
}

void StudyManager::LoadStudies() {
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const auto text = ReadFile(entry.path() / "study.json");
    if (!text) continue;  // Creation was cut off before the study was there.
    Result<StudyRecord> record = StudyFromJson(*text);
    if (!record) {
      spdlog::error("study {}: {}", entry.path().filename().string(), record.error().Text());
      continue;
    }
    const std::string id = record->id;
    studies_[id] = std::make_shared<StudyJournal>(entry.path(), std::move(*record), clock_);
  }
}

Result<StudyRecord> StudyManager::Create(const std::string& id, StudySpec spec) {
  FillDefaults(spec);
  const auto profile = CheckSpec(id, spec, options_.max_profile_bytes);
  if (!profile) return tl::unexpected(profile.error());
  const std::lock_guard lock(mu_);
  if (const auto found = studies_.find(id); found != studies_.end()) {
    const StudyRecord record = found->second->Snapshot();
    if (record.spec == spec) return record;
    return Fail(ErrorCode::kAlreadyExists, fmt::format("study {} exists with other settings", id),
                "Choose another id, or the settings of that study");
  }
  if (Status ok = CheckEstimators(spec, *profile, factory_); !ok) {
    return tl::unexpected(ok.error());
  }
  if (studies_.size() >= options_.max_studies) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("the trainer holds {} studies, its limit", studies_.size()),
                "Remove folders of old studies while the trainer is stopped");
  }
  std::filesystem::create_directories(folder_ / id);
  StudyRecord record = MakeStudyRecord(id, spec, clock_.WallNow());
  if (!CurrentTrace().empty()) record.trace = TraceParent(CurrentTrace());
  auto journal = std::make_shared<StudyJournal>(folder_ / id, std::move(record), clock_);
  journal->Change([](StudyRecord&) {});
  SyncPath(folder_);
  studies_[id] = journal;
  wake_.notify_all();
  return journal->Snapshot();
}

Result<StudyManager::Journal> StudyManager::Find(const std::string& id) const {
  const std::lock_guard lock(mu_);
  const auto found = studies_.find(id);
  if (found != studies_.end()) return found->second;
  return Fail(ErrorCode::kNotFound, fmt::format("there is no study {}", id),
              "List the studies with `inferon study list`");
}

Result<StudyRecord> StudyManager::Get(const std::string& id) const {
  const auto journal = Find(id);
  if (!journal) return tl::unexpected(journal.error());
  return (*journal)->Snapshot();
}

std::vector<StudyRecord> StudyManager::List() const {
  std::vector<StudyRecord> records;
  {
    const std::lock_guard lock(mu_);
    for (const auto& [id, journal] : studies_) records.push_back(journal->Snapshot());
  }
  std::sort(records.begin(), records.end(), [](const StudyRecord& a, const StudyRecord& b) {
    return a.create_time != b.create_time ? a.create_time > b.create_time : a.id < b.id;
  });
  return records;
}

Result<StudyRecord> StudyManager::Wait(const std::string& id, std::uint64_t revision,
                                       std::chrono::milliseconds patience) const {
  const auto journal = Find(id);
  if (!journal) return tl::unexpected(journal.error());
  return (*journal)->WaitForChange(revision, patience);
}

Result<StudyRecord> StudyManager::Cancel(const std::string& id) {
  const auto journal = Find(id);
  if (!journal) return tl::unexpected(journal.error());
  const WallTime now = clock_.WallNow();
  (*journal)->Change([&](StudyRecord& record) {
    if (record.state != StudyState::kRunning) return;
    record.state = StudyState::kCancelled;
    record.end_time = now;
  });
  StudyRecord record = (*journal)->Snapshot();
  if (record.state != StudyState::kCancelled) {
    return Fail(ErrorCode::kFailedPrecondition, fmt::format("study {} has ended already", id),
                "Only a running study can be cancelled");
  }
  const std::lock_guard lock(mu_);
  if (running_ && running_id_ == id) running_->request_stop();
  wake_.notify_all();
  return record;
}

Result<Report> StudyManager::ReadStudyReport(const std::string& id) const {
  const auto journal = Find(id);
  if (!journal) return tl::unexpected(journal.error());
  if ((*journal)->Snapshot().state != StudyState::kSucceeded) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("study {} has no report: it has not succeeded", id),
                "Follow it with `inferon study watch`");
  }
  return ReadReport((*journal)->folder());
}

}  // namespace inferon::trainer
