#include "client/cli/observation_input.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <vector>

#include "client/cli/exit_codes.h"
#include "client/cli/job_view.h"
#include "client/cli/model_view.h"
#include "client/cli/recording_input.h"
#include "client/cli/recording_options.h"
#include "common/neuron/profile.h"
#include "common/recordings/recording_file.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

template <typename T>
using Loaded = tl::expected<T, QueryFailure>;

tl::unexpected<QueryFailure> FailedInput(Error error) {
  const int code = ExitCodeOfInput(error);
  return tl::unexpected(QueryFailure{std::move(error), code});
}

tl::unexpected<QueryFailure> FailedCall(Error error) {
  const int code = ExitCodeOfCall(error);
  return tl::unexpected(QueryFailure{std::move(error), code});
}

// The named model, or the newest.
Loaded<v1::Model> FindModel(CommandContext& context, client::TrainerClient& trainer,
                            const std::string& name) {
  if (!name.empty()) {
    Result<v1::Model> model = trainer.GetModel(ModelName(name), context.stop);
    if (!model) return FailedCall(model.error());
    if (!model->dataset().empty()) {
      return FailedCall({ErrorCode::kFailedPrecondition,
                         fmt::format("{} was trained on {}: it answers about rows of numbers, not "
                                     "recordings",
                                     model->name(), model->dataset()),
                         fmt::format("Give a CSV or NPY file of {} numbers", model->columns()),
                         {}});
    }
    return std::move(*model);
  }
  Result<std::vector<v1::Model>> models = trainer.ListModels(context.stop);
  if (!models) return FailedCall(models.error());
  std::erase_if(*models, [](const v1::Model& m) { return !m.dataset().empty(); });
  if (models->empty()) {
    return FailedCall({ErrorCode::kFailedPrecondition,
                       "the trainer has no model of a study yet",
                       "Run a study first: inferon study run demo",
                       {}});
  }
  return std::move(models->front());
}

// The observation of one experiment, or why there is none.
Loaded<Observation> FetchExperiment(CommandContext& context, rpc::SchedulerClient& scheduler,
                                    const std::string& name, std::uint64_t index) {
  std::optional<Observation> found;
  std::string failed;
  // The first block is enough: its error ends the stream.
  const Error enough{ErrorCode::kAborted, "enough", {}, {}};
  const Status streamed = scheduler.StreamResults(
      name, index, false, context.stop, [&](rpc::ResultBlock block) -> Status {
        failed = block.error;
        const std::uint64_t at = index - block.first_index;
        if (at < block.observations.size()) found = Extract(block.observations, at);
        return tl::unexpected(enough);
      });
  if (found) return std::move(*found);
  if (!failed.empty()) {
    return FailedCall({ErrorCode::kFailedPrecondition,
                       fmt::format("experiment {} of {} failed: {}", index, name, failed),
                       "Choose another experiment",
                       {}});
  }
  if (!streamed && streamed.error().message != enough.message) {
    return FailedCall(streamed.error());
  }
  return FailedCall({ErrorCode::kFailedPrecondition,
                     fmt::format("{} has no observation of experiment {} yet", name, index),
                     "Wait for it with 'inferon job watch', or choose another experiment",
                     {}});
}

// A job's stimulus is not part of what the scheduler tells; the number of points is checked and the
// rest said.
Loaded<QueryObservation> LoadExperiment(CommandContext& context, const ObservationOptions& options,
                                        QueryObservation query, const Protocol& protocol) {
  auto scheduler = context.Scheduler();
  if (!scheduler) return FailedCall(scheduler.error());
  const std::string name = JobName(options.job, "default");
  const Result<rpc::JobInfo> job = (*scheduler)->GetJob(name, context.stop);
  if (!job) return FailedCall(job.error());
  if (job->profile_sha256 != query.model.profile_sha256()) {
    return FailedInput(
        {ErrorCode::kInvalidArgument,
         fmt::format("{} ran another profile than {} was trained for", name, query.model.name()),
         "Choose a model of the job's profile with --model",
         {}});
  }
  auto observation = FetchExperiment(context, **scheduler, name, options.experiment);
  if (!observation) return tl::unexpected(observation.error());
  if (observation->trace.size() != protocol.Points()) {
    return FailedInput(
        {ErrorCode::kInvalidArgument,
         fmt::format("the trace has {} points, {} was trained for {}", observation->trace.size(),
                     query.model.name(), protocol.Points()),
         "Run the job with the model's protocol, or a study with the job's",
         {}});
  }
  const v1::Device& device = query.model.device();
  if (job->device.chip != device.chip() || job->device.neuron != device.neuron()) {
    query.warnings.push_back(fmt::format(
        "{} ran on another neuron (chip {}, neuron {}) than the model's (chip {}, neuron {})", name,
        job->device.chip, job->device.neuron, device.chip(), device.neuron()));
  }
  query.notes.push_back(
      fmt::format("Observation: experiment {} of {}, taken to have the model's "
                  "stimulus ({}).",
                  options.experiment, name, DescribeSteps(query.model.protocol())));
  query.observation = rpc::ToProto(*observation, protocol);
  return query;
}

}  // namespace

