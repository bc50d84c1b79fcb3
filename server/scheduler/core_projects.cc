#include <fmt/format.h>

#include "server/scheduler/core.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

auto NoSuchProject(const std::string& id) {
  return Fail(ErrorCode::kNotFound, fmt::format("there is no project {}", id),
              "List the projects, or create it");
}

std::string Describe(const ProjectSettings& settings) {
  return fmt::format(
      "weight {}, {} experiments queued at most, {} substrate seconds a day, {} submissions a "
      "minute (0: no limit)",
      settings.weight, settings.max_queued_experiments, settings.max_seconds_per_day,
      settings.max_submits_per_minute);
}

}  // namespace

// The project of a job that is being accepted.
Status Core::EnsureProject(const std::string& id, const Actor& actor) {
  if (accounts_.Find(id) != nullptr) return {};
  if (limits_.closed_projects) {
    return Fail(ErrorCode::kFailedPrecondition, fmt::format("there is no project {}", id),
                "Ask an operator to create it; this server takes jobs of its projects only");
  }
  if (accounts_.size() >= limits_.max_projects) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} projects exist, the limit of this server", accounts_.size()),
                "Submit to one of these, or start the scheduler with a higher --max-projects");
  }
  ProjectRecord record;
  record.id = id;
  record.create_time = clock_.WallNow();
  store_->PutProject(record);
  accounts_.Put(record);
  TellOf("project.created", ProjectName(id), Describe(record.settings), actor, id);
  return {};
}

std::vector<OpenJobCount> Core::CountOpenJobs() {
  return readers_.Read([](StoreReader& reader) { return reader.CountOpenJobs(); });
}

ProjectView Core::View(const ProjectRecord& project) const {
  const QueueSize queue = index_.OfProject(project.id);
  std::uint32_t leased = 0;
  for (const HeldLease& lease : leases_.All()) leased += lease.project == project.id ? 1 : 0;
  return {project,
          queue.jobs,
          queue.experiments,
          leased,
          accounts_.DaySeconds(project.id, clock_.WallNow()),
          accounts_.DecayedSeconds(project.id, clock_.Now())};
}

Result<ProjectView> Core::CreateProject(const std::string& id, const ProjectSettings& settings,
                                        const Actor& actor) {
  if (Status ok = ValidateSettings(id, settings); !ok) return tl::unexpected(ok.error());
  return Write([&]() -> Result<ProjectView> {
    if (const ProjectRecord* before = accounts_.Find(id)) {
      if (before->settings == settings) return View(*before);
      return Fail(ErrorCode::kAlreadyExists, fmt::format("there is a project {} already", id),
                  "Set its settings instead");
    }
    if (accounts_.size() >= limits_.max_projects) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{} projects exist, the limit of this server", accounts_.size()),
                  "Start the scheduler with a higher --max-projects");
    }
    const ProjectRecord record{id, settings, clock_.WallNow()};
    store_->PutProject(record);
    accounts_.Put(record);
    TellOf("project.created", ProjectName(id), Describe(settings), actor, id);
    return View(record);
  });
}

Result<ProjectView> Core::UpdateProject(const std::string& id, const ProjectSettings& settings,
                                        const Actor& actor) {
  if (Status ok = ValidateSettings(id, settings); !ok) return tl::unexpected(ok.error());
  return Write([&]() -> Result<ProjectView> {
    const ProjectRecord* before = accounts_.Find(id);
    if (before == nullptr) return NoSuchProject(id);
    const ProjectRecord record{id, settings, before->create_time};
    if (before->settings == settings) return View(record);
    store_->PutProject(record);
    accounts_.Put(record);
    TellOf("project.changed", ProjectName(id), Describe(settings), actor, id);
    return View(record);
  });
}

Result<ProjectView> Core::GetProject(const std::string& id) {
  return Write([&]() -> Result<ProjectView> {
    const ProjectRecord* record = accounts_.Find(id);
    if (record == nullptr) return NoSuchProject(id);
    return View(*record);
  });
}

Result<std::vector<ProjectView>> Core::ListProjects() {
  return Write([&]() -> Result<std::vector<ProjectView>> {
    std::vector<ProjectView> views;
    for (const ProjectRecord& record : accounts_.All()) views.push_back(View(record));
    return views;
  });
}

Result<std::vector<Event>> Core::ListEvents(const std::string& project, std::uint64_t after,
                                            std::uint32_t limit) {
  if (!project.empty() && !IsIdentifier(project)) {
    return InvalidArgument(fmt::format("'{}' is not a project id", project),
                           "Use lower-case letters, digits and '-', at most 63 characters");
  }
  return readers_.Read([&](StoreReader& reader) -> Result<std::vector<Event>> {
    return reader.Events({project, 0}, after, limit);
  });
}

}  // namespace inferon::scheduler
