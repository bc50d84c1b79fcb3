#include <fmt/format.h>

#include <charconv>

#include "common/base/check.h"
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

auto EndedAlready(const Job& job, const char* advice) {
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("{} has {} already", JobName(job.project, job.id), Name(job.state)),
              advice);
}

auto SubmittedBefore(const JobRequest& request, const Job& job) {
  return Fail(ErrorCode::kAlreadyExists,
              fmt::format("request id '{}' was used for {} with other content", request.request_id,
                          JobName(job.project, job.id)),
              "Choose another request id for another job");
}

}  // namespace

// Job ids are numbers; a name with anything else is well-formed but names nothing.
Result<Job> FindJob(StoreReader& reader, const std::string& name) {
  const Result<JobKey> key = ParseJobName(name);
  if (!key) return tl::unexpected(key.error());
  std::optional<Job> job = key->job == 0 ? std::nullopt : reader.GetJob(key->job);
  if (!job || job->project != key->project) return NoSuchJob(name);
  return *job;
}

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

Result<Job> Core::CreateJob(const JobRequest& request, const Actor& actor) {
  const std::string content = ContentSha256(request);
  if (Status ok = ValidateJob(request, limits_, &profiles_); !ok) {
    // A repeated submission is answered even where a limit has been lowered since.
    const std::optional<Job> before = readers_.Read([&](StoreReader& reader) {
      return reader.FindRequest(request.project, request.request_id);
    });
    if (before && before->content_sha256 == content) return *before;
    if (before) return SubmittedBefore(request, *before);
    return tl::unexpected(ok.error());
  }
  const std::string profile = Sha256Hex(request.spec.profile_toml);
  std::vector<std::string> keys;
  if (request.spec.reuse) {
    for (const Range& range : CutIntoShards(request.spec.Experiments(), request.spec.shard_size)) {
      keys.push_back(ReuseKey(request.spec, profile, range));
    }
  }
  return Write([&] { return AcceptJob(request, {content, profile, keys}, actor); });
}

Result<Job> Core::AcceptJob(const JobRequest& request, const Digests& digests, const Actor& actor) {
  StoreReader& view = store_->View();
  if (const auto before = view.FindRequest(request.project, request.request_id)) {
    if (before->content_sha256 == digests.content) return *before;
    return SubmittedBefore(request, *before);
  }
  if (Status ok = CheckQueue(request.project, request.spec.Experiments()); !ok) {
    return tl::unexpected(ok.error());
  }
  if (Status ok = EnsureProject(request.project, actor); !ok) return tl::unexpected(ok.error());
  if (Status ok = accounts_.TakeSubmission(request.project, clock_.Now()); !ok) {
    return tl::unexpected(ok.error());
  }
  Job job;
  job.project = request.project;
  job.request_id = request.request_id;
  job.content_sha256 = digests.content;
  job.title = request.title;
  job.create_time = clock_.WallNow();
  job.profile_sha256 = digests.profile;
  job = view.GetJob(store_->AddJob(job, request.spec, digests.reuse_keys)).value();
  Tell("job.created", job, JobName(job.project, job.id),
       fmt::format("{} experiments in {} shards", job.experiments, job.shards), actor);
  index_.Put(job);
  if (digests.reuse_keys.empty()) return job;
  TakeReusable(job, digests.reuse_keys);
  return view.GetJob(job.id).value();
}

// Gives the new job the results of shards that are the same; each goes the way of every shard,
// through a lease, only that nobody has to run it.
void Core::TakeReusable(const Job& job, const std::vector<std::string>& keys) {
  StoreReader& view = store_->View();
  bool started = false;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::optional<Shard> donor = view.FindReusable(job.project, keys[i]);
    if (!donor) continue;
    if (!started) {
      store_->StartJob(job.id, clock_.WallNow());
      Tell("job.running", job, JobName(job.project, job.id), "results of earlier jobs are taken");
    }
    started = true;
    const Shard shard = view.ShardsFrom(job.id, donor->first, 1).at(0);
    const Fence fence = NextFence();
    store_->LeaseShard(shard.id, fence, "");
    const bool finished = store_->FinishShard(
        shard.id, fence, {donor->sha256, donor->location, 0, donor->calibration_id, true});
    INFERON_CHECK(finished);
    Tell("shard.reused", job, ShardName(job.project, job.id, shard.first, shard.count),
         fmt::format("same as shard {}", donor->id));
  }
  if (started) EndIfDone(job.id);
}

