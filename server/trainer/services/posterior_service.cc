#include "server/trainer/services/posterior_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <span>

#include "common/rpc/convert.h"
#include "common/rpc/restriction_convert.h"
#include "common/rpc/status.h"
#include "server/trainer/queries/mode_search.h"
#include "server/trainer/services/convert.h"
#include "server/trainer/services/serve.h"
#include "server/trainer/studies/rounds.h"

namespace inferon::trainer {
namespace {

constexpr std::uint64_t kBlock = 16'384;  // Draws in one message.
constexpr std::uint64_t kMostDraws = 10'000'000;
constexpr std::uint64_t kMostMapDraws = 1'000'000;
constexpr std::uint64_t kMostPoints = 1'000'000;  // Of a log density query.
constexpr std::uint64_t kMostPredictions = 100'000;
constexpr std::size_t kMostRequestId = 90;
constexpr std::uint64_t kDensitySeed = 0;  // Of the candidates behind a restricted density.

Result<std::uint64_t> CheckDraws(std::uint64_t draws, std::uint64_t standard, std::uint64_t most) {
  const std::uint64_t wanted = draws == 0 ? standard : draws;
  if (wanted <= most) return wanted;
  return InvalidArgument(fmt::format("{} draws are more than {}", wanted, most),
                         "Ask for fewer, several times with another seed");
}

template <typename Response>
void AddWarnings(const ModelInput& input, Response& response) {
  for (const std::string& warning : input.warnings) response.add_warnings(warning);
}

v1::Array CodesArray(std::span<const std::uint16_t> codes, std::size_t dimension) {
  return rpc::ToArray<std::uint16_t>("codes", codes, {codes.size() / dimension, dimension});
}

bool IsRequestId(const std::string& id) {
  return id.size() <= kMostRequestId && std::ranges::all_of(id, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

std::string RandomId() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
}

}  // namespace

PosteriorService::PosteriorService(Registry& registry, Experiments& experiments,
                                   const rpc::CallGuard& guard, std::stop_token stop,
                                   int most_queries)
    : registry_(registry),
      experiments_(experiments),
      stop_(std::move(stop)),
      guard_(guard),
      queries_("posterior queries", most_queries) {}

Result<PosteriorService::Question> PosteriorService::Ask(const std::string& model,
                                                         const v1::Observation& observation) {
  std::string id;
  if (!model.empty()) {
    auto parsed = rpc::ParseName(model, "models");
    if (!parsed) return tl::unexpected(parsed.error());
    id = std::move(*parsed);
  }
  const auto observed = rpc::FromProto(observation);
  if (!observed) return tl::unexpected(observed.error());
  auto loaded = registry_.Load(id);
  if (!loaded) return tl::unexpected(loaded.error());
  auto input = PrepareInput(**loaded, observed->observation, observed->protocol);
  if (!input) return tl::unexpected(input.error());
  // The twelve features tell a recording from emulated traces better than the summaries do: where
  // the study also made a model on features, it judges the observation too.
  const std::string sibling = (*loaded)->record.study + "-features";
  if ((*loaded)->record.input == "summary" && registry_.Exists(sibling)) {
    const auto judge = registry_.Load(sibling);
    if (judge) WarnOfOutlier(**judge, input->features, input->warnings);
  }
  return Question{std::move(*loaded), std::move(*input)};
}

grpc::Status PosteriorService::SamplePosterior(
    grpc::ServerContext* context, const v1::SamplePosteriorRequest* request,
    grpc::ServerWriter<v1::SamplePosteriorResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_,
               [&](std::stop_token stop) { return Sample(*request, stop, *writer); });
}

Status PosteriorService::Sample(const v1::SamplePosteriorRequest& request, std::stop_token stop,
                                grpc::ServerWriter<v1::SamplePosteriorResponse>& writer) {
  const auto draws = CheckDraws(request.draws(), 1000, kMostDraws);
  if (!draws) return tl::unexpected(draws.error());
  const auto question = Ask(request.model(), request.observation());
  if (!question) return tl::unexpected(question.error());
  if (request.has_restriction()) return SampleRestricted(request, *question, *draws, stop, writer);
  const LoadedModel& model = *question->model;
  PosteriorSampler sampler(model, question->input.x, request.seed());
  for (std::uint64_t done = 0; done < *draws;) {
    const auto block = sampler.Next(std::min(kBlock, *draws - done), stop);
    if (!block) return tl::unexpected(block.error());
    v1::SamplePosteriorResponse response;
    *response.mutable_codes() = CodesArray(block->codes, model.dimension());
    *response.mutable_log_density() =
        rpc::ToArray<double>("log_density", block->log_density, {block->size()});
    response.set_support(v1::DENSITY_SUPPORT_BOX);
    if (done == 0) {
      AddWarnings(question->input, response);
      *response.mutable_model() = ToProto(model.record);
    }
    done += block->size();
    if (done == *draws) response.set_acceptance(sampler.acceptance());
    if (!writer.Write(response)) return Fail(ErrorCode::kCancelled, "the client has gone");
  }
  return {};
}

Result<std::unique_ptr<RestrictedPosterior>> PosteriorService::Restrict(
    const Question& question, const v1::Restriction& restriction, std::uint64_t seed,
    std::stop_token stop) {
  return RestrictedPosterior::Make(PosteriorOf(*question.model, question.input.x),
                                   rpc::FromProto(restriction), seed, std::move(stop));
}

Status PosteriorService::SampleRestricted(const v1::SamplePosteriorRequest& request,
                                          const Question& question, std::uint64_t draws,
                                          std::stop_token stop,
                                          grpc::ServerWriter<v1::SamplePosteriorResponse>& writer) {
  const auto posterior = Restrict(question, request.restriction(), request.seed(), stop);
  if (!posterior) return tl::unexpected(posterior.error());
  for (std::uint64_t done = 0; done < draws;) {
    const std::uint64_t count = std::min(kBlock, draws - done);
    const auto block = (*posterior)->Next(count, stop);
    if (!block) return tl::unexpected(block.error());
    v1::SamplePosteriorResponse response;
    const std::vector<std::uint16_t> codes(block->theta.begin(), block->theta.end());
    *response.mutable_codes() = CodesArray(codes, (*posterior)->columns());
    *response.mutable_log_density() =
        rpc::ToArray<double>("log_density", block->log_density, {block->log_density.size()});
    response.set_support(v1::DENSITY_SUPPORT_CONSTRAINED);
    const bool first = done == 0;
    done += count;
    if (first) {
      AddWarnings(question.input, response);
      for (const std::string& text : (*posterior)->warnings()) response.add_warnings(text);
      *response.mutable_model() = ToProto(question.model->record);
    }
    if (first || done == draws) {
      const RestrictionReport report = (*posterior)->Report();
      *response.mutable_restriction() = rpc::ToProto(report);
      response.set_acceptance(report.acceptance);
    }
    if (!writer.Write(response)) return Fail(ErrorCode::kCancelled, "the client has gone");
  }
  return {};
}

grpc::Status PosteriorService::EstimateMap(grpc::ServerContext* context,
                                           const v1::EstimateMapRequest* request,
                                           v1::EstimateMapResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_,
               [&](std::stop_token stop) { return Map(*request, stop, *response); });
}

