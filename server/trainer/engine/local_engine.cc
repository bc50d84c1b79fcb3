#include "server/trainer/engine/local_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>

#include "common/base/files.h"
#include "common/inference/names.h"
#include "server/trainer/engine/calibration_check.h"
#include "server/trainer/engine/data_set_store.h"
#include "server/trainer/engine/model_training.h"
#include "server/trainer/engine/proposal.h"
#include "server/trainer/engine/study_round.h"
#include "server/trainer/engine/theta_posterior.h"
#include "server/trainer/queries/posterior.h"
#include "server/trainer/queries/restricted_posterior.h"

namespace inferon::trainer {
namespace {

constexpr std::uint64_t kExportValues = 1 << 20;  // Of x, in one block.
constexpr std::uint64_t kDrawValues = 1 << 14;    // Of theta, in one block: some ms of work.
constexpr std::size_t kPointBlock = 1024;         // Of a log density query.
constexpr std::uint64_t kDensitySeed = 0;         // Of the candidates behind a restricted density.

Status CheckCount(std::uint64_t count, std::uint64_t most, const char* what) {
  if (count >= 1 && count <= most) return {};
  return InvalidArgument(fmt::format("{} {} are asked for", count, what),
                         fmt::format("Ask for 1 to {}", most));
}

tl::unexpected<Error> Stopped() { return Fail(ErrorCode::kCancelled, "the query was cancelled"); }

// A model and an observation that fits it.
struct Question {
  std::shared_ptr<const LoadedModel> model;
  std::vector<std::string> warnings;
};

// Constant after construction but for what the parts synchronise themselves, and training_.
class LocalEngine : public InferenceEngine {
 public:
  LocalEngine(LocalEngineOptions options, Registry& registry, EstimatorFactory& factory,
              Clock& clock)
      : options_(std::move(options)),
        registry_(registry),
        factory_(factory),
        clock_(clock),
        store_(options_.folder / "datasets") {
    std::filesystem::create_directories(options_.folder / "training");
  }

  Result<DataSetInfo> ImportDataSet(const DataSetSpec& spec, const NextRows& next,
                                    std::stop_token stop) override {
    return store_.Import(spec, next, clock_, stop);
  }

  Result<std::vector<DataSetInfo>> ListDataSets(std::stop_token) override { return store_.List(); }

  Result<DataSetInfo> ExportDataSet(const std::string& id, const TakeRows& take,
                                    std::stop_token stop) override {
    const auto data = store_.Open(id);
    if (!data) return tl::unexpected(data.error());
    const std::uint64_t rows = (*data)->info.rows;
    const std::uint64_t columns = (*data)->x.columns(), d = (*data)->theta.columns();
    const std::uint64_t block = std::max<std::uint64_t>(1, kExportValues / columns);
    for (std::uint64_t at = 0; at < rows; at += block) {
      if (stop.stop_requested()) return Stopped();
      const std::uint64_t n = std::min(block, rows - at);
      const auto theta = (*data)->theta.values().subspan(at * d, n * d);
      const auto x = (*data)->x.values().subspan(at * columns, n * columns);
      if (Status ok = take({{theta.begin(), theta.end()}, {x.begin(), x.end()}}); !ok) {
        return tl::unexpected(ok.error());
      }
    }
    return (*data)->info;
  }

  Result<StudyRoundInfo> ExportStudyRound(const std::string& study, const std::string& round,
                                          const TakeStudyRows& take,
                                          std::stop_token stop) override {
    return ReadStudyRound(options_.folder / "studies", study, round, take, stop);
  }

