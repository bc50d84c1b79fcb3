// Studies as people and programs see them.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "client/cli/command_context.h"
#include "client/cli/progress.h"

namespace inferon::cli {

// "demo" and "studies/demo" both mean that study.
std::string StudyName(const std::string& given);
std::string StudyStateName(v1::StudyState state);  // "running", "succeeded", "failed", "cancelled".
nlohmann::json StudyJson(const v1::Study& study);
void PrintStudy(Console& console, const v1::Study& study);

// What stands on everything that a study shows where no chip made its data: "fake device", "mock
// device", "simulated device"; several are joined, nothing where there is nothing to mark.
std::string DeviceMark(const v1::Study& study);

// A line for each step that has ended, and a bar for the one that goes on. Steps that go on side by
// side are shown one after another.
class StudyProgress {
 public:
  StudyProgress(Console& console, Clock& clock) : console_(console), clock_(clock) {}
  void Show(const v1::Study& study);
  // Ends the bar's line, so that something else may be written.
  void Pause();

 private:
  void ShowEnded(const v1::StudyStep& step);

  Console& console_;
  Clock& clock_;
  std::set<std::string> ended_;  // Ids of the steps whose end was shown.
  std::string current_;          // Id of the step that bar_ shows.
  std::unique_ptr<Progress> bar_;
};

// Shows the study's progress until it has ended and gives the study as it ended; waits for a
// trainer that restarts. kUnavailable where it stays away, kCancelled when interrupted.
Result<v1::Study> WatchStudyToEnd(CommandContext& context, client::TrainerClient& trainer,
                                  const std::string& name);

}  // namespace inferon::cli