Status PosteriorService::Map(const v1::EstimateMapRequest& request, std::stop_token stop,
                             v1::EstimateMapResponse& response) {
  const auto draws = CheckDraws(request.draws(), kModeDraws, kMostMapDraws);
  if (!draws) return tl::unexpected(draws.error());
  const auto question = Ask(request.model(), request.observation());
  if (!question) return tl::unexpected(question.error());
  if (request.has_restriction()) return RestrictedMap(request, *question, *draws, stop, response);
  const LoadedModel& model = *question->model;
  const auto map = FindMode(model, question->input.x, *draws, request.seed(), stop);
  if (!map) return tl::unexpected(map.error());
  response.mutable_codes()->Assign(map->codes.begin(), map->codes.end());
  response.set_log_density(map->log_density);
  response.set_support(v1::DENSITY_SUPPORT_BOX);
  AddWarnings(question->input, response);
  *response.mutable_model() = ToProto(model.record);
  return {};
}

Status PosteriorService::RestrictedMap(const v1::EstimateMapRequest& request,
                                       const Question& question, std::uint64_t draws,
                                       std::stop_token stop, v1::EstimateMapResponse& response) {
  const auto posterior = Restrict(question, request.restriction(), request.seed(), stop);
  if (!posterior) return tl::unexpected(posterior.error());
  const auto map = (*posterior)->Mode(draws, stop);
  if (!map) return tl::unexpected(map.error());
  response.mutable_codes()->Assign(map->theta.begin(), map->theta.end());
  response.set_log_density(map->log_density);
  response.set_support(v1::DENSITY_SUPPORT_CONSTRAINED);
  AddWarnings(question.input, response);
  for (const std::string& text : (*posterior)->warnings()) response.add_warnings(text);
  *response.mutable_model() = ToProto(question.model->record);
  *response.mutable_restriction() = rpc::ToProto((*posterior)->Report());
  return {};
}

