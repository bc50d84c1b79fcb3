// inferon-trainer: studies, models and posterior queries as a server; with a command, the engine on
// a local folder.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/rpc/security_options.h"
#include "common/rpc/server.h"
#include "common/rpc/stop_signals.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/local_commands.h"
#include "server/trainer/services/trainer_server.h"
#include "server/trainer/torch_estimator_factory.h"

namespace inferon::trainer {
namespace {

// Exit codes: docs/user-guide.md.
constexpr int kExitInternal = 1;
constexpr int kExitUsage = 2;
constexpr int kExitRefused = 4;

struct Flags {
  TrainerOptions options;
  int threads = 1;
  int members_at_once = 0;
  std::string address_file;
  LocalFlags local;
  LocalRun command;  // Empty: serve.
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
};

int Serve(const Flags& flags) {
  spdlog::info("{}", estimators::DescribeBackend());
  const std::unique_ptr<EstimatorFactory> factory = MakeTorchEstimatorFactory();
  auto server = StartTrainer(flags.options, *factory, SystemClock());
  if (!server) {
    spdlog::error("{}", server.error().Text());
    switch (server.error().code) {
      case ErrorCode::kInvalidArgument:
        return kExitUsage;
      case ErrorCode::kFailedPrecondition:
        return kExitRefused;
      default:
        return kExitInternal;
    }
  }
  if (!flags.address_file.empty()) WriteFileAtomically(flags.address_file, (*server)->address());
  spdlog::info("listening on {}, data in {}, scheduler at {}", (*server)->address(),
               flags.options.folder.string(), flags.options.scheduler);
  if (!flags.options.metrics.empty()) {
    spdlog::info("metrics at http://{}/metrics", (*server)->metrics_address());
  }
  const int signal = rpc::WaitForStopSignal();
  spdlog::info("stopping after signal {}", signal);
  server->reset();
  spdlog::info("stopped");
  return 0;
}

void AddOptions(CLI::App& app, Flags& flags) {
  TrainerOptions& options = flags.options;
  app.set_version_flag("--version", INFERON_VERSION);
  app.add_option("--data", options.folder, "Data folder; made where it is missing")->required();
  app.add_option(
      "--listen", options.address,
      "Server: HOST:PORT (port 0: any free one) or unix:/PATH; beyond the loopback with TLS "
      "and tokens only");
  app.add_option("--scheduler", options.scheduler, "Server: address of the scheduler");
  app.add_option("--address-file", flags.address_file,
                 "File for the address, written once the server is ready");
  rpc::AddServerSecurityOptions(app, options.tls, options.guard);
  rpc::AddClientSecurityOptions(app, options.security);
  rpc::AddObservationOptions(app, options.metrics, flags.log_format);
  app.add_option("--threads", flags.threads,
                 "Threads of LibTorch in each network's training; part of its result")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--members-at-once", flags.members_at_once,
                 "Members of an ensemble that train at the same time; the result does not depend "
                 "on it (0: as many as keep the processors busy, as a server half of them)")
      ->check(CLI::Range(0, static_cast<int>(estimators::kMaxMembers)))
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--max-studies", options.manager.max_studies, "Studies on disk")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
  app.add_option("--max-queries", options.most_queries, "Posterior queries at the same time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--models-in-memory", options.models_in_memory, "Models kept loaded")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1024}))
      ->capture_default_str();
}

// As many as keep the processors busy; a server leaves half of them for queries and other
// trainings.
int MembersAtOnce(const Flags& flags) {
  if (flags.members_at_once > 0) return flags.members_at_once;
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  const int mine = flags.command ? processors : (processors + 1) / 2;
  return std::max(mine / flags.threads, 1);
}

// A command on the local folder. Logs stay quiet: the command says what it has to.
int RunLocal(const Flags& flags) {
  const rpc::StopSignals signals;
  SetUpLogging("trainer", "warn");
  try {
    return flags.command(
        {flags.options.folder, flags.threads, MembersAtOnce(flags), /*most_trainings=*/1},
        signals.token());
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return kExitInternal;
  }
}

int Main(int argc, char** argv) {
  rpc::BlockStopSignals();
  Flags flags;
  CLI::App app("Runs studies, keeps models, answers posterior queries.", "inferon-trainer");
  app.fallthrough();
  app.require_subcommand(0, 1);
  AddOptions(app, flags);
  AddLocalCommands(app, flags.local, flags.command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (flags.command) return RunLocal(flags);
  for (const auto& [name, value] : {std::pair("--listen", app.count("--listen") > 0),
                                    {"--scheduler", !flags.options.scheduler.empty()}}) {
    if (value) continue;
    std::fprintf(stderr, "inferon-trainer: %s is missing. A server needs it; see --help.\n", name);
    return kExitUsage;
  }
  if (Status ok = rpc::CheckClientSecurity(flags.options.security, flags.options.scheduler,
                                           SystemClock().WallNow());
      !ok) {
    std::fprintf(stderr, "inferon-trainer: %s\n", ok.error().Text().c_str());
    return kExitUsage;
  }
  flags.options.manager.pipeline.training_threads = flags.threads;
  flags.options.manager.pipeline.members_at_once = MembersAtOnce(flags);
  SetUpLogging("trainer", flags.log_level, flags.log_format);
  try {
    return Serve(flags);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return kExitInternal;
  }
}

}  // namespace
}  // namespace inferon::trainer

int main(int argc, char** argv) {
  inferon::estimators::UseWidestBlas(argv);
  return inferon::trainer::Main(argc, argv);
}
