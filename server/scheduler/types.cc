#include "server/scheduler/types.h"

#include <fmt/format.h>

namespace inferon::scheduler {

std::string JobName(const std::string& project, JobId job) {
  return fmt::format("projects/{}/jobs/{}", project, job);
}

std::string ShardName(const std::string& project, JobId job, std::uint64_t first,
                      std::uint32_t count) {
  return fmt::format("{}/experiments/{}-{}", JobName(project, job), first, first + count - 1);
}

std::string WorkerName(const std::string& id) { return fmt::format("workers/{}", id); }

std::string ProjectName(const std::string& id) { return fmt::format("projects/{}", id); }

}  // namespace inferon::scheduler