grpc::Status PosteriorService::EvaluateLogProb(grpc::ServerContext* context,
                                               const v1::EvaluateLogProbRequest* request,
                                               v1::EvaluateLogProbResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_,
               [&](std::stop_token stop) { return LogProb(*request, stop, *response); });
}

Status PosteriorService::LogProb(const v1::EvaluateLogProbRequest& request, std::stop_token stop,
                                 v1::EvaluateLogProbResponse& response) {
  const auto sets = rpc::ParameterSetsFromProto(request.codes());
  if (!sets) return tl::unexpected(sets.error());
  if (sets->size() > kMostPoints) {
    return InvalidArgument(
        fmt::format("{} parameter sets are more than {}", sets->size(), kMostPoints),
        "Ask for fewer at a time");
  }
  const auto question = Ask(request.model(), request.observation());
  if (!question) return tl::unexpected(question.error());
  const LoadedModel& model = *question->model;
  if (request.has_restriction())
    return RestrictedLogProb(request, *question, *sets, stop, response);
  if (sets->dimension != model.dimension()) {
    return InvalidArgument(fmt::format("the parameter sets have {} codes, model {} has {} free "
                                       "parameters",
                                       sets->dimension, model.record.id, model.dimension()),
                           "Give one code for each free parameter, in the model's order");
  }
  const auto density = LogDensityOfCodes(model, question->input.x, sets->codes, stop);
  if (!density) return tl::unexpected(density.error());
  *response.mutable_log_density() =
      rpc::ToArray<double>("log_density", *density, {density->size()});
  response.set_support(v1::DENSITY_SUPPORT_BOX);
  AddWarnings(question->input, response);
  return {};
}

Status PosteriorService::RestrictedLogProb(const v1::EvaluateLogProbRequest& request,
                                           const Question& question, const ParameterSets& sets,
                                           std::stop_token stop,
                                           v1::EvaluateLogProbResponse& response) {
  const auto posterior = Restrict(question, request.restriction(), kDensitySeed, stop);
  if (!posterior) return tl::unexpected(posterior.error());
  if (sets.dimension != (*posterior)->columns()) {
    return InvalidArgument(
        fmt::format("the parameter sets have {} codes, the query is about {} parameters",
                    sets.dimension, (*posterior)->columns()),
        "Give one code for each of them, in their order");
  }
  const std::vector<double> theta(sets.codes.begin(), sets.codes.end());
  const auto densities = (*posterior)->LogDensity(theta, stop);
  if (!densities) return tl::unexpected(densities.error());
  const std::uint64_t n = sets.size();
  *response.mutable_log_density() =
      rpc::ToArray<double>("log_density", densities->log_density, {n});
  *response.mutable_standard_error() =
      rpc::ToArray<double>("standard_error", densities->standard_error, {n});
  response.set_support(v1::DENSITY_SUPPORT_CONSTRAINED);
  AddWarnings(question.input, response);
  for (const std::string& text : (*posterior)->warnings()) response.add_warnings(text);
  *response.mutable_restriction() = rpc::ToProto((*posterior)->Report());
  return {};
}

