#include "client/library/trainer_client.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "common/rpc/convert.h"
#include "common/rpc/restriction_convert.h"
#include "common/rpc/retry.h"
#include "common/rpc/server.h"
#include "inferon/v1/inference.grpc.pb.h"

namespace inferon::client {
namespace {

constexpr std::uint32_t kPageSize = 200;

Error Malformed(const std::string& what) {
  return {ErrorCode::kDataLoss,
          "the trainer's answer is malformed: " + what,
          "Use a client of the trainer's version",
          {}};
}

template <typename T>
Status AppendArray(const v1::Array& array, int axes, std::vector<T>& to) {
  if (array.data().empty()) return {};
  Result<std::vector<T>> values = rpc::FromArray<T>(array, axes);
  if (!values) return tl::unexpected(Malformed(values.error().message));
  to.insert(to.end(), values->begin(), values->end());
  return {};
}

Status AppendCodes(const v1::Array& array, ParameterSets& to) {
  if (array.data().empty()) return {};
  Result<ParameterSets> sets = rpc::ParameterSetsFromProto(array);
  if (!sets) return tl::unexpected(Malformed(sets.error().message));
  if (to.dimension != 0 && to.dimension != sets->dimension) {
    return tl::unexpected(Malformed("the number of parameters changed within the answer"));
  }
  to.dimension = sets->dimension;
  to.codes.insert(to.codes.end(), sets->codes.begin(), sets->codes.end());
  return {};
}

void AppendTexts(const google::protobuf::RepeatedPtrField<std::string>& texts,
                 std::vector<std::string>& to) {
  to.insert(to.end(), texts.begin(), texts.end());
}

// Nothing where the answer says how it came about, or was asked about all parameters.
template <typename Request>
Status CheckKnown(const Request& request, bool has_report) {
  if (has_report || !request.has_restriction()) return {};
  return Fail(ErrorCode::kUnimplemented,
              "the trainer does not know conditional and marginal queries",
              "Update the trainer, or ask without conditions and parameters");
}

Status Append(const v1::SamplePosteriorResponse& response, PosteriorDraws& draws) {
  if (Status ok = AppendCodes(response.codes(), draws.sets); !ok) return ok;
  if (Status ok = AppendArray(response.log_density(), 1, draws.log_density); !ok) return ok;
  if (response.has_restriction()) draws.restriction = rpc::FromProto(response.restriction());
  const bool none = draws.restriction && draws.log_density.empty();
  if (!none && draws.log_density.size() != draws.sets.size()) {
    return tl::unexpected(Malformed("draws and log densities differ in number"));
  }
  if (response.has_model()) draws.model = response.model();
  if (response.support() != v1::DENSITY_SUPPORT_UNSPECIFIED) draws.support = response.support();
  if (response.acceptance() > 0) draws.acceptance = response.acceptance();
  AppendTexts(response.warnings(), draws.warnings);
  return {};
}

Status Append(const v1::PredictPosteriorResponse& response, Predictions& predictions) {
  if (Status ok = AppendCodes(response.codes(), predictions.sets); !ok) return ok;
  if (Status ok = AppendArray(response.traces(), 2, predictions.traces); !ok) return ok;
  if (Status ok = AppendArray(response.features(), 2, predictions.features); !ok) return ok;
  if (Status ok = AppendArray(response.observed_features(), 1, predictions.observed_features);
      !ok) {
    return ok;
  }
  AppendTexts(response.feature_names(), predictions.feature_names);
  AppendTexts(response.warnings(), predictions.warnings);
  if (!response.job().empty()) predictions.job = response.job();
  const std::size_t n = predictions.sets.size();
  if (n == 0) return {};
  predictions.points = predictions.traces.size() / n;
  if (predictions.points * n != predictions.traces.size() ||
      predictions.features.size() != n * predictions.feature_names.size()) {
    return tl::unexpected(Malformed("draws, traces and features differ in number"));
  }
  return {};
}

void Append(const v1::StreamStudyReportResponse& response, StudyReport& report) {
  if (response.has_study()) report.study = response.study();
  report.numbers.insert(report.numbers.end(), response.numbers().begin(), response.numbers().end());
  AppendTexts(response.parameters(), report.parameters);
  AppendTexts(response.features(), report.features);
  for (const v1::Array& array : response.arrays()) report.arrays[array.name()] = array;
}

std::string RandomId() {
  std::random_device device;
  return fmt::format("predict-{:08x}{:08x}", device(), device());
}

// Constant after construction; stubs and channel have their own synchronisation.
class GrpcTrainerClient : public TrainerClient {
 public:
  explicit GrpcTrainerClient(const TrainerClientOptions& options)
      : channel_(rpc::OpenChannel(options.address, options.security)),
        studies_(v1::StudyService::NewStub(channel_)),
        models_(v1::ModelService::NewStub(channel_)),
        posteriors_(v1::PosteriorService::NewStub(channel_)),
        unary_{fmt::format("trainer at {}", options.address), options.retry, options.timeout,
               options.clock},
        stream_{unary_} {
    stream_.timeout = std::chrono::milliseconds(0);
  }

