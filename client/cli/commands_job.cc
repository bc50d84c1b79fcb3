// inferon job submit|list|show|watch|explain|pause|resume|cancel|fetch
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/experiment_options.h"
#include "client/cli/format.h"
#include "client/cli/job_explain.h"
#include "client/cli/job_fetch.h"
#include "client/cli/job_view.h"
#include "client/library/codes_file.h"

namespace inferon::cli {
namespace {

constexpr std::uint32_t kPageSize = 100;

struct SubmitOptions {
  std::string file;
  ExperimentOptions experiment;
  std::string project = "default";
  std::string request_id;
  std::string title;
  std::uint32_t trials = 1;
  std::uint64_t seed = 0;
  std::uint32_t shard_size = 256;
  std::int32_t priority = 0;
  std::string worker;
  std::string calibration;
  double max_run_seconds = 0;
  bool reuse = false;
  bool watch = false;
};

struct NameOptions {
  std::string name;
  std::string project = "default";
};

struct ListOptions {
  std::string project = "default";
  std::uint32_t limit = 50;
};

std::string RandomRequestId() {
  std::random_device device;
  return fmt::format("cli-{:08x}{:08x}", device(), device());
}

Result<rpc::JobSubmission> MakeSubmission(const SubmitOptions& options) {
  Result<Profile> profile = FindProfile(options.experiment.profile);
  if (!profile) return tl::unexpected(profile.error());
  Result<ParameterSets> sets = client::ReadCodesFile(options.file, profile->ParameterNames());
  if (!sets) return tl::unexpected(sets.error());
  Result<Protocol> protocol = MakeProtocol(options.experiment.protocol, profile->protocol);
  if (!protocol) return tl::unexpected(protocol.error());
  rpc::JobSubmission job;
  job.project = options.project;
  job.request_id = options.request_id.empty() ? RandomRequestId() : options.request_id;
  job.title = options.title.empty() ? options.file : options.title;
  job.sets = std::move(*sets);
  job.trials = options.trials;
  job.profile_toml = profile->text;
  job.protocol = std::move(*protocol);
  job.device = options.experiment.device;
  job.seed = options.seed;
  job.substrate = options.experiment.substrate;
  job.shard_size = options.shard_size;
  job.priority = options.priority;
  job.pin_worker = options.worker;
  job.pin_calibration = options.calibration;
  job.max_run_seconds = options.max_run_seconds;
  job.reuse = options.reuse;
  return job;
}

int Submit(CommandContext& context, const SubmitOptions& options) {
  const Result<rpc::JobSubmission> submission = MakeSubmission(options);
  if (!submission) return context.console.FailedInput(submission.error());
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const Result<rpc::JobInfo> job = (*scheduler)->CreateJob(*submission, context.stop);
  if (!job) return context.console.FailedCall(job.error());
  context.console.Print(fmt::format("{}: {} experiments in {} shards, {}.", job->name,
                                    FormatCount(job->experiments), job->shards,
                                    rpc::JobStateName(job->state)));
  if (options.watch) return WatchToEnd(context, **scheduler, job->name);
  context.console.PrintJson(JobJson(*job));
  context.console.Print(fmt::format("Watch it with: inferon job watch {}", job->name));
  return kOk;
}

Result<std::vector<rpc::JobInfo>> AllJobs(CommandContext& context, const ListOptions& options) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return tl::unexpected(scheduler.error());
  std::vector<rpc::JobInfo> jobs;
  std::string token;
  do {
    Result<rpc::JobPage> page =
        (*scheduler)
            ->ListJobs(options.project, std::min(options.limit, kPageSize), token, context.stop);
    if (!page) return tl::unexpected(page.error());
    jobs.insert(jobs.end(), page->jobs.begin(), page->jobs.end());
    token = page->next_page_token;
  } while (!token.empty() && jobs.size() < options.limit);
  if (jobs.size() > options.limit) jobs.resize(options.limit);
  return jobs;
}

int List(CommandContext& context, const ListOptions& options) {
  const auto jobs = AllJobs(context, options);
  if (!jobs) return context.console.FailedCall(jobs.error());
  Table table{{{"JOB"},
               {"STATE"},
               {"DONE", true},
               {"FAILED", true},
               {"EXPERIMENTS", true},
               {"CREATED"},
               {"TITLE"}},
              {}};
  nlohmann::json list = nlohmann::json::array();
  for (const rpc::JobInfo& job : *jobs) {
    table.rows.push_back({job.name, std::string(rpc::JobStateName(job.state)),
                          FormatCount(job.experiments_done), FormatCount(job.experiments_failed),
                          FormatCount(job.experiments), FormatTime(job.create_time), job.title});
    list.push_back(JobJson(job));
  }
  if (jobs->empty()) {
    context.console.Print(fmt::format("No jobs in project {}.", options.project));
  } else {
    context.console.Print(table);
  }
  context.console.PrintJson({{"jobs", list}});
  return kOk;
}

int Show(CommandContext& context, const NameOptions& options) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto job = (*scheduler)->GetJob(JobName(options.name, options.project), context.stop);
  if (!job) return context.console.FailedCall(job.error());
  PrintJob(context.console, *job);
  return kOk;
}

int Watch(CommandContext& context, const NameOptions& options) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  return WatchToEnd(context, **scheduler, JobName(options.name, options.project));
}

int Cancel(CommandContext& context, const NameOptions& options) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto job = (*scheduler)->CancelJob(JobName(options.name, options.project), context.stop);
  if (!job) return context.console.FailedCall(job.error());
  context.console.Print(fmt::format(
      "{} {}, {} of {} experiments were done.", job->name, rpc::JobStateName(job->state),
      FormatCount(job->experiments_done), FormatCount(job->experiments)));
  context.console.PrintJson(JobJson(*job));
  return kOk;
}

