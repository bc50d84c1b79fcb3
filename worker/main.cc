// inferon-worker: runs experiments for a scheduler.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/convert.h"
#include "common/rpc/stop_signals.h"
#include "worker/agent/agent.h"
#include "worker/agent/grpc_link.h"
#include "worker/emulator/emulator.h"

namespace {

constexpr int kInternal = 1;
constexpr int kUsage = 2;
constexpr int kRefused = 4;
constexpr int kMostThreads = 1024;

struct Options {
  std::string scheduler;
  std::string name;
  std::string substrate = "emulator";
  std::string log_level = "info";
  int threads = 0;
};

int Say(const std::string& text, int exit_code) {
  std::fprintf(stderr, "inferon-worker: %s\n", text.c_str());
  return exit_code;
}

void AddOptions(CLI::App& app, Options& options) {
  app.set_version_flag("--version", "inferon-worker " INFERON_VERSION);
  app.add_option("--scheduler", options.scheduler, "Address of the scheduler")->required();
  app.add_option("--name", options.name, "Worker id, [a-z0-9][a-z0-9-]{0,62}")->required();
  app.add_option("--substrate", options.substrate, "What runs the experiments")
      ->check(CLI::IsMember({"emulator"}));
  app.add_option("--threads", options.threads, "Threads of the emulator; 0: all processors")
      ->check(CLI::Range(0, kMostThreads));
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
}

int Work(const Options& options, std::stop_token stop) {
  using namespace inferon;
  SetUpLogging("worker " + options.name, options.log_level);
  const auto emulator = worker::MakeEmulator({.threads = options.threads});
  const auto link = worker::MakeGrpcLink({.scheduler = options.scheduler,
                                          .worker = options.name,
                                          .session = worker::RandomSession(),
                                          .version = INFERON_VERSION,
                                          .substrate = emulator->Describe()});
  worker::Agent agent({}, *link, *emulator, SystemClock());
  spdlog::info("worker {} works for the scheduler at {}", options.name, options.scheduler);
  const Status ended = agent.Run(stop);
  if (ended) {
    spdlog::info("stopped");
    return 0;
  }
  if (ended.error().code == ErrorCode::kAborted) {
    return Say(fmt::format("another process works as '{}' now. Give each worker a --name of its "
                           "own.",
                           options.name),
               kRefused);
  }
  return Say(ended.error().Text(), kRefused);
}

}  // namespace

int main(int argc, char** argv) {
  const inferon::rpc::StopSignals signals;
  Options options;
  CLI::App app("Runs experiments for a scheduler.", "inferon-worker");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
    if (!inferon::rpc::IsIdentifier(options.name)) {
      return Say(fmt::format("'{}' is not a worker id. Use lower-case letters, digits and hyphens, "
                             "at most 63, not beginning with a hyphen.",
                             options.name),
                 kUsage);
    }
    return Work(options, signals.token());
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return Say(fmt::format("{}. See 'inferon-worker --help'.", error.what()), kUsage);
  } catch (const std::exception& error) {
    return Say(error.what(), kInternal);
  }
}
