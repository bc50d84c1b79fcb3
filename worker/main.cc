// inferon-worker: runs experiments for a scheduler.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/convert.h"
#include "common/rpc/security_options.h"
#include "common/rpc/stop_signals.h"
#include "worker/agent/agent.h"
#include "worker/agent/grpc_link.h"
#include "worker/brainscales2/brainscales2.h"
#include "worker/brainscales2/child_process.h"
#include "worker/brainscales2/doctor.h"
#include "worker/emulator/emulator.h"

namespace {

using namespace inferon;

constexpr int kInternal = 1;
constexpr int kUsage = 2;
constexpr int kRefused = 4;
constexpr int kMostThreads = 1024;
constexpr char kChip[] = "brainscales2";

struct Options {
  std::string scheduler;
  std::string name;
  std::string substrate = "emulator";
  std::string device_config = "device.toml";
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
  int threads = 0;
  rpc::ClientSecurity security;
  bool doctor = false;
  bool touch_chip = false;
  bool calibrate = false;
  bool exclusive = false;
  bool json = false;
};

int Say(const std::string& text, int exit_code) {
  std::fprintf(stderr, "inferon-worker: %s\n", text.c_str());
  return exit_code;
}

void AddOptions(CLI::App& app, Options& options) {
  app.set_version_flag("--version", "inferon-worker " INFERON_VERSION);
  app.add_option("--scheduler", options.scheduler, "Address of the scheduler");
  app.add_option("--name", options.name, "Worker id, [a-z0-9][a-z0-9-]{0,62}");
  app.add_option("--substrate", options.substrate, "What runs the experiments")
      ->check(CLI::IsMember({"emulator", kChip}));
  app.add_option("--threads", options.threads, "Threads of the emulator; 0: all processors")
      ->check(CLI::Range(0, kMostThreads));
  app.add_option("--device-config", options.device_config, "Configuration of the chip's worker");
  rpc::AddClientSecurityOptions(app, options.security);
  rpc::AddLogFormat(app, options.log_format);
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  const char* group = "Instead of working (inferon worker doctor, inferon worker calibrate)";
  app.add_flag("--doctor", options.doctor, "Say what is missing on this host")->group(group);
  app.add_flag("--touch-chip", options.touch_chip, "With --doctor: also connect and run the canary")
      ->group(group);
  app.add_flag("--calibrate", options.calibrate, "Make a new calibration and canary reference")
      ->group(group);
  app.add_flag("--exclusive", options.exclusive, "With --calibrate: the chip is yours alone")
      ->group(group);
  app.add_flag("--json", options.json, "One JSON object instead of lines")->group(group);
}

Result<std::unique_ptr<worker::Substrate>> MakeSubstrate(const Options& options) {
  if (options.substrate != kChip) return worker::MakeEmulator({.threads = options.threads});
  const auto config = worker::LoadDeviceConfig(options.device_config);
  if (!config) return tl::unexpected(config.error());
  return worker::OpenBrainscales2(*config, worker::CurrentEnvironment(), SystemClock());
}

int Work(const Options& options, std::stop_token stop) {
  SetUpLogging("worker " + options.name, options.log_level, options.log_format);
  const auto substrate = MakeSubstrate(options);
  if (!substrate) return Say(substrate.error().Text(), kRefused);
  const worker::SubstrateDescription description = (*substrate)->Describe();
  const auto link = worker::MakeGrpcLink({.scheduler = options.scheduler,
                                          .worker = options.name,
                                          .session = worker::RandomSession(),
                                          .version = INFERON_VERSION,
                                          .substrate = description,
                                          .security = options.security});
  worker::Agent agent({}, *link, **substrate, SystemClock());
  spdlog::info("worker {} works for the scheduler at {} on {} in mode {}", options.name,
               options.scheduler, description.substrate, description.mode);
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

int Doctor(const Options& options) {
  SetUpLogging("doctor", "error");
  nlohmann::json list = nlohmann::json::array();
  const auto show = [&](const worker::Check& check) {
    constexpr const char* kNames[] = {"ok", "missing", "skipped"};
    const char* state = kNames[static_cast<int>(check.state)];
    list.push_back({{"check", check.name},
                    {"state", state},
                    {"detail", check.detail},
                    {"advice", check.advice}});
    if (options.json) return;
    fmt::print("{:<8} {:<14} {}\n", state, check.name, check.detail);
    if (!check.advice.empty()) fmt::print("{:<8} {:<14} -> {}\n", "", "", check.advice);
    std::fflush(stdout);
  };
  const bool healthy = worker::Diagnose({.config = options.device_config,
                                         .environment = worker::CurrentEnvironment(),
                                         .touch_chip = options.touch_chip},
                                        SystemClock(), show);
  if (options.json)
    fmt::print("{}\n", nlohmann::json{{"healthy", healthy}, {"checks", list}}.dump());
  return healthy ? 0 : kRefused;
}

int Calibrate(const Options& options, std::stop_token stop) {
  SetUpLogging("calibrate", options.log_level);
  if (!options.exclusive) {
    return Say(
        "a calibration needs the chip to itself. Stop its worker and quiggeldy, then say "
        "so with --exclusive.",
        kUsage);
  }
  const auto config = worker::LoadDeviceConfig(options.device_config);
  if (!config) return Say(config.error().Text(), kUsage);
  const auto id = worker::Recalibrate(*config, worker::CurrentEnvironment(), SystemClock(), stop);
  if (!id) return Say(id.error().Text(), kRefused);
  fmt::print("{}\n",
             options.json ? nlohmann::json{{"calibration_id", *id}}.dump() : "calibration " + *id);
  return 0;
}

int Run(const Options& options, std::stop_token stop) {
  if (options.doctor) return Doctor(options);
  if (options.calibrate) return Calibrate(options, stop);
  if (options.scheduler.empty() || options.name.empty()) {
    return Say(fmt::format("{} is required. See 'inferon-worker --help'.",
                           options.scheduler.empty() ? "--scheduler" : "--name"),
               kUsage);
  }
  if (!rpc::IsIdentifier(options.name)) {
    return Say(fmt::format("'{}' is not a worker id. Use lower-case letters, digits and hyphens, "
                           "at most 63, not beginning with a hyphen.",
                           options.name),
               kUsage);
  }
  const Status secure =
      rpc::CheckClientSecurity(options.security, options.scheduler, SystemClock().WallNow());
  if (!secure) return Say(secure.error().Text(), kUsage);
  return Work(options, stop);
}

}  // namespace

int main(int argc, char** argv) {
  const inferon::rpc::StopSignals signals;
  Options options;
  CLI::App app("Runs experiments for a scheduler.", "inferon-worker");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
    return Run(options, signals.token());
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return Say(fmt::format("{}. See 'inferon-worker --help'.", error.what()), kUsage);
  } catch (const std::exception& error) {
    return Say(error.what(), kInternal);
  }
}
