#include "client/cli/job_fetch.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/job_view.h"
#include "client/cli/observation_writer.h"
#include "client/cli/progress.h"
#include "common/base/files.h"
#include "common/features/features.h"

namespace inferon::cli {
namespace {

// What has arrived so far.
struct Fetched {
  std::unique_ptr<ObservationWriter> writer;  // Made with the first observations.
  Protocol protocol;
  std::string provenance;
  std::uint64_t observations = 0;
  std::uint64_t failed = 0;
  nlohmann::json failures = nlohmann::json::array();
  nlohmann::json suspect = nlohmann::json::array();  // Their worker failed its next check.
};

std::filesystem::path FolderOf(const FetchOptions& options) {
  return options.folder.empty() ? std::filesystem::path(options.job).filename()
                                : std::filesystem::path(options.folder);
}

// A new or empty folder.
Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return InvalidArgument(
        fmt::format("cannot make the folder {}: {}", folder.string(), error.message()),
        "Choose another with --out FOLDER");
  }
  if (!std::filesystem::is_empty(folder)) {
    return InvalidArgument(fmt::format("the folder {} is not empty", folder.string()),
                           "Choose another with --out FOLDER");
  }
  return {};
}

Status Take(const FetchOptions& options, const std::filesystem::path& folder,
            const rpc::ResultBlock& block, Fetched& fetched) {
  if (!block.error.empty()) {
    fetched.failed += block.count;
    fetched.failures.push_back(
        {{"first_index", block.first_index}, {"count", block.count}, {"error", block.error}});
    return {};
  }
  if (!fetched.writer) {
    fetched.provenance = block.observations.provenance;
    const std::optional<Protocol> protocol = ProtocolOf(fetched.provenance);
    if (!protocol || protocol->Points() != block.observations.points) {
      return Fail(ErrorCode::kDataLoss,
                  "the observations do not say which protocol they were recorded with",
                  "Run the job again on a worker of this version");
    }
    fetched.protocol = *protocol;
    fetched.writer = options.format == "csv" ? MakeCsvWriter(folder, *protocol)
                                             : MakeNpyWriter(folder, protocol->Points());
  }
  if (block.suspect) {
    fetched.suspect.push_back({{"first_index", block.first_index},
                               {"count", block.count},
                               {"worker", block.worker},
                               {"calibration_id", block.calibration_id}});
  }
  fetched.writer->Append(block.first_index, block.observations, fetched.protocol);
  fetched.observations += block.count;
  return {};
}

// Describes the files; written last, so that it marks a complete fetch.
nlohmann::json WriteSummary(const std::filesystem::path& folder, const rpc::JobInfo& job,
                            Fetched& fetched) {
  std::vector<std::string> names;
  for (std::size_t f = 0; f < kFeatureCount; ++f) {
    names.emplace_back(FeatureName(static_cast<Feature>(f)));
  }
  std::vector<std::string> files;
  if (fetched.writer) files = fetched.writer->Close();
  const nlohmann::json summary{
      {"job", JobJson(job)},
      {"observations", fetched.observations},
      {"failed", fetched.failed},
      {"failures", fetched.failures},
      {"suspect", fetched.suspect},
      {"files", files},
      {"features", names},
      {"provenance", nlohmann::json::parse(fetched.provenance.empty() ? "null" : fetched.provenance,
                                           nullptr, /*allow_exceptions=*/false)}};
  WriteFileAtomically(folder / "job.json", summary.dump(2) + "\n");
  return summary;
}

}  // namespace

int FetchJob(CommandContext& context, const FetchOptions& options) {
  const auto scheduler = context.Scheduler();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  Result<rpc::JobInfo> job = (*scheduler)->GetJob(options.job, context.stop);
  if (!job) return context.console.FailedCall(job.error());
  const std::filesystem::path folder = FolderOf(options);
  if (Status made = MakeFolder(folder); !made) return context.console.FailedInput(made.error());
  Fetched fetched;
  Progress progress(context.console, context.clock, "fetching", "experiments");
  const Status streamed =
      (*scheduler)
          ->StreamResults(options.job, 0, options.follow, context.stop,
                          [&](const rpc::ResultBlock& block) -> Status {
                            const Status taken = Take(options, folder, block, fetched);
                            progress.Update(fetched.observations + fetched.failed,
                                            job->experiments);
                            return taken;
                          });
  progress.Finish();
  if (!streamed) return context.console.FailedCall(streamed.error());
  if (auto now = (*scheduler)->GetJob(options.job, context.stop)) job = std::move(now);
  nlohmann::json summary = WriteSummary(folder, *job, fetched);
  context.console.Print(
      fmt::format("{} observations in {}.", FormatCount(fetched.observations), folder.string()));
  if (fetched.failed > 0) {
    context.console.Note(fmt::format("inferon: {} experiments failed; job.json says why.",
                                     FormatCount(fetched.failed)));
  }
  if (fetched.observations + fetched.failed < job->experiments) {
    context.console.Note(
        fmt::format("inferon: {} experiments are not there (the job is {}).{}",
                    FormatCount(job->experiments - fetched.observations - fetched.failed),
                    rpc::JobStateName(job->state),
                    rpc::HasEnded(job->state) ? "" : " Fetch with --follow to wait for them."));
  }
  if (!fetched.suspect.empty()) {
    context.console.Warn(
        "some results are suspect: their worker failed its next health check; job.json names them");
  }
  summary["folder"] = folder.string();
  context.console.PrintJson(summary);
  return kOk;
}

}  // namespace inferon::cli
