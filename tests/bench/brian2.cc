#include "tests/bench/brian2.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/paths.h"
#include "worker/emulator/instance.h"
#include "worker/emulator/lane.h"

namespace inferon::bench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

void WriteNeurons(const fs::path& path, const worker::RunRequest& request) {
  std::ofstream file(path);
  file << "g_l,v_l,v_t,delta_t,v_r,v_th,a,b,tau_w,g_e,i_stim,i_noise\n";
  const worker::DeviceModel device(request.profile, request.device, request.seed);
  const bool textbook = request.profile.exponential == ExponentialForm::kTextbook;
  const std::size_t neurons = std::min<std::size_t>(kBrian2Neurons, request.sets.size());
  worker::LaneCoefficients lanes{};
  for (std::size_t i = 0; i < neurons; ++i) {
    const worker::NeuronInstance n = device.Write(request.sets[i], i, 0);
    worker::FillLane(request.profile, n, {i, 0}, request.seed, 0, lanes);
    const double noise_na = lanes.noise_amplitude.lane[0] * worker::kTwoByteDeviation;
    file << fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", n.g_l_us, n.v_l_mv, n.v_t_mv,
                        n.delta_t_mv, n.v_r_mv, n.v_th_mv, n.a_us, n.b_na, n.tau_w_us,
                        textbook ? n.g_l_us : request.profile.exponential_g_ns * 1e-3,
                        n.stimulus_na, noise_na);
  }
}

// The protocol as consecutive pieces of constant current.
json Segments(const Protocol& protocol) {
  json segments = json::array();
  double now = 0;
  for (const CurrentStep& step : protocol.steps) {
    if (step.start_us > now) segments.push_back({step.start_us - now, 0.0});
    segments.push_back({step.stop_us - step.start_us, step.scale});
    now = step.stop_us;
  }
  if (protocol.duration_us > now) segments.push_back({protocol.duration_us - now, 0.0});
  return segments;
}

void WriteSettings(const fs::path& path, const worker::RunRequest& request, bool record) {
  const Profile& profile = request.profile;
  const json settings = {{"step_us", profile.step_us},
                         {"settle_us", profile.settle_us},
                         {"segments", Segments(request.protocol)},
                         {"grid_us", request.protocol.grid_step_us},
                         {"record", record},
                         {"noise", profile.membrane_noise_mv > 0},
                         {"c_pf", profile.capacitance_pf},
                         {"refractory_us", profile.refractory_us},
                         {"limit_na", profile.exponential_limit_na},
                         {"max_exponent", profile.max_exponent},
                         {"gain", profile.madc_gain},
                         {"offset", profile.madc_offset},
                         {"min", profile.madc_min},
                         {"max", profile.madc_max},
                         {"readout_counts", profile.readout_noise_counts}};
  std::ofstream(path) << settings.dump(2);
}

struct Output {
  int status = 0;
  std::string last_line;
};

Output RunCommand(const std::string& command) {
  Output output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, ""};
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr) {
    output.last_line = line.data();
  }
  output.status = pclose(pipe);
  return output;
}

Brian2Result Parse(const Output& output, const fs::path& log) {
  const json result = json::parse(output.last_line, nullptr, false);
  if (output.status == 0 && result.is_object()) {
    return {.traces_per_core_s = result.at("traces_per_core_s").get<double>(),
            .spikes_per_trace = result.at("spikes_per_trace").get<double>(),
            .mean_counts = result.value("mean_counts", 0.0)};
  }
  std::ifstream file(log);
  std::string last = "it wrote nothing";
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return {.error = "brian2_adex.py failed: " + last};
}

}  // namespace

Brian2Result RunBrian2(const worker::RunRequest& request, bool record) {
  const char* chosen = std::getenv("INFERON_PYTHON");
  const std::string python = chosen != nullptr ? chosen : "/usr/bin/python3";
  if (RunCommand(python + " -c 'import brian2' 2>/dev/null").status != 0) {
    return {.error = python + " has no Brian2 (Debian: python3-brian)"};
  }
  const fs::path folder =
      fs::temp_directory_path() / fmt::format("inferon-brian2-{}", static_cast<int>(getpid()));
  fs::create_directories(folder);
  WriteNeurons(folder / "neurons.csv", request);
  WriteSettings(folder / "settings.json", request, record);
  const fs::path log = folder / "log";
  const Output output =
      RunCommand(fmt::format("'{}' '{}/tests/bench/brian2_adex.py' '{}' 2>'{}'", python,
                             INFERON_SOURCE_DIR, folder.string(), log.string()));
  const Brian2Result result = Parse(output, log);
  fs::remove_all(folder);
  return result;
}

}  // namespace inferon::bench
