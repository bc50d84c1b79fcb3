#include <fmt/format.h>

#include <charconv>

#include "common/base/hash.h"
#include "server/scheduler/core.h"
#include "server/scheduler/state.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  const bool canonical = !text.empty() && (text[0] != '0' || text.size() == 1);
  if (error != std::errc() || at != end || !canonical || value > INT64_MAX) return std::nullopt;
  return value;
}

auto NoSuchJob(const std::string& name) {
  return Fail(ErrorCode::kNotFound, fmt::format("there is no job {}", name),
              "List the jobs of the project to see its names");
}

auto SubmittedBefore(const JobRequest& request, const Job& job) {
  return Fail(ErrorCode::kAlreadyExists,
              fmt::format("request id '{}' was used for {} with other content", request.request_id,
                          JobName(job.project, job.id)),
              "Choose another request id for another job");
}

// Job ids are numbers; a name with anything else is well-formed but names nothing.
Result<Job> Find(StoreReader& reader, const std::string& name) {
  const Result<JobKey> key = ParseJobName(name);
  if (!key) return tl::unexpected(key.error());
  std::optional<Job> job = key->job == 0 ? std::nullopt : reader.GetJob(key->job);
  if (!job || job->project != key->project) return NoSuchJob(name);
  return *job;
}

}  // namespace

Result<JobKey> ParseJobName(const std::string& name) {
  const auto malformed = [&] {
    return InvalidArgument(fmt::format("'{}' is not the name of a job", name),
                           "Use projects/{project}/jobs/{job}");
  };
  constexpr std::string_view kProjects = "projects/";
  constexpr std::string_view kJobs = "/jobs/";
  const auto jobs = name.find(kJobs);
  if (name.rfind(kProjects, 0) != 0 || jobs == std::string::npos) return malformed();
  const std::string project = name.substr(kProjects.size(), jobs - kProjects.size());
  const std::string id = name.substr(jobs + kJobs.size());
  if (!IsIdentifier(project) || !IsIdentifier(id)) return malformed();
  return JobKey{project, ParseNumber(id).value_or(0)};
}

Result<Job> Core::CreateJob(const JobRequest& request) {
  const std::string content = ContentSha256(request);
  // A repeated submission is answered even where a limit has been lowered since.
  const std::optional<Job> before = readers_.Read(
      [&](StoreReader& reader) { return reader.FindRequest(request.project, request.request_id); });
  if (before && before->content_sha256 == content) return *before;
  if (before) return SubmittedBefore(request, *before);
  if (Status ok = ValidateJob(request, limits_); !ok) return tl::unexpected(ok.error());
  return Write([&] { return AcceptJob(request, content); });
}

Result<Job> Core::AcceptJob(const JobRequest& request, const std::string& content_sha256) {
  StoreReader& view = store_->View();
  if (const auto before = view.FindRequest(request.project, request.request_id)) {
    if (before->content_sha256 == content_sha256) return *before;
    return SubmittedBefore(request, *before);
  }
  if (Status ok = CheckQueue(request.spec.Experiments()); !ok) return tl::unexpected(ok.error());
  Job job;
  job.project = request.project;
  job.request_id = request.request_id;
  job.content_sha256 = content_sha256;
  job.title = request.title;
  job.create_time = clock_.WallNow();
  job.profile_sha256 = Sha256Hex(request.spec.profile_toml);
  job = view.GetJob(store_->AddJob(job, request.spec)).value();
  Tell("job.created", job, JobName(job.project, job.id),
       fmt::format("{} experiments in {} shards", job.experiments, job.shards));
  return job;
}

Status Core::CheckQueue(std::uint64_t experiments) {
  const QueueSize queue = store_->View().Queue();
  std::string problem;
  if (queue.jobs >= limits_.max_queued_jobs) {
    problem = fmt::format("{} jobs wait or run already, the limit of this server", queue.jobs);
  } else if (queue.experiments + experiments > limits_.max_queued_experiments) {
    problem = fmt::format(
        "{} experiments wait or run already; {} more would exceed this server's limit of {}",
        queue.experiments, experiments, limits_.max_queued_experiments);
  } else {
    return {};
  }
  return tl::unexpected(Error{ErrorCode::kResourceExhausted, problem,
                              "Submit it again when jobs have ended, or cancel some",
                              limits_.queue_retry_after});
}

Result<Job> Core::GetJob(const std::string& name) {
  return readers_.Read([&](StoreReader& reader) { return Find(reader, name); });
}

Result<JobPage> Core::ListJobs(const std::string& project, std::uint32_t page_size,
                               const std::string& page_token) {
  if (!IsIdentifier(project)) {
    return InvalidArgument(fmt::format("'{}' is not a project id", project),
                           "Use lower-case letters, digits and '-', at most 63 characters");
  }
  const std::uint32_t size = page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize);
  const std::optional<JobId> before = page_token.empty() ? JobId{0} : ParseNumber(page_token);
  if (!before || (!page_token.empty() && *before == 0)) {
    return InvalidArgument(fmt::format("'{}' is not a page token of this server", page_token),
                           "Give next_page_token of the page before, or none for the first page");
  }
  JobPage page;
  page.jobs = readers_.Read(
      [&](StoreReader& reader) { return reader.ListJobs(project, *before, size + 1); });
  if (page.jobs.size() > size) {
    page.jobs.resize(size);
    page.next_page_token = fmt::format("{}", page.jobs.back().id);
  }
  return page;
}

Result<Job> Core::CancelJob(const std::string& name) {
  return Write([&] { return EndByUser(name); });
}

Result<Job> Core::EndByUser(const std::string& name) {
  const Result<Job> job = Find(store_->View(), name);
  if (!job || job->state == JobState::kCancelled) return job;
  if (HasEnded(job->state)) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} has {} already", name, Name(job->state)),
                "Its results can be fetched");
  }
  for (const Shard& shard : store_->View().LeasedShards()) {
    if (shard.job != job->id) continue;
    store_->ReturnShard(shard.id, shard.fence, {shard.attempts, 0, "", false});
    Forget({shard.id, shard.fence});
  }
  store_->EndJob(job->id, JobState::kCancelled, clock_.WallNow());
  Tell("job.cancelled", *job, name, fmt::format("{} experiments done", job->experiments_done));
  return store_->View().GetJob(job->id).value();
}

Result<EventPage> Core::ReadEvents(const std::string& name, std::uint64_t after) {
  return readers_.Read([&](StoreReader& reader) -> Result<EventPage> {
    // In this order: an end that is seen first has all its events in the page.
    const Result<Job> job = Find(reader, name);
    if (!job) return tl::unexpected(job.error());
    EventPage page;
    page.events = reader.Events({job->project, job->id}, after, limits_.events_per_message);
    page.ended = HasEnded(job->state) && page.events.size() < limits_.events_per_message;
    page.job = reader.GetJob(job->id).value();
    return page;
  });
}

}  // namespace inferon::scheduler
