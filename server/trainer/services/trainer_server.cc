#include "server/trainer/services/trainer_server.h"

#include <grpcpp/server.h>
#include <spdlog/spdlog.h>

#include <map>
#include <set>
#include <thread>

#include "common/base/files.h"
#include "common/metrics/metrics_server.h"
#include "common/rpc/scheduler_client.h"
#include "common/rpc/server.h"
#include "server/trainer/engine/local_engine.h"
#include "server/trainer/services/model_service.h"
#include "server/trainer/services/ownership.h"
#include "server/trainer/services/posterior_service.h"
#include "server/trainer/services/scheduler_experiments.h"
#include "server/trainer/services/simulator_service.h"
#include "server/trainer/services/study_service.h"

namespace inferon::trainer {
namespace {

// Time that calls under way get after a stop; they are told to end at once.
constexpr std::chrono::seconds kShutdownTime{3};

// Members are in the order in which they depend on each other; they go in the reverse order.
class GrpcTrainerServer : public TrainerServer {
 public:
  GrpcTrainerServer(const TrainerOptions& options, EstimatorFactory& factory, Clock& clock,
                    FileLock lock, std::unique_ptr<TokenStore> tokens)
      : lock_(std::move(lock)),
        study_client_(rpc::MakeSchedulerClient({.address = options.scheduler,
                                                .retry = rpc::RetryUntilStopped(),
                                                .clock = &clock,
                                                .security = options.security})),
        query_client_(rpc::MakeSchedulerClient(
            {.address = options.scheduler, .clock = &clock, .security = options.security})),
        study_experiments_(MakeSchedulerExperiments(*study_client_)),
        query_experiments_(MakeSchedulerExperiments(*query_client_)),
        registry_(options.folder / "models", factory, options.models_in_memory),
        studies_(options.folder / "studies", *study_experiments_, factory, registry_, clock,
                 options.manager),
        engine_(MakeLocalEngine({options.folder, options.manager.pipeline.training_threads,
                                 options.manager.pipeline.members_at_once, options.most_trainings},
                                registry_, factory, clock)),
        guard_(std::move(tokens), options.guard, clock,
               [this](const std::string& name) {
                 return ProjectOf(name, studies_, registry_, *engine_);
               }),
        study_service_(studies_, guard_, clock, stop_.get_token()),
        model_service_(registry_, guard_, clock),
        posterior_service_(registry_, *query_experiments_, guard_, stop_.get_token(),
                           options.most_queries),
        simulator_service_(*engine_, guard_, stop_.get_token(), options.most_queries),
        models_in_memory_(options.models_in_memory) {}

  ~GrpcTrainerServer() override {
    stop_.request_stop();
    studies_.RequestStop();
    if (server_.server) {
      server_.server->Shutdown(SystemClock().WallNow() + kShutdownTime);
    }
  }

  Status Start(const TrainerOptions& options) {
    auto server = rpc::StartServer(
        {.address = options.address, .tls = options.tls, .tokens = !options.guard.tokens.empty()},
        {&study_service_, &model_service_, &posterior_service_, &simulator_service_});
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    warm_up_ = std::jthread([this](std::stop_token stop) { WarmUp(stop); });
    if (options.metrics.empty()) return {};
    auto metrics =
        StartMetricsServer(options.metrics, [this](MetricSink& sink) { CollectMetrics(sink); });
    if (!metrics) return tl::unexpected(metrics.error());
    metrics_ = std::move(*metrics);
    return {};
  }

  const std::string& address() const override { return server_.address; }
  std::string metrics_address() const override { return metrics_ ? metrics_->address() : ""; }

 private:
  // Loads what aliases point to, so that the first queries do not wait for it.
  void WarmUp(std::stop_token stop) {
    const auto aliases = registry_.ListAliases();
    if (!aliases) return;  // Logged by the registry.
    std::set<std::string> models;
    for (const auto& [name, alias] : *aliases) models.insert(alias.model);
    std::size_t room = models_in_memory_;
    for (const std::string& model : models) {
      if (stop.stop_requested() || room-- == 0) return;
      const auto loaded = registry_.WarmUp(model);
      if (!loaded) spdlog::error("model {} is not loaded: {}", model, loaded.error().Text());
    }
  }

  void CollectMetrics(MetricSink& sink) const {
    guard_.statistics().Collect(sink);
    std::map<StudyState, double> studies;
    for (const StudyRecord& study : studies_.List()) ++studies[study.state];
    for (const auto& [state, name] : {std::pair(StudyState::kRunning, "running"),
                                      {StudyState::kSucceeded, "succeeded"},
                                      {StudyState::kFailed, "failed"},
                                      {StudyState::kCancelled, "cancelled"}}) {
      sink.Gauge("inferon_studies", "Studies by state", {{"state", name}}, studies[state]);
    }
    sink.Gauge("inferon_models", "Models in the registry", {},
               static_cast<double>(registry_.List().size()));
  }

  const FileLock lock_;
  std::stop_source stop_;
  const std::unique_ptr<rpc::SchedulerClient> study_client_;
  const std::unique_ptr<rpc::SchedulerClient> query_client_;
  const std::unique_ptr<Experiments> study_experiments_;
  const std::unique_ptr<Experiments> query_experiments_;
  Registry registry_;
  StudyManager studies_;
  const std::unique_ptr<InferenceEngine> engine_;
  const rpc::CallGuard guard_;
  StudyService study_service_;
  ModelService model_service_;
  PosteriorService posterior_service_;
  SimulatorService simulator_service_;
  const std::size_t models_in_memory_;
  rpc::Server server_;
  std::jthread warm_up_;                    // Last: joins before what it uses goes.
  std::unique_ptr<MetricsServer> metrics_;  // Last: it asks all of the above.
};

}  // namespace

Result<std::unique_ptr<TrainerServer>> StartTrainer(const TrainerOptions& options,
                                                    EstimatorFactory& factory, Clock& clock) {
  auto tokens = rpc::OpenTokens(options.guard, clock);
  if (!tokens) return tl::unexpected(tokens.error());
  std::filesystem::create_directories(options.folder);
  auto lock = FileLock::Acquire(options.folder / "lock");
  if (!lock) return tl::unexpected(lock.error());
  auto trainer = std::make_unique<GrpcTrainerServer>(options, factory, clock, std::move(*lock),
                                                     std::move(*tokens));
  if (Status started = trainer->Start(options); !started) {
    return tl::unexpected(started.error());
  }
  return trainer;
}

}  // namespace inferon::trainer