  Result<ModelInfo> TrainModel(const TrainSpec& spec, const OnEpoch& progress,
                               std::stop_token stop) override {
    if (Status ok = CheckId("model", spec.model); !ok) return tl::unexpected(ok.error());
    auto data = store_.Open(spec.data_set);
    if (!data) return tl::unexpected(data.error());
    std::shared_ptr<const LoadedModel> base;
    if (!spec.base.empty()) {
      auto loaded = registry_.LoadSimulator(spec.base);
      if (!loaded) return tl::unexpected(loaded.error());
      base = std::move(*loaded);
    }
    const auto plan = base ? PlanTuning(spec, **data, base->record) : PlanTraining(spec, **data);
    if (!plan) return tl::unexpected(plan.error());
    if (auto existing = registry_.Get(spec.model)) {
      if (IsMadeBy(*existing, *plan)) return InfoOf(*existing);
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("there is a model {} of other data or settings", spec.model),
                  "Choose another id");
    } else if (existing.error().code != ErrorCode::kNotFound) {
      return tl::unexpected(existing.error());
    }
    const auto place = Enter(spec.model);
    if (!place) return tl::unexpected(place.error());
    TrainingRun run{*plan,
                    **data,
                    options_.folder / "training" / spec.model,
                    base.get(),
                    options_.training_threads,
                    options_.members_at_once,
                    progress,
                    stop};
    auto trained = TrainSimulatorModel(run, factory_, clock_);
    if (!trained) return tl::unexpected(trained.error());
    registry_.Add(std::move(trained->record), *trained->estimator, {});
    RemoveCheckpoints(run.checkpoint);
    return GetModel(spec.model, stop);
  }

  Result<ModelInfo> GetModel(const std::string& id, std::stop_token) override {
    if (Status ok = CheckId("model", id); !ok) return tl::unexpected(ok.error());
    const auto record = registry_.Get(id);
    if (!record) return tl::unexpected(record.error());
    if (!record->simulator) {
      return Fail(ErrorCode::kFailedPrecondition, fmt::format("model {} is of a study", id),
                  "Give a recording, or the id of a model that 'model train' made");
    }
    return InfoOf(*record);
  }

  Result<std::vector<ModelInfo>> ListModels(std::stop_token) override {
    std::vector<ModelInfo> all;
    for (const ModelRecord& record : registry_.List()) {
      if (record.simulator) all.push_back(InfoOf(record));
    }
    return all;
  }

  Status Sample(const PosteriorQuery& query, std::uint64_t draws, std::uint64_t seed,
                const TakeDraws& take, std::stop_token stop) override {
    if (Status ok = CheckCount(draws, kMostDraws, "draws"); !ok) return ok;
    auto question = Ask(query);
    if (!question) return tl::unexpected(question.error());
    if (!query.restriction.empty()) {
      return SampleRestricted(*question, query, draws, seed, take, stop);
    }
    const LoadedModel& model = *question->model;
    const std::uint64_t most = std::max<std::uint64_t>(1, kDrawValues / model.dimension());
    PosteriorDraw block;
    block.warnings = std::move(question->warnings);
    for (std::uint64_t done = 0; done < draws; done += block.size()) {
      if (stop.stop_requested()) return Stopped();
      if (done > 0) block.warnings.clear();
      const auto draw = [&] {
        const ComputeTurn turn(model.queue.get());
        return DrawTheta(*model.estimator, *model.space, query.x, std::min(most, draws - done),
                         seed, done);
      };
      ThetaDraws drawn = draw();
      block.theta = std::move(drawn.theta);
      block.log_density = std::move(drawn.log_density);
      block.columns = model.dimension();
      if (Status ok = take(block); !ok) return ok;
    }
    return {};
  }

  Result<PosteriorLogDensity> LogDensity(const PosteriorQuery& query, std::span<const double> theta,
                                         std::stop_token stop) override {
    auto question = Ask(query);
    if (!question) return tl::unexpected(question.error());
    if (!query.restriction.empty()) return RestrictedDensity(*question, query, theta, stop);
    const LoadedModel& model = *question->model;
    const std::size_t d = model.dimension();
    if (theta.size() % d != 0) {
      return InvalidArgument(
          fmt::format("{} values are not rows of {} parameters", theta.size(), d),
          "Give one value for each parameter, in the model's order");
    }
    if (Status ok = CheckCount(theta.size() / d, kMostPoints, "parameter sets"); !ok) {
      return tl::unexpected(ok.error());
    }
    PosteriorLogDensity answer{{}, std::move(question->warnings)};
    for (std::size_t at = 0; at < theta.size(); at += kPointBlock * d) {
      if (stop.stop_requested()) return Stopped();
      const auto part = theta.subspan(at, std::min(kPointBlock * d, theta.size() - at));
      const auto values = LogDensityOfTheta(*model.estimator, *model.space, query.x, part);
      answer.log_density.insert(answer.log_density.end(), values.begin(), values.end());
    }
    return answer;
  }

