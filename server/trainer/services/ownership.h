// Whose a study, a model or a data set is.
#pragma once

#include <optional>
#include <string>

#include "common/inference/engine.h"
#include "server/trainer/registry/registry.h"
#include "server/trainer/studies/study_manager.h"

namespace inferon::trainer {

// Project ("projects/lab") of "studies/x", "models/x" or "datasets/x"; a model belongs to the
// project of its study or data set. nullopt where there is none of the name.
std::optional<std::string> ProjectOf(const std::string& name, const StudyManager& studies,
                                     const Registry& registry, InferenceEngine& engine);

}  // namespace inferon::trainer
