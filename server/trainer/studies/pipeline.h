// The pipeline of a study: its tasks, and one run over those that are not done yet.
#pragma once

#include <stop_token>
#include <vector>

#include "server/trainer/studies/study_context.h"
#include "server/trainer/studies/task_graph.h"

namespace inferon::trainer {

// All tasks in an order that respects what comes after what. They refer to the study.
std::vector<Task> StudyTasks(const StudyContext& study);

// Runs what is left of a study; once it returns without error, the report is on disk. kCancelled
// when stopped. Throws what the environment throws (a full disk).
Status RunStudy(const StudyContext& study, std::stop_token stop);

}  // namespace inferon::trainer