  Result<PosteriorMap> Map(const PosteriorQuery& query, std::uint64_t draws, std::uint64_t seed,
                           std::stop_token stop) override {
    if (Status ok = CheckCount(draws, kMostMapDraws, "draws"); !ok) {
      return tl::unexpected(ok.error());
    }
    auto question = Ask(query);
    if (!question) return tl::unexpected(question.error());
    if (!query.restriction.empty()) return RestrictedMap(*question, query, draws, seed, stop);
    auto map = SearchMode(PosteriorOf(*question->model, query.x), draws, seed, stop);
    if (!map) return tl::unexpected(map.error());
    return PosteriorMap{std::move(map->theta), map->log_density, std::move(question->warnings)};
  }

  Result<ProposalReport> Propose(const ProposalSpec& spec, const TakeTheta& take,
                                 std::stop_token stop) override {
    auto question = Ask({spec.model, spec.x});
    if (!question) return tl::unexpected(question.error());
    auto report =
        ProposeTheta(*question->model->estimator, *question->model->space, spec, take, stop);
    if (report) report->warnings = std::move(question->warnings);
    return report;
  }

  Result<CalibrationReport> Check(const CalibrationSpec& spec, std::stop_token stop) override {
    const auto model = registry_.LoadSimulator(spec.model);
    if (!model) return tl::unexpected(model.error());
    const std::string id =
        spec.data_set.empty() ? (*model)->record.simulator->data_set : spec.data_set;
    const auto data = store_.Open(id);
    if (!data) return tl::unexpected(data.error());
    // Without the model's own data set the pairs themselves must do.
    const auto own = store_.Open((*model)->record.simulator->data_set);
    return CheckCalibration(**model, **data, own ? **own : **data, spec, stop);
  }

 private:
  using Restricted = Result<std::unique_ptr<RestrictedPosterior>>;
  static Restricted Restrict(const Question& question, const PosteriorQuery& query,
                             std::uint64_t seed, std::stop_token stop) {
    return RestrictedPosterior::Make(PosteriorOf(*question.model, query.x), query.restriction, seed,
                                     std::move(stop));
  }
  static std::vector<std::string> WarningsOf(const Question& question,
                                             const RestrictedPosterior& posterior) {
    std::vector<std::string> all = question.warnings;
    all.insert(all.end(), posterior.warnings().begin(), posterior.warnings().end());
    return all;
  }

  static Status SampleRestricted(const Question& question, const PosteriorQuery& query,
                                 std::uint64_t draws, std::uint64_t seed, const TakeDraws& take,
                                 std::stop_token stop) {
    const auto posterior = Restrict(question, query, seed, stop);
    if (!posterior) return tl::unexpected(posterior.error());
    const std::uint64_t most =
        std::max<std::uint64_t>(1, kDrawValues / question.model->dimension());
    PosteriorDraw block;
    block.columns = (*posterior)->columns();
    block.warnings = WarningsOf(question, **posterior);
    for (std::uint64_t done = 0; done < draws; done += block.size()) {
      if (done > 0) block.warnings.clear();
      auto drawn = (*posterior)->Next(std::min(most, draws - done), stop);
      if (!drawn) return tl::unexpected(drawn.error());
      block.theta = std::move(drawn->theta);
      block.log_density = std::move(drawn->log_density);
      block.restriction.reset();
      if (done == 0 || done + block.size() == draws) block.restriction = (*posterior)->Report();
      if (Status ok = take(block); !ok) return ok;
    }
    return {};
  }

  static Result<PosteriorLogDensity> RestrictedDensity(const Question& question,
                                                       const PosteriorQuery& query,
                                                       std::span<const double> theta,
                                                       std::stop_token stop) {
    if (Status ok = CheckCount(theta.size(), kMostPoints * question.model->dimension(), "values");
        !ok) {
      return tl::unexpected(ok.error());
    }
    const auto posterior = Restrict(question, query, kDensitySeed, stop);
    if (!posterior) return tl::unexpected(posterior.error());
    if (theta.size() % (*posterior)->columns() != 0) {
      return InvalidArgument(fmt::format("{} values are not rows of the {} parameters that the "
                                         "query is about",
                                         theta.size(), (*posterior)->columns()),
                             "Give one value for each of them");
    }
    auto densities = (*posterior)->LogDensity(theta, stop);
    if (!densities) return tl::unexpected(densities.error());
    return PosteriorLogDensity{std::move(densities->log_density), WarningsOf(question, **posterior),
                               std::move(densities->standard_error), (*posterior)->Report()};
  }

