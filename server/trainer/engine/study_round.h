// A study's own data, for its users.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "common/inference/engine.h"

namespace inferon::trainer {

// As InferenceEngine::ExportStudyRound; `studies` holds the studies' folders.
Result<StudyRoundInfo> ReadStudyRound(const std::filesystem::path& studies,
                                      const std::string& study, const std::string& round,
                                      const InferenceEngine::TakeStudyRows& take,
                                      std::stop_token stop);

}  // namespace inferon::trainer
