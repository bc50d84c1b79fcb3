// The projects' accounts in memory: settings, charges, submissions. No clock, no store: a plain
// structure of the writer's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// Hour since 1970 that a time falls in.
std::int64_t HourOf(WallTime time);

// Both clocks at one moment: charges decay on the steady one, days are counted on the other.
struct Moment {
  SteadyTime steady;
  WallTime wall;
};

class Accounts {
 public:
  explicit Accounts(std::chrono::duration<double> half_life) : half_life_(half_life) {}

  // Replaces everything but what is held and when each was served.
  void Load(std::span<const ProjectRecord> projects, std::span<const UsageRow> usage, Moment now);
  void Put(const ProjectRecord& project) { accounts_[project.id].record = project; }
  // Null where there is none.
  const ProjectRecord* Find(const std::string& project) const;
  // All by id.
  std::vector<ProjectRecord> All() const;
  std::size_t size() const { return accounts_.size(); }

  void Charge(const std::string& project, double seconds, Moment now);
  double DecayedSeconds(const std::string& project, SteadyTime now) const;
  // Of the last 24 hours, the hour under way included.
  double DaySeconds(const std::string& project, WallTime now) const;
  bool OverQuota(const std::string& project, WallTime now) const;

  // What leases are expected to take, until they end.
  void Hold(const std::string& project, double seconds) { accounts_[project].held += seconds; }
  void Release(const std::string& project, double seconds);
  void ReleaseAll();
  double Held(const std::string& project) const;

  void Serve(const std::string& project, std::uint64_t turn) { accounts_[project].turn = turn; }
  std::uint64_t LastTurn(const std::string& project) const;

  // Counts a submission. kResourceExhausted over the project's limit of a minute.
  Status TakeSubmission(const std::string& project, SteadyTime now);

 private:
  struct Account {
    ProjectRecord record;
    double decayed = 0;  // At decayed_at.
    SteadyTime decayed_at;
    std::map<std::int64_t, double> hours;  // Of the last day.
    double held = 0;
    std::uint64_t turn = 0;
    double submissions = 0;  // Fills up by the limit in a minute; at most the limit.
    std::optional<SteadyTime> submissions_at;
  };
  const Account* At(const std::string& project) const;

  const std::chrono::duration<double> half_life_;
  std::map<std::string, Account> accounts_;
};

}  // namespace inferon::scheduler