int PauseOrResume(CommandContext& context, const NameOptions& options, bool pause) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const std::string name = JobName(options.name, options.project);
  const auto job = pause ? (*scheduler)->PauseJob(name, context.stop)
                         : (*scheduler)->ResumeJob(name, context.stop);
  if (!job) return context.console.FailedCall(job.error());
  context.console.Print(fmt::format(
      "{} {}, {} of {} experiments are done.", job->name, job->paused ? "is paused" : "goes on",
      FormatCount(job->experiments_done), FormatCount(job->experiments)));
  context.console.PrintJson(JobJson(*job));
  return kOk;
}

int Pause(CommandContext& context, const NameOptions& options) {
  return PauseOrResume(context, options, true);
}

int Resume(CommandContext& context, const NameOptions& options) {
  return PauseOrResume(context, options, false);
}

int Explain(CommandContext& context, const NameOptions& options) {
  return ExplainJob(context, JobName(options.name, options.project));
}

void AddProjectOption(CLI::App& command, std::string& project) {
  command.add_option("--project", project, "Project of the job")->type_name("ID");
}

void AddSubmit(CLI::App& jobs, CommandContext& context) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App& command = *jobs.add_subcommand("submit", "Run the parameter sets of a CSV file");
  command.add_option("file", options->file, "CSV: a line of parameter names, then codes 0..1022")
      ->required()
      ->type_name("FILE");
  command.add_option("--trials", options->trials, "Trials of each parameter set")
      ->check(CLI::Range(1u, 100'000u));
  command.add_option("--seed", options->seed, "Seed of every random number of the job");
  command.add_option("--title", options->title, "Title for people (the file's name)");
  command.add_option("--request-id", options->request_id,
                     "Id of this submission: the same id submits once (random)");
  command.add_option("--shard-size", options->shard_size, "Experiments in a shard")
      ->check(CLI::Range(1u, 10'000u));
  command.add_option("--priority", options->priority, "Importance within the project")
      ->check(CLI::Range(-100, 100));
  command.add_option("--worker", options->worker, "Run it on this worker only")->type_name("ID");
  command.add_option("--calibration", options->calibration, "Run it under this calibration only")
      ->type_name("ID");
  command
      .add_option("--max-run-seconds", options->max_run_seconds,
                  "End it when it has run for longer; 0: no limit")
      ->check(CLI::Range(0.0, 31'536'000.0))
      ->type_name("S");
  command.add_flag("--reuse", options->reuse,
                   "Take results of identical experiments of jobs that were submitted with it");
  command.add_flag("--watch", options->watch, "Show the progress until the job has ended");
  AddProjectOption(command, options->project);
  AddExperimentOptions(command, options->experiment);
  OnSelected(command, context, [&context, options] { return Submit(context, *options); });
}

void AddNamed(CLI::App& jobs, CommandContext& context, const std::string& verb,
              const std::string& help, int (*run)(CommandContext&, const NameOptions&)) {
  auto options = std::make_shared<NameOptions>();
  CLI::App& command = *jobs.add_subcommand(verb, help);
  command.add_option("job", options->name, "Job: its id, or its whole name")->required();
  AddProjectOption(command, options->project);
  OnSelected(command, context, [&context, options, run] { return run(context, *options); });
}

void AddList(CLI::App& jobs, CommandContext& context) {
  auto options = std::make_shared<ListOptions>();
  CLI::App& command = *jobs.add_subcommand("list", "Jobs of a project, newest first");
  command.add_option("--limit", options->limit, "Jobs at most")->check(CLI::Range(1u, 100'000u));
  AddProjectOption(command, options->project);
  OnSelected(command, context, [&context, options] { return List(context, *options); });
}

void AddFetch(CLI::App& jobs, CommandContext& context) {
  auto options = std::make_shared<FetchOptions>();
  auto project = std::make_shared<std::string>("default");
  CLI::App& command = *jobs.add_subcommand("fetch", "Write a job's observations to files");
  command.add_option("job", options->job, "Job: its id, or its whole name")->required();
  command.add_option("--out,-o", options->folder, "Folder for the files (the job's id)")
      ->type_name("FOLDER");
  command.add_option("--format", options->format, "Format of the files")
      ->check(CLI::IsMember({"npy", "csv"}));
  command.add_flag("--follow", options->follow, "Wait for experiments that are not done yet");
  AddProjectOption(command, *project);
  OnSelected(command, context, [&context, options, project] {
    options->job = JobName(options->job, *project);
    return FetchJob(context, *options);
  });
}

}  // namespace

void AddJobCommands(CLI::App& app, CommandContext& context) {
  CLI::App& jobs = *app.add_subcommand("job", "Run batches of experiments");
  jobs.require_subcommand(1);
  AddSubmit(jobs, context);
  AddList(jobs, context);
  AddNamed(jobs, context, "show", "One job", Show);
  AddNamed(jobs, context, "watch", "Show a job's progress until it has ended", Watch);
  AddNamed(jobs, context, "explain", "Why a job waits, and when it is expected to start", Explain);
  AddNamed(jobs, context, "pause", "Hold a job: its workers stop", Pause);
  AddNamed(jobs, context, "resume", "Let a paused job go on", Resume);
  AddNamed(jobs, context, "cancel", "Cancel a job: its workers stop", Cancel);
  AddFetch(jobs, context);
}

}  // namespace inferon::cli