  static Result<PosteriorMap> RestrictedMap(const Question& question, const PosteriorQuery& query,
                                            std::uint64_t draws, std::uint64_t seed,
                                            std::stop_token stop) {
    const auto posterior = Restrict(question, query, seed, stop);
    if (!posterior) return tl::unexpected(posterior.error());
    auto map = (*posterior)->Mode(draws, stop);
    if (!map) return tl::unexpected(map.error());
    return PosteriorMap{std::move(map->theta), map->log_density, WarningsOf(question, **posterior),
                        (*posterior)->Report()};
  }

  // Its model is in training for the life of the object.
  class Place {
   public:
    Place(LocalEngine& engine, std::string id) : engine_(&engine), id_(std::move(id)) {}
    Place(Place&& other) noexcept : engine_(other.engine_), id_(std::move(other.id_)) {
      other.engine_ = nullptr;
    }
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (engine_ == nullptr) return;
      const std::lock_guard lock(engine_->mu_);
      engine_->training_.erase(id_);
    }

   private:
    LocalEngine* engine_;
    const std::string id_;
  };

  Result<Place> Enter(const std::string& id) {
    const std::lock_guard lock(mu_);
    if (training_.contains(id)) {
      return Fail(ErrorCode::kFailedPrecondition, fmt::format("model {} is in training", id),
                  "Wait until it has ended");
    }
    if (static_cast<int>(training_.size()) >= options_.most_trainings) {
      return tl::unexpected(
          Error{ErrorCode::kResourceExhausted,
                fmt::format("{} trainings are under way, the limit", options_.most_trainings),
                "Try again when one has ended", std::chrono::seconds(10)});
    }
    training_.insert(id);
    return Place(*this, id);
  }

  Result<Question> Ask(const PosteriorQuery& query) {
    auto model = registry_.LoadSimulator(query.model);
    if (!model) return tl::unexpected(model.error());
    const SimulatorRecord& simulator = *(*model)->record.simulator;
    if (query.x.size() != simulator.columns) {
      return InvalidArgument(fmt::format("the observation has {} values, model {} wants {}",
                                         query.x.size(), (*model)->record.id, simulator.columns),
                             "Give an observation as the simulator makes them");
    }
    for (std::size_t c = 0; c < query.x.size(); ++c) {
      const bool missing = std::isnan(query.x[c]) && !simulator.traces;
      if (std::isfinite(query.x[c]) || missing) continue;
      return InvalidArgument(fmt::format("value {} of the observation is {}", c + 1, query.x[c]),
                             simulator.traces ? "A trace needs a finite number at every point"
                                              : "Give finite numbers, or nan for a missing value");
    }
    Question question{std::move(*model), {}};
    WarnOfOutlier(*question.model, query.x, question.warnings);
    WarnOfEstimator(*question.model, question.warnings);
    return question;
  }

  const LocalEngineOptions options_;
  Registry& registry_;
  EstimatorFactory& factory_;
  Clock& clock_;
  DataSetStore store_;
  std::mutex mu_;
  std::set<std::string> training_;  // Guarded by mu_: models under way.
};

}  // namespace

std::unique_ptr<InferenceEngine> MakeLocalEngine(LocalEngineOptions options, Registry& registry,
                                                 EstimatorFactory& factory, Clock& clock) {
  return std::make_unique<LocalEngine>(std::move(options), registry, factory, clock);
}

ModelInfo InfoOf(const ModelRecord& record) {
  const SimulatorRecord& s = *record.simulator;
  return {record.id,
          s.data_set,
          record.dataset_sha256,
          s.prior,
          s.columns,
          s.traces,
          record.settings,
          record.training_count,
          record.epochs,
          record.heldout_log_density,
          record.seed,
          record.weight_count,
          record.create_time,
          BaseOf(record.settings)};
}

}  // namespace inferon::trainer