  Result<v1::Study> CreateStudy(const std::string& study_id, const v1::StudySpec& spec,
                                std::stop_token stop) override {
    v1::CreateStudyRequest request;
    request.set_study_id(study_id);
    *request.mutable_spec() = spec;
    return StudyOf(
        Call<v1::CreateStudyResponse>(studies_.get(), &Studies::CreateStudy, request, stop));
  }

  Result<v1::Study> GetStudy(const std::string& name, std::stop_token stop) override {
    v1::GetStudyRequest request;
    request.set_name(name);
    return StudyOf(Call<v1::GetStudyResponse>(studies_.get(), &Studies::GetStudy, request, stop));
  }

  Result<v1::Study> CancelStudy(const std::string& name, std::stop_token stop) override {
    v1::CancelStudyRequest request;
    request.set_name(name);
    return StudyOf(
        Call<v1::CancelStudyResponse>(studies_.get(), &Studies::CancelStudy, request, stop));
  }

  Result<std::vector<v1::Study>> ListStudies(std::stop_token stop) override {
    std::vector<v1::Study> all;
    v1::ListStudiesRequest request;
    request.set_page_size(kPageSize);
    do {
      auto page =
          Call<v1::ListStudiesResponse>(studies_.get(), &Studies::ListStudies, request, stop);
      if (!page) return tl::unexpected(page.error());
      all.insert(all.end(), page->studies().begin(), page->studies().end());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  }

  Status WatchStudy(const std::string& name, std::uint64_t after_revision, std::stop_token stop,
                    const std::function<Status(const v1::Study&)>& take) override {
    v1::WatchStudyRequest request;
    request.set_name(name);
    request.set_after_revision(after_revision);
    return rpc::ReadStream<v1::WatchStudyResponse>(
        stream_, stop,
        [&](grpc::ClientContext& context) { return studies_->WatchStudy(&context, request); },
        [&](const v1::WatchStudyResponse& response) {
          request.set_after_revision(response.study().revision());
          return take(response.study());
        });
  }

  Result<StudyReport> FetchStudyReport(const std::string& name, std::stop_token stop) override {
    v1::StreamStudyReportRequest request;
    request.set_name(name);
    StudyReport report;
    const Status done = rpc::ReadStream<v1::StreamStudyReportResponse>(
        stream_, stop,
        [&](grpc::ClientContext& context) {
          report = StudyReport();  // A report has no cursor: a broken stream begins again.
          return studies_->StreamStudyReport(&context, request);
        },
        [&](const v1::StreamStudyReportResponse& response) -> Status {
          Append(response, report);
          return {};
        });
    if (!done) return tl::unexpected(done.error());
    return report;
  }

  Result<std::vector<v1::Model>> ListModels(std::stop_token stop) override {
    std::vector<v1::Model> all;
    v1::ListModelsRequest request;
    request.set_page_size(kPageSize);
    do {
      auto page = Call<v1::ListModelsResponse>(models_.get(), &Models::ListModels, request, stop);
      if (!page) return tl::unexpected(page.error());
      all.insert(all.end(), page->models().begin(), page->models().end());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  }

  Result<v1::Model> GetModel(const std::string& name, std::stop_token stop) override {
    v1::GetModelRequest request;
    request.set_name(name);
    auto response = Call<v1::GetModelResponse>(models_.get(), &Models::GetModel, request, stop);
    if (!response) return tl::unexpected(response.error());
    return std::move(*response->mutable_model());
  }

  Result<std::vector<v1::ModelAlias>> ListModelAliases(std::stop_token stop) override {
    const auto response = Call<v1::ListModelAliasesResponse>(
        models_.get(), &Models::ListModelAliases, v1::ListModelAliasesRequest(), stop);
    if (!response) return tl::unexpected(response.error());
    return std::vector(response->aliases().begin(), response->aliases().end());
  }

  Result<v1::ModelAlias> PromoteModel(const std::string& name, const std::string& alias,
                                      std::stop_token stop) override {
    v1::PromoteModelRequest request;
    request.set_name(name);
    request.set_alias(alias);
    auto response =
        Call<v1::PromoteModelResponse>(models_.get(), &Models::PromoteModel, request, stop);
    if (!response) return tl::unexpected(response.error());
    return std::move(*response->mutable_alias());
  }

  Result<v1::ModelAlias> RollBackModel(const std::string& alias, const std::string& from,
                                       std::stop_token stop) override {
    v1::RollBackModelRequest request;
    request.set_alias(alias);
    request.set_from(from);
    auto response =
        Call<v1::RollBackModelResponse>(models_.get(), &Models::RollBackModel, request, stop);
    if (!response) return tl::unexpected(response.error());
    return std::move(*response->mutable_alias());
  }

  Result<v1::Model> LoadModel(const std::string& name, std::stop_token stop) override {
    v1::LoadModelRequest request;
    request.set_name(name);
    auto response = Call<v1::LoadModelResponse>(models_.get(), &Models::LoadModel, request, stop);
    if (!response) return tl::unexpected(response.error());
    return std::move(*response->mutable_model());
  }

  Status DeleteModel(const std::string& name, std::stop_token stop) override {
    v1::DeleteModelRequest request;
    request.set_name(name);
    const auto response =
        Call<v1::DeleteModelResponse>(models_.get(), &Models::DeleteModel, request, stop);
    if (!response) return tl::unexpected(response.error());
    return {};
  }

  Result<PosteriorDraws> SamplePosterior(const v1::SamplePosteriorRequest& request,
                                         std::stop_token stop, const OnDraws& progress) override {
    // The same request gives the same draws, so that a broken stream can begin again.
    auto draws = Collect<PosteriorDraws, v1::SamplePosteriorResponse>(
        stop, progress, [&](grpc::ClientContext& context) {
          return posteriors_->SamplePosterior(&context, request);
        });
    if (!draws) return draws;
    if (Status ok = CheckKnown(request, draws->restriction.has_value()); !ok) {
      return tl::unexpected(ok.error());
    }
    return draws;
  }

  Result<v1::EstimateMapResponse> EstimateMap(const v1::EstimateMapRequest& request,
                                              std::stop_token stop) override {
    return Known(request, Call<v1::EstimateMapResponse>(posteriors_.get(), &Posteriors::EstimateMap,
                                                        request, stop));
  }

  Result<v1::EvaluateLogProbResponse> EvaluateLogProb(const v1::EvaluateLogProbRequest& request,
                                                      std::stop_token stop) override {
    return Known(request, Call<v1::EvaluateLogProbResponse>(
                              posteriors_.get(), &Posteriors::EvaluateLogProb, request, stop));
  }

  Result<Predictions> PredictPosterior(const v1::PredictPosteriorRequest& request,
                                       std::stop_token stop, const OnDraws& progress) override {
    v1::PredictPosteriorRequest identified = request;
    if (identified.request_id().empty()) identified.set_request_id(RandomId());
    return Collect<Predictions, v1::PredictPosteriorResponse>(
        stop, progress, [&](grpc::ClientContext& context) {
          return posteriors_->PredictPosterior(&context, identified);
        });
  }

 private:
  template <typename Request, typename Response>
  static Result<Response> Known(const Request& request, Result<Response> response) {
    if (!response) return response;
    const Status known = CheckKnown(request, response->has_restriction());
    if (!known) return tl::unexpected(known.error());
    return response;
  }

  using Studies = v1::StudyService::Stub;
  using Models = v1::ModelService::Stub;
  using Posteriors = v1::PosteriorService::Stub;

  template <typename Response, typename Stub, typename Request>
  Result<Response> Call(Stub* stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request, std::stop_token stop) {
    Response response;
    const Status done = rpc::CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      return (stub->*method)(&context, request, &response);
    });
    if (!done) return tl::unexpected(done.error());
    return response;
  }

  template <typename Response>
  static Result<v1::Study> StudyOf(Result<Response> response) {
    if (!response) return tl::unexpected(response.error());
    return std::move(*response->mutable_study());
  }

  // Reads a stream of blocks into one answer, from the beginning after each interruption.
  template <typename Answer, typename Response, typename Open>
  Result<Answer> Collect(std::stop_token stop, const OnDraws& progress, Open&& open) {
    Answer answer;
    const Status done = rpc::ReadStream<Response>(
        stream_, stop,
        [&](grpc::ClientContext& context) {
          answer = Answer();
          return open(context);
        },
        [&](const Response& response) {
          const Status appended = Append(response, answer);
          if (appended && progress) progress(answer.sets.size());
          return appended;
        });
    if (!done) return tl::unexpected(done.error());
    return answer;
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Studies> studies_;
  const std::unique_ptr<Models> models_;
  const std::unique_ptr<Posteriors> posteriors_;
  const rpc::CallSettings unary_;
  rpc::CallSettings stream_;  // Without a deadline.
};

}  // namespace

std::unique_ptr<TrainerClient> MakeTrainerClient(const TrainerClientOptions& options) {
  return std::make_unique<GrpcTrainerClient>(options);
}

}  // namespace inferon::client
