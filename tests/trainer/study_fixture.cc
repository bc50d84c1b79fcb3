#include "tests/trainer/study_fixture.h"

#include <unistd.h>

#include <cstdlib>

namespace inferon::trainer {
namespace {

// A study syncs some hundred files: in memory, where there is room for it, that costs nothing. What
// a killed process leaves behind is the same there.
[[maybe_unused]] const bool kInMemory =
    access("/dev/shm", W_OK) == 0 && setenv("TMPDIR", "/dev/shm", /*overwrite=*/0) == 0;

}  // namespace

ManagerOptions QuickOptions() {
  ManagerOptions options;
  options.pipeline.calibration_draws = 40;
  options.pipeline.validation_traces = 4;
  return options;
}

TrainerParts::TrainerParts(const std::filesystem::path& folder, ManagerOptions manager_options)
    : experiments(folder / "toy"),
      factory(MakeHistogramFactory()),
      registry(folder / "models", *factory),
      data(folder),
      options(std::move(manager_options)) {}

StudyManager& TrainerParts::Manager() {
  if (!manager_) {
    manager_ = std::make_unique<StudyManager>(data / "studies", experiments, *factory, registry,
                                              clock, options);
  }
  return *manager_;
}

StudyRecord TrainerParts::Await(const std::string& id) {
  StudyRecord record = *Manager().Get(id);
  for (int i = 0; i < 100'000 && record.state == StudyState::kRunning; ++i) {
    record = *Manager().Wait(id, record.revision, std::chrono::milliseconds(600));
  }
  return record;
}

StudyRecord TrainerParts::Run(const std::string& id, const StudySpec& spec) {
  const auto created = Manager().Create(id, spec);
  if (!created) return {.id = id, .state = StudyState::kFailed, .error = created.error().Text()};
  return Await(id);
}

std::map<std::string, std::string> StableFiles(const std::filesystem::path& data) {
  std::map<std::string, std::string> files;
  for (const char* part : {"studies", "models"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data / part)) {
      if (!entry.is_regular_file() || entry.path().filename() == "study.json") continue;
      files[std::filesystem::relative(entry.path(), data).string()] = *ReadFile(entry.path());
    }
  }
  return files;
}

}  // namespace inferon::trainer
