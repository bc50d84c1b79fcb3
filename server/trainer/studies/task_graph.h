// Runs the tasks of a study, each as soon as those before it are done.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace inferon::trainer {

// A part of a step. Its body may be run again after a crash and then gives the same output.
struct Task {
  std::string id;                  // "classifier.training"
  std::vector<std::string> after;  // Ids of tasks that are earlier in the list.
  std::function<Status(std::stop_token)> body;

  // The step that it belongs to: the id up to the first dot. The task that has the step's own id
  // ends the step.
  std::string step() const { return id.substr(0, id.find('.')); }
};

// What a run remembers.
class TaskLog {
 public:
  virtual ~TaskLog() = default;
  virtual bool IsDone(const std::string& task) = 0;
  virtual void Started(const Task& task) = 0;
  virtual void Done(const Task& task) = 0;  // Durable once it returns.
};

// Runs all tasks that the log does not know as done, each in its own thread. The first failure
// stops the others; it is returned (or thrown again, where it was an exception) when all have
// ended. kCancelled where `stop` ended the run.
Status RunTasks(const std::vector<Task>& tasks, TaskLog& log, std::stop_token stop);

}  // namespace inferon::trainer
