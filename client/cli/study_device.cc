#include "client/cli/study_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <set>

#include "client/cli/cluster/control.h"
#include "client/cli/cluster/supervisor.h"
#include "common/base/files.h"

namespace inferon::cli {
namespace {

constexpr char kChipSubstrate[] = "brainscales2";

// A device configuration for the fake child beside this program.
Result<std::filesystem::path> WriteFakeDevice(const CommandContext& context, std::uint32_t neuron) {
  const auto fake = FindProgram(context.environment.program_folder, "inferon-bss2-fake");
  if (!fake) return tl::unexpected(fake.error());
  const auto folder = std::filesystem::absolute(context.DataFolder()) / "fake-device";
  std::filesystem::create_directories(folder);
  const auto path = folder / "device.toml";
  WriteFileAtomically(path, fmt::format("# A fake device for the demo.\n"
                                        "schema_version = 1\n"
                                        "mode = \"fake\"\n"
                                        "launcher = [\"{}\", \"--threads\", \"2\"]\n"
                                        "neuron = {}\n"
                                        "[timing]\n"
                                        "batch_seconds = 2.0\n",
                                        fake->string(), neuron));
  return path;
}

}  // namespace

Status PrepareDemo(CommandContext& context, StudyOptions& options) {
  if (!options.demo) return {};
  const bool chip = options.experiment.substrate == kChipSubstrate;
  if (options.id.empty()) options.id = chip ? "brainscales2-demo" : "demo";
  if (!options.scale_given) options.scale = "small";
  if (options.report.empty()) options.report = "report-" + options.id;
  const ClusterFolder folder(context.DataFolder());
  if (!context.global.scheduler.empty() || folder.Supervisor()) return {};
  UpOptions up{.workers = 1, .workers_given = true};
  if (chip) {
    const auto config = WriteFakeDevice(context, options.experiment.device.neuron);
    if (!config) return tl::unexpected(config.error());
    up.device_config = config->string();
  }
  context.console.Note(
      fmt::format("inferon: starting the servers in {}{}; stop them with "
                  "'inferon down'",
                  folder.data().string(), chip ? " with a fake device" : ""));
  return StartCluster(context, folder, up);
}

Status ChooseChip(CommandContext& context, StudyOptions& options) {
  if (options.experiment.substrate != kChipSubstrate || options.chip_given) return {};
  const auto scheduler = context.Scheduler();
  if (!scheduler) return tl::unexpected(scheduler.error());
  const auto workers = (*scheduler)->ListWorkers(context.stop);
  if (!workers) return tl::unexpected(workers.error());
  std::set<std::string> chips;
  for (const rpc::WorkerInfo& worker : *workers) {
    if (worker.substrate == kChipSubstrate && worker.state != "offline") chips.insert(worker.chip);
  }
  if (chips.size() == 1) {
    options.experiment.device.chip = *chips.begin();
    return {};
  }
  if (chips.empty()) {
    return Fail(ErrorCode::kFailedPrecondition, "no worker drives a BrainScaleS-2 chip here",
                "Start one with 'inferon-worker --substrate brainscales2 --device-config FILE', or "
                "try the fake one with --demo in a fresh --data folder");
  }
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("workers drive several chips: {}", fmt::join(chips, ", ")),
              "A posterior belongs to one neuron: choose with --chip and --neuron");
}

}  // namespace inferon::cli
