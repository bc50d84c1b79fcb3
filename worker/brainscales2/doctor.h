// What is missing on this host for driving a chip, step by step.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace inferon::worker {

enum class CheckState { kOk, kMissing, kSkipped };

struct Check {
  std::string name;
  CheckState state = CheckState::kOk;
  std::string detail;
  std::string advice;  // What to do, where it is missing.
};

struct DoctorOptions {
  std::filesystem::path config;          // Device configuration.
  std::vector<std::string> environment;  // "NAME=value", of the worker.
  bool touch_chip = false;               // Also connect, read monitors and run the canary once.
};

// Runs the checks in order and shows each as soon as it is known. Later checks are skipped where
// they need an earlier one. Without `touch_chip` the chip is left alone: the child is started only
// to say whether it finds its libraries. True where nothing is missing.
bool Diagnose(const DoctorOptions& options, Clock& clock,
              const std::function<void(const Check&)>& show);

}  // namespace inferon::worker