void AddObservationOptions(CLI::App& command, ObservationOptions& options) {
  command
      .add_option("--observation", options.file,
                  "Recorded trace: CSV, text columns or NWB; or, for a model of a data set, a row "
                  "of numbers: CSV or NPY")
      ->type_name("FILE")
      ->group("Observation");
  command.add_option("--job", options.job, "Or the observation of an experiment of this job")
      ->type_name("JOB")
      ->group("Observation");
  command.add_option("--experiment", options.experiment, "Index of that experiment, from 0")
      ->type_name("N")
      ->group("Observation");
  command.add_option("--model", options.model, "Model that answers (the newest)")
      ->type_name("MODEL");
  command
      .add_option("--map", options.map,
                  "Counts = OFFSET + GAIN * mV (chosen from the trace and said)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("GAIN,OFFSET")
      ->group("Observation");
  command
      .add_option("--map-anchors", options.map_anchors,
                  "Counts that the resting baseline and the spike level map to (the profile's "
                  "nominal v_l and v_th)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("REST,THRESHOLD")
      ->group("Observation");
  AddReadOptions(command, options.sweep, options.read);
  command
      .add_option("--step-window", options.step_window,
                  "Start and stop of the current step in the recording, ms (found from the "
                  "current)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("START,STOP")
      ->group("Observation");
  command
      .add_flag("--crop-step", options.crop_step,
                "Cut a step that is longer than the model's to the model's length")
      ->group("Observation");
}

Status CheckObservationOptions(const ObservationOptions& options) {
  if (options.file.empty() == options.job.empty()) {
    return InvalidArgument(
        options.file.empty() ? "no observation is given" : "two observations are given",
        "Give either --observation FILE.csv or --job JOB --experiment N");
  }
  const bool recorded = options.crop_step || !options.map.empty() || !options.step_window.empty();
  if (recorded && options.file.empty()) {
    return InvalidArgument("--map, --step-window and --crop-step belong to recorded traces",
                           "Leave them out with --job");
  }
  return CheckRecordingOptions(options);
}

Loaded<Profile> FindModelProfile(CommandContext& context, client::TrainerClient& trainer,
                                 const v1::Model& model) {
  Result<Profile> built_in = BuiltInProfile(model.profile());
  if (built_in && built_in->sha256 == model.profile_sha256()) return std::move(*built_in);
  const Result<v1::Study> study = trainer.GetStudy(model.study(), context.stop);
  if (!study) return FailedCall(study.error());
  Result<Profile> profile = ParseProfile(study->spec().profile_toml());
  if (!profile) return FailedCall(profile.error());
  return std::move(*profile);
}

Loaded<QueryObservation> LoadObservation(CommandContext& context, client::TrainerClient& trainer,
                                         const ObservationOptions& options) {
  // The file first: what is wrong with it needs no server.
  Recording recording;
  if (!options.file.empty()) {
    Result<Recording> parsed = LoadRecording(options.file, options.read, options.sweep);
    if (!parsed) return FailedInput(parsed.error());
    recording = std::move(*parsed);
  }
  auto model = FindModel(context, trainer, options.model);
  if (!model) return tl::unexpected(model.error());
  const Result<Protocol> protocol = rpc::FromProto(model->protocol());
  if (!protocol) return FailedCall(protocol.error());
  QueryObservation query;
  query.model = std::move(*model);
  if (!options.job.empty()) return LoadExperiment(context, options, std::move(query), *protocol);
  const auto profile = FindModelProfile(context, trainer, query.model);
  if (!profile) return tl::unexpected(profile.error());
  if (Status read = UseRecording(recording, options, *profile, *protocol, query); !read) {
    return FailedInput(read.error());
  }
  return query;
}

}  // namespace inferon::cli