grpc::Status PosteriorService::PredictPosterior(
    grpc::ServerContext* context, const v1::PredictPosteriorRequest* request,
    grpc::ServerWriter<v1::PredictPosteriorResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_,
               [&](std::stop_token stop) { return Predict(*request, stop, *writer); });
}

Status PosteriorService::Predict(const v1::PredictPosteriorRequest& request, std::stop_token stop,
                                 grpc::ServerWriter<v1::PredictPosteriorResponse>& writer) {
  const auto draws = CheckDraws(request.draws(), 100, kMostPredictions);
  if (!draws) return tl::unexpected(draws.error());
  if (!IsRequestId(request.request_id())) {
    return InvalidArgument("the request id is malformed",
                           fmt::format("Use at most {} letters, digits, dots, underscores and "
                                       "hyphens",
                                       kMostRequestId));
  }
  const auto question = Ask(request.model(), request.observation());
  if (!question) return tl::unexpected(question.error());
  const ModelRecord& record = question->model->record;
  PosteriorSampler sampler(*question->model, question->input.x, request.seed());
  const auto found = sampler.Next(*draws, stop);
  if (!found) return tl::unexpected(found.error());

  const bool own_id = request.request_id().empty();
  ExperimentJob job;
  if (const auto project = guard_.FindProject("models/" + record.id)) {
    job.project = rpc::ParseName(*project, "projects").value_or(job.project);
  }
  job.request_id = "predict." + (own_id ? RandomId() : request.request_id());
  job.title = fmt::format("Posterior prediction of {}", record.id);
  job.sets = {question->model->dimension(), found->codes};
  job.profile_toml = record.profile_toml;
  job.protocol = record.protocol;
  job.device = record.device;
  job.substrate = record.substrate;
  job.seed = DerivedSeed(request.seed(), "predict");
  const auto name = experiments_.Submit(job, stop);
  if (!name) return tl::unexpected(name.error());
  const Status status = StreamPredictions(*question, job.sets, *name, stop, writer);
  // Under a client's own id the job stays: the same request finds it again.
  if (!status && own_id) (void)experiments_.Cancel(*name, stop_);
  return status;
}

Status PosteriorService::StreamPredictions(
    const Question& question, const ParameterSets& sets, const std::string& job,
    std::stop_token stop, grpc::ServerWriter<v1::PredictPosteriorResponse>& writer) {
  const ModelRecord& record = question.model->record;
  bool first = true;
  return experiments_.Collect(job, sets.size(), stop, [&](ExperimentResults results) -> Status {
    if (!results.error.empty()) {
      return Fail(
          ErrorCode::kFailedPrecondition,
          fmt::format("experiments {}..{} of job {} failed for good: {}", results.first_index,
                      results.first_index + results.count - 1, job, results.error),
          "Look at the job with `inferon job watch`");
    }
    const ObservationBatch& batch = results.observations;
    std::vector<float> features;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Features row = ExtractFeatures(Extract(batch, i), record.protocol);
      features.insert(features.end(), row.begin(), row.end());
    }
    v1::PredictPosteriorResponse response;
    const std::size_t d = sets.dimension;
    *response.mutable_codes() =
        CodesArray(std::span(sets.codes).subspan(results.first_index * d, results.count * d), d);
    *response.mutable_traces() =
        rpc::ToArray<std::uint16_t>("traces", batch.trace, {batch.size(), batch.points});
    *response.mutable_features() =
        rpc::ToArray<float>("features", features, {batch.size(), kFeatureCount});
    if (std::exchange(first, false)) {
      for (std::size_t i = 0; i < kFeatureCount; ++i) {
        response.add_feature_names(std::string(FeatureName(static_cast<Feature>(i))));
      }
      AddWarnings(question.input, response);
      *response.mutable_observed_features() =
          rpc::ToArray<float>("observed_features", question.input.features, {kFeatureCount});
      response.set_job(job);
    }
    if (!writer.Write(response)) return Fail(ErrorCode::kCancelled, "the client has gone");
    return {};
  });
}

}  // namespace inferon::trainer
