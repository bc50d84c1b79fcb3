#include "server/scheduler/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "server/scheduler/share.h"

namespace inferon::scheduler {
namespace {

using std::chrono::duration;

constexpr std::int64_t kHoursOfDay = 24;

WallTime MiddleOf(std::int64_t hour) {
  return WallTime(std::chrono::hours(hour)) + std::chrono::minutes(30);
}

}  // namespace

std::int64_t HourOf(WallTime time) {
  return std::chrono::floor<std::chrono::hours>(time.time_since_epoch()).count();
}

void Accounts::Load(std::span<const ProjectRecord> projects, std::span<const UsageRow> usage,
                    Moment now) {
  for (auto& [id, account] : accounts_) {
    account.decayed = 0;
    account.hours.clear();
  }
  std::erase_if(accounts_, [&](const auto& one) {
    return one.second.held == 0 &&
           std::none_of(projects.begin(), projects.end(),
                        [&](const ProjectRecord& project) { return project.id == one.first; });
  });
  for (const ProjectRecord& project : projects) Put(project);
  for (const UsageRow& row : usage) {
    Account& account = accounts_[row.project];
    account.decayed += Decayed(row.seconds, now.wall - MiddleOf(row.hour), half_life_);
    account.decayed_at = now.steady;
    account.hours[row.hour] += row.seconds;
  }
}

const Accounts::Account* Accounts::At(const std::string& project) const {
  const auto found = accounts_.find(project);
  return found == accounts_.end() ? nullptr : &found->second;
}

const ProjectRecord* Accounts::Find(const std::string& project) const {
  const Account* account = At(project);
  return account == nullptr || account->record.id.empty() ? nullptr : &account->record;
}

std::vector<ProjectRecord> Accounts::All() const {
  std::vector<ProjectRecord> all;
  for (const auto& [id, account] : accounts_) {
    if (!account.record.id.empty()) all.push_back(account.record);
  }
  return all;
}

void Accounts::Charge(const std::string& project, double seconds, Moment now) {
  Account& account = accounts_[project];
  account.decayed = DecayedSeconds(project, now.steady) + seconds;
  account.decayed_at = now.steady;
  const std::int64_t hour = HourOf(now.wall);
  account.hours[hour] += seconds;
  account.hours.erase(account.hours.begin(), account.hours.upper_bound(hour - kHoursOfDay));
}

double Accounts::DecayedSeconds(const std::string& project, SteadyTime now) const {
  const Account* account = At(project);
  if (account == nullptr || account->decayed == 0) return 0;
  return Decayed(account->decayed, now - account->decayed_at, half_life_);
}

double Accounts::DaySeconds(const std::string& project, WallTime now) const {
  const Account* account = At(project);
  if (account == nullptr) return 0;
  double sum = 0;
  for (auto at = account->hours.upper_bound(HourOf(now) - kHoursOfDay); at != account->hours.end();
       ++at) {
    sum += at->second;
  }
  return sum;
}

bool Accounts::OverQuota(const std::string& project, WallTime now) const {
  const ProjectRecord* record = Find(project);
  if (record == nullptr || record->settings.max_seconds_per_day == 0) return false;
  return DaySeconds(project, now) + Held(project) >= record->settings.max_seconds_per_day;
}

void Accounts::Release(const std::string& project, double seconds) {
  double& held = accounts_[project].held;
  held = std::max(0.0, held - seconds);
}

void Accounts::ReleaseAll() {
  for (auto& [id, account] : accounts_) account.held = 0;
}

double Accounts::Held(const std::string& project) const {
  const Account* account = At(project);
  return account == nullptr ? 0 : account->held;
}

std::uint64_t Accounts::LastTurn(const std::string& project) const {
  const Account* account = At(project);
  return account == nullptr ? 0 : account->turn;
}

Status Accounts::TakeSubmission(const std::string& project, SteadyTime now) {
  Account& account = accounts_[project];
  const double limit = account.record.settings.max_submits_per_minute;
  if (limit == 0) return {};
  const double minutes =
      account.submissions_at ? duration<double>(now - *account.submissions_at).count() / 60 : 1;
  const double filled = std::min(limit, account.submissions + limit * minutes);
  if (filled < 1) {
    const auto wait = duration<double>((1 - filled) * 60 / limit);
    return tl::unexpected(Error{
        ErrorCode::kResourceExhausted,
        fmt::format("project {} may submit {:.0f} jobs a minute and has done so", project, limit),
        "Submit it again later, or put more parameter sets into one job",
        std::chrono::ceil<std::chrono::milliseconds>(wait)});
  }
  account.submissions = filled - 1;
  account.submissions_at = now;
  return {};
}

}  // namespace inferon::scheduler
