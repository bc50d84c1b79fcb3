// Speed of posterior queries, in this process and over gRPC on the loopback against a real
// inferon-trainer; the last line is one JSON object.
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "client/library/trainer_client.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/rpc/convert.h"
#include "server/trainer/queries/mode_search.h"
#include "server/trainer/queries/posterior.h"
#include "server/trainer/registry/registry.h"
#include "server/trainer/torch_estimator_factory.h"
#include "tests/bench/estimators/cpu_time.h"
#include "tests/bench/estimators/open_loop.h"
#include "tests/bench/estimators/query_model.h"
#include "tests/paths.h"

extern char** environ;

namespace inferon::bench {
namespace {

constexpr std::size_t kClients = 32;
constexpr double kSeconds = 4;

// A trainer in a process of its own.
class TrainerProcess {
 public:
  explicit TrainerProcess(const std::filesystem::path& data) {
    const std::filesystem::path file = data / "address";
    const std::string program = std::string(INFERON_BINARY_DIR) + "/bin/inferon-trainer";
    std::vector<std::string> words{program,       "--data",         (data / "trainer").string(),
                                   "--listen",    "127.0.0.1:0",    "--scheduler",
                                   "127.0.0.1:1", "--address-file", file.string(),
                                   "--log-level", "warn",           "--max-queries",
                                   "256"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments.data(), environ) != 0) {
      throw std::runtime_error("cannot start " + program);
    }
    for (int i = 0; i < 600 && !std::filesystem::exists(file); ++i) {
      SystemClock().SleepFor(std::chrono::milliseconds(50), {});
    }
    address_ = ReadFile(file).value_or("");
    if (address_.empty()) throw std::runtime_error("the trainer did not start");
  }
  ~TrainerProcess() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

struct InProcess {
  double draws_per_cpu_s, draws1000_cpu_ms, map_ms;
};

// The model of the folder, with everything that a query does but the transport.
InProcess MeasureInProcess(const std::filesystem::path& data, const QueryObservation& observed) {
  const auto factory = trainer::MakeTorchEstimatorFactory();
  trainer::Registry registry(data / "trainer" / "models", *factory);
  const auto model = registry.Load(kModelId);
  if (!model) throw std::runtime_error(model.error().Text());
  const auto input = trainer::PrepareInput(**model, observed.observation, observed.protocol);
  if (!input) throw std::runtime_error(input.error().Text());
  constexpr std::size_t kMany = 200'000;
  const auto draw = [&](std::size_t count) {
    const double start = CpuSeconds();
    trainer::PosteriorSampler sampler(**model, input->x, 1);
    if (!sampler.Next(count, {})) throw std::runtime_error("no draws");
    return CpuSeconds() - start;
  };
  const auto map = [&] {
    const double start = CpuSeconds();
    if (!trainer::FindMode(**model, input->x, trainer::kModeDraws, 1, {}))
      throw std::runtime_error("no mode");
    return CpuSeconds() - start;
  };
  double thousand = 1e9, best_map = 1e9, many = 1e9;
  for (int i = 0; i < 20; ++i) thousand = std::min(thousand, draw(1000));
  for (int i = 0; i < 5; ++i) best_map = std::min(best_map, map());
  for (int i = 0; i < 3; ++i) many = std::min(many, draw(kMany));
  return {kMany / many, 1e3 * thousand, 1e3 * best_map};
}

class Clients {
 public:
  Clients(const std::string& address, const QueryObservation& observed) {
    for (std::size_t i = 0; i < kClients; ++i) {
      clients_.push_back(client::MakeTrainerClient({.address = address}));
    }
    sample_.set_model(std::string("models/") + kModelId);
    *sample_.mutable_observation() = rpc::ToProto(observed.observation, observed.protocol);
    sample_.set_draws(1000);
    density_.set_model(sample_.model());
    *density_.mutable_observation() = sample_.observation();
    const std::vector<std::uint16_t> codes(7, 500);
    *density_.mutable_codes() = rpc::ToArray<std::uint16_t>("codes", codes, {1, codes.size()});
  }

  bool Sample(std::size_t client) {
    const auto draws = clients_[client]->SamplePosterior(sample_);
    return draws && draws->sets.size() == 1000;
  }
  bool LogDensity(std::size_t client) {
    return clients_[client]->EvaluateLogProb(density_).has_value();
  }

 private:
  std::vector<std::unique_ptr<client::TrainerClient>> clients_;
  v1::SamplePosteriorRequest sample_;
  v1::EvaluateLogProbRequest density_;
};

int Run() {
  const TemporaryFolder folder;
  const QueryObservation observed = EmulateObservation();
  WriteQueryModel(folder.path() / "trainer", *TrainQueryEstimator());
  const InProcess here = MeasureInProcess(folder.path(), observed);
  const TrainerProcess trainer(folder.path());
  Clients clients(trainer.address(), observed);
  const Request sample = [&](std::size_t client) { return clients.Sample(client); };
  const Request density = [&](std::size_t client) { return clients.LogDensity(client); };
  ClosedLoop(2, 0.5, sample);  // Warm-up.
  const Load capacity = ClosedLoop(4, kSeconds, sample);
  const Load half = OpenLoop(kClients, capacity.per_second / 2, kSeconds, sample);
  const Load alone = ClosedLoop(1, 1, sample);
  const Load densities = ClosedLoop(8, kSeconds, density);
  const std::size_t failed = capacity.failed + half.failed + alone.failed + densities.failed;
  fmt::print(
      "{{\"bench\": \"query\", \"draws_per_cpu_s\": {:.0f}, \"draws1000_cpu_ms\": {:.2f}, "
      "\"map_ms\": {:.2f}, \"rpc_draws1000_p50_ms\": {:.2f}, \"rpc_draws1000_p99_ms\": {:.2f}, "
      "\"logprob_per_s\": {:.0f}, \"rpc_draws1000_capacity_per_s\": {:.0f}, "
      "\"rpc_draws1000_idle_p50_ms\": {:.2f}, \"failed\": {}, \"requests\": {}, \"transforms\": 5, "
      "\"hidden\": 50, \"bins\": 10, \"parameters\": 7, \"features\": 12, \"backend\": \"{}\"}}\n",
      here.draws_per_cpu_s, here.draws1000_cpu_ms, here.map_ms, Quantile(half.latency_ms, 0.5),
      Quantile(half.latency_ms, 0.99), densities.per_second, capacity.per_second,
      Quantile(alone.latency_ms, 0.5), failed, half.latency_ms.size(),
      estimators::DescribeBackend());
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace inferon::bench

int main(int, char** argv) {
  inferon::estimators::UseWidestBlas(argv);
  try {
    return inferon::bench::Run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