Status Core::CheckQueue(const std::string& project, std::uint64_t experiments) {
  const QueueSize& queue = index_.total();
  const ProjectRecord* record = accounts_.Find(project);
  const std::uint64_t quota = record == nullptr ? 0 : record->settings.max_queued_experiments;
  const std::uint64_t own = index_.OfProject(project).experiments;
  std::string problem;
  if (queue.jobs >= limits_.max_queued_jobs) {
    problem = fmt::format("{} jobs wait or run already, the limit of this server", queue.jobs);
  } else if (queue.experiments + experiments > limits_.max_queued_experiments) {
    problem = fmt::format(
        "{} experiments wait or run already; {} more would exceed this server's limit of {}",
        queue.experiments, experiments, limits_.max_queued_experiments);
  } else if (quota > 0 && own + experiments > quota) {
    problem = fmt::format(
        "{} experiments of project {} wait or run already; {} more would exceed its quota of {}",
        own, project, experiments, quota);
  } else {
    return {};
  }
  return tl::unexpected(Error{ErrorCode::kResourceExhausted, problem,
                              "Submit it again when jobs have ended, or cancel some",
                              limits_.queue_retry_after});
}

Result<Job> Core::GetJob(const std::string& name) {
  return readers_.Read([&](StoreReader& reader) { return FindJob(reader, name); });
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

Result<Job> Core::CancelJob(const std::string& name, const Actor& actor) {
  return Write([&]() -> Result<Job> {
    const Result<Job> job = FindJob(store_->View(), name);
    if (!job || job->state == JobState::kCancelled) return job;
    if (HasEnded(job->state)) return EndedAlready(*job, "Its results can be fetched");
    StopLeases(*job);
    End(*job, JobState::kCancelled, "job.cancelled",
        fmt::format("{} experiments done", job->experiments_done), actor);
    return store_->View().GetJob(job->id).value();
  });
}

Result<Job> Core::PauseJob(const std::string& name, const Actor& actor) {
  return Write([&] { return SetPaused(name, true, actor); });
}

Result<Job> Core::ResumeJob(const std::string& name, const Actor& actor) {
  return Write([&] { return SetPaused(name, false, actor); });
}

Result<Job> Core::SetPaused(const std::string& name, bool paused, const Actor& actor) {
  const Result<Job> job = FindJob(store_->View(), name);
  if (!job) return job;
  if (HasEnded(job->state)) return EndedAlready(*job, "Submit it again to run it once more");
  if (job->paused == paused) return job;
  if (paused) StopLeases(*job);
  store_->SetPaused(job->id, paused);
  Tell(paused ? "job.paused" : "job.resumed", *job, name,
       fmt::format("{} experiments done", job->experiments_done), actor);
  const Job after = store_->View().GetJob(job->id).value();
  index_.Put(after);
  return after;
}

Result<EventPage> Core::ReadEvents(const std::string& name, std::uint64_t after) {
  return readers_.Read([&](StoreReader& reader) -> Result<EventPage> {
    // In this order: an end that is seen first has all its events in the page.
    const Result<Job> job = FindJob(reader, name);
    if (!job) return tl::unexpected(job.error());
    EventPage page;
    page.events = reader.Events({job->project, job->id}, after, limits_.events_per_message);
    page.ended = HasEnded(job->state) && page.events.size() < limits_.events_per_message;
    page.job = reader.GetJob(job->id).value();
    return page;
  });
}

}  // namespace inferon::scheduler
