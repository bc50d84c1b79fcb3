#include "client/cli/cluster/cluster_folder.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/files.h"

namespace inferon::cli {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::streamoff kLogTail = 4096;

}  // namespace

Status ClusterFolder::Make() const {
  for (const auto& folder : {Run(), data_ / "log", Data("scheduler"), Data("trainer")}) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("cannot make the folder {}: {}", folder.string(), error.message()),
                  "Choose another place with --data FOLDER");
    }
  }
  return {};
}

std::optional<pid_t> ClusterFolder::Supervisor() const {
  std::error_code error;
  if (!std::filesystem::exists(SupervisorLock(), error)) return std::nullopt;
  if (FileLock::Acquire(SupervisorLock())) return std::nullopt;
  const Result<std::string> text = ReadFile(Pid("supervisor"), kMaxBytes);
  pid_t pid = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid;  // 0 in the instant before it has written its number.
}

void WriteProcesses(const ClusterFolder& folder, const std::vector<ProcessInfo>& processes) {
  nlohmann::json list = nlohmann::json::array();
  for (const ProcessInfo& process : processes) {
    list.push_back({{"name", process.name},
                    {"state", process.state},
                    {"pid", process.pid},
                    {"restarts", process.restarts},
                    {"started_at", process.started_at},
                    {"last_ending", process.last_ending}});
  }
  WriteFileAtomically(folder.Processes(), list.dump(2) + "\n");
}

std::vector<ProcessInfo> ReadProcesses(const ClusterFolder& folder) {
  const Result<std::string> text = ReadFile(folder.Processes(), kMaxBytes);
  if (!text) return {};
  std::vector<ProcessInfo> processes;
  const nlohmann::json list = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return {};
  for (const nlohmann::json& entry : list) {
    if (!entry.is_object()) return {};
    processes.push_back({.name = entry.value("name", ""),
                         .state = entry.value("state", ""),
                         .pid = entry.value("pid", 0),
                         .restarts = entry.value("restarts", 0),
                         .started_at = entry.value("started_at", std::int64_t{0}),
                         .last_ending = entry.value("last_ending", "")});
  }
  return processes;
}

std::string LastLogLine(const ClusterFolder& folder, const std::string& process) {
  std::ifstream log(folder.Log(process), std::ios::binary | std::ios::ate);
  if (!log) return {};
  const std::streamoff size = log.tellg();
  log.seekg(std::max<std::streamoff>(0, size - kLogTail));
  std::string line;
  std::string last;
  while (std::getline(log, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace inferon::cli
