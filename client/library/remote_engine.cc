#include "client/library/remote_engine.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "common/rpc/convert.h"
#include "common/rpc/restriction_convert.h"
#include "common/rpc/retry.h"
#include "common/rpc/server.h"
#include "common/rpc/simulator_convert.h"
#include "inferon/v1/simulators.grpc.pb.h"

namespace inferon::client {
namespace {

using Stub = v1::SimulatorService::Stub;

tl::unexpected<Error> Malformed(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the trainer's answer is malformed: " + what,
              "Use a client of the trainer's version");
}

template <typename T>
Result<std::vector<T>> Read(const v1::Array& array, int axes) {
  auto values = rpc::FromArray<T>(array, axes);
  if (!values) return Malformed(values.error().message);
  return values;
}

std::string NameOf(const char* collection, const std::string& id) {
  return id.empty() ? std::string() : fmt::format("{}/{}", collection, id);
}

template <typename Texts>
std::vector<std::string> TextsOf(const Texts& texts) {
  return {texts.begin(), texts.end()};
}

template <typename Request>
void Fill(const PosteriorQuery& query, Request& request) {
  request.set_model(NameOf("models", query.model));
  *request.mutable_x() = rpc::ToArray<float>("x", query.x, {query.x.size()});
}

template <typename Request>
void Restrict(const PosteriorQuery& query, Request& request) {
  if (!query.restriction.empty()) {
    *request.mutable_restriction() = rpc::ToProto(query.restriction);
  }
}

// The report of a restricted query; a server that sends none has not seen the restriction.
template <typename Response>
Result<std::optional<RestrictionReport>> ReportOf(const PosteriorQuery& query,
                                                  const Response& response) {
  if (query.restriction.empty()) return std::nullopt;
  if (response.has_restriction()) return rpc::FromProto(response.restriction());
  return Fail(ErrorCode::kUnimplemented,
              "the trainer does not know conditional and marginal queries",
              "Update the trainer, or ask without conditions and parameters");
}

// Constant after construction; stub and channel have their own synchronisation.
class RemoteEngine : public InferenceEngine {
 public:
  explicit RemoteEngine(const TrainerClientOptions& options)
      : channel_(rpc::OpenChannel(options.address, options.security)),
        stub_(v1::SimulatorService::NewStub(channel_)),
        unary_{fmt::format("trainer at {}", options.address), options.retry, options.timeout,
               options.clock},
        stream_{unary_} {
    stream_.timeout = std::chrono::milliseconds(0);
  }

  Result<DataSetInfo> ImportDataSet(const DataSetSpec& spec, const NextRows& next,
                                    std::stop_token stop) override {
    v1::ImportDatasetResponse response;
    Status rows_ended;
    const Status done = rpc::CallOnce(stream_, stop, [&](grpc::ClientContext& context) {
      const auto writer = stub_->ImportDataset(&context, &response);
      rows_ended = WriteRows(spec, next, stop, *writer);
      if (!rows_ended) {
        context.TryCancel();
      } else {
        writer->WritesDone();
      }
      return writer->Finish();
    });
    if (!rows_ended) return tl::unexpected(rows_ended.error());
    if (!done) return tl::unexpected(done.error());
    return rpc::FromProto(response.dataset());
  }

  Result<std::vector<DataSetInfo>> ListDataSets(std::stop_token stop) override {
    const auto response =
        Call<v1::ListDatasetsResponse>(&Stub::ListDatasets, v1::ListDatasetsRequest(), stop);
    if (!response) return tl::unexpected(response.error());
    std::vector<DataSetInfo> all;
    for (const v1::Dataset& message : response->datasets()) {
      auto info = rpc::FromProto(message);
      if (!info) return Malformed(info.error().message);
      all.push_back(std::move(*info));
    }
    return all;
  }

  Result<DataSetInfo> ExportDataSet(const std::string& id, const TakeRows& take,
                                    std::stop_token stop) override {
    v1::ExportDatasetRequest request;
    request.set_name(NameOf("datasets", id));
    std::optional<DataSetInfo> info;
    const auto handle = [&](const v1::ExportDatasetResponse& response) -> Status {
      if (response.has_dataset()) {
        auto described = rpc::FromProto(response.dataset());
        if (!described) return Malformed(described.error().message);
        info = std::move(*described);
      }
      if (!info) return Malformed("the export does not begin with its data set");
      auto rows = rpc::RowsFromArrays(response.theta(), response.x(), info->spec.prior.dimension(),
                                      info->spec.columns);
      if (!rows) return Malformed(rows.error().message);
      return take(*rows);
    };
    // Once only: rows that were handed over cannot be taken back.
    const Status done = ReadOnce<v1::ExportDatasetResponse>(
        stop, [&](grpc::ClientContext& context) { return stub_->ExportDataset(&context, request); },
        handle);
    if (!done) return tl::unexpected(done.error());
    if (!info) return Malformed("the export is empty");
    return *info;
  }

  Result<StudyRoundInfo> ExportStudyRound(const std::string& study, const std::string& round,
                                          const TakeStudyRows& take,
                                          std::stop_token stop) override {
    v1::ExportStudyRoundRequest request;
    request.set_study(NameOf("studies", study));
    request.set_round(round);
    std::optional<StudyRoundInfo> info;
    const Status done = ReadOnce<v1::ExportStudyRoundResponse>(
        stop,
        [&](grpc::ClientContext& context) { return stub_->ExportStudyRound(&context, request); },
        [&](const v1::ExportStudyRoundResponse& response) -> Status {
          if (!info) info = rpc::StudyRoundFromProto(response, study, round);
          const auto rows = rpc::StudyRowsFromProto(response, *info);
          if (!rows) return Malformed(rows.error().message);
          return take(*info, *rows);
        });
    if (!done) return tl::unexpected(done.error());
    if (!info) return Malformed("the export is empty");
    return *info;
  }

  Result<ModelInfo> TrainModel(const TrainSpec& spec, const OnEpoch& progress,
                               std::stop_token stop) override {
    v1::TrainModelRequest request;
    request.set_model_id(spec.model);
    request.set_dataset(NameOf("datasets", spec.data_set));
    request.set_estimator(spec.estimator);
    request.set_config_json(spec.config);
    request.set_seed(spec.seed);
    request.set_base_model(NameOf("models", spec.base));
    v1::SimulatorModel model;
    const Status done = rpc::ReadStream<v1::TrainModelResponse>(
        stream_, stop,
        [&](grpc::ClientContext& context) { return stub_->TrainModel(&context, request); },
        [&](const v1::TrainModelResponse& response) -> Status {
          if (response.has_model()) {
            model = response.model();
          } else if (progress) {
            progress({response.epoch(), response.max_epochs(), response.training_loss(),
                      response.heldout_loss(), response.rows_per_second()});
          }
          return {};
        });
    if (!done) return tl::unexpected(done.error());
    return InfoOf(model);
  }

  Result<ModelInfo> GetModel(const std::string& id, std::stop_token stop) override {
    v1::GetSimulatorModelRequest request;
    request.set_name(NameOf("models", id));
    const auto response =
        Call<v1::GetSimulatorModelResponse>(&Stub::GetSimulatorModel, request, stop);
    if (!response) return tl::unexpected(response.error());
    return InfoOf(response->model());
  }

  Result<std::vector<ModelInfo>> ListModels(std::stop_token stop) override {
    const auto response = Call<v1::ListSimulatorModelsResponse>(
        &Stub::ListSimulatorModels, v1::ListSimulatorModelsRequest(), stop);
    if (!response) return tl::unexpected(response.error());
    std::vector<ModelInfo> all;
    for (const v1::SimulatorModel& message : response->models()) {
      auto info = InfoOf(message);
      if (!info) return tl::unexpected(info.error());
      all.push_back(std::move(*info));
    }
    return all;
  }

  Status Sample(const PosteriorQuery& query, std::uint64_t draws, std::uint64_t seed,
                const TakeDraws& take, std::stop_token stop) override {
    v1::SampleThetaRequest request;
    Fill(query, request);
    request.set_draws(draws);
    request.set_seed(seed);
    Restrict(query, request);
    bool first = true;
    return ReadOnce<v1::SampleThetaResponse>(
        stop, [&](grpc::ClientContext& context) { return stub_->SampleTheta(&context, request); },
        [&](const v1::SampleThetaResponse& response) -> Status {
          auto theta = Read<double>(response.theta(), 2);
          if (!theta) return tl::unexpected(theta.error());
          auto density = Read<double>(response.log_density(), 1);
          if (!density) return tl::unexpected(density.error());
          PosteriorDraw block{std::move(*theta), std::move(*density), TextsOf(response.warnings()),
                              response.theta().shape(1)};
          if (first || response.has_restriction()) {
            auto report = ReportOf(query, response);
            if (!report) return tl::unexpected(report.error());
            block.restriction = std::move(*report);
          }
          first = false;
          const bool densities = query.restriction.empty() || !block.log_density.empty();
          if (block.size() == 0 || (densities && block.size() != block.log_density.size())) {
            return Malformed("draws and log densities differ in number");
          }
          return take(block);
        });
  }

  Result<PosteriorLogDensity> LogDensity(const PosteriorQuery& query, std::span<const double> theta,
                                         std::stop_token stop) override {
    const auto model = GetModel(query.model, stop);
    if (!model) return tl::unexpected(model.error());
    const Restriction& restriction = query.restriction;
    const std::size_t fixed = std::min(restriction.conditions.size(), model->prior.dimension() - 1);
    const std::size_t d = restriction.parameters.empty() ? model->prior.dimension() - fixed
                                                         : restriction.parameters.size();
    if (theta.empty() || theta.size() % d != 0) {
      return InvalidArgument(
          fmt::format("{} values are not rows of {} parameters", theta.size(), d),
          "Give one value for each parameter, in the model's order");
    }
    v1::EvaluateThetaLogProbRequest request;
    Fill(query, request);
    Restrict(query, request);
    *request.mutable_theta() = rpc::ToArray<double>("theta", theta, {theta.size() / d, d});
    const auto response =
        Call<v1::EvaluateThetaLogProbResponse>(&Stub::EvaluateThetaLogProb, request, stop);
    if (!response) return tl::unexpected(response.error());
    auto density = Read<double>(response->log_density(), 1);
    if (!density) return tl::unexpected(density.error());
    if (density->size() != theta.size() / d) return Malformed("one density a row is missing");
    auto report = ReportOf(query, *response);
    if (!report) return tl::unexpected(report.error());
    PosteriorLogDensity answer{
        std::move(*density), TextsOf(response->warnings()), {}, std::move(*report)};
    if (!answer.restriction) return answer;
    auto errors = Read<double>(response->standard_error(), 1);
    if (!errors) return tl::unexpected(errors.error());
    if (errors->size() != answer.log_density.size())
      return Malformed("standard errors are missing");
    answer.standard_error = std::move(*errors);
    return answer;
  }

  Result<PosteriorMap> Map(const PosteriorQuery& query, std::uint64_t draws, std::uint64_t seed,
                           std::stop_token stop) override {
    v1::EstimateThetaMapRequest request;
    Fill(query, request);
    request.set_draws(draws);
    request.set_seed(seed);
    Restrict(query, request);
    const auto response =
        Call<v1::EstimateThetaMapResponse>(&Stub::EstimateThetaMap, request, stop);
    if (!response) return tl::unexpected(response.error());
    auto report = ReportOf(query, *response);
    if (!report) return tl::unexpected(report.error());
    return PosteriorMap{{response->theta().begin(), response->theta().end()},
                        response->log_density(),
                        TextsOf(response->warnings()),
                        std::move(*report)};
  }

  Result<ProposalReport> Propose(const ProposalSpec& spec, const TakeTheta& take,
                                 std::stop_token stop) override {
    v1::ProposeThetaRequest request;
    Fill({spec.model, spec.x}, request);
    request.set_draws(spec.count);
    request.set_mass(spec.mass);
    request.set_seed(spec.seed);
    request.set_most_tries(spec.most_tries);
    ProposalReport report;
    const Status done = ReadOnce<v1::ProposeThetaResponse>(
        stop, [&](grpc::ClientContext& context) { return stub_->ProposeTheta(&context, request); },
        [&](const v1::ProposeThetaResponse& response) -> Status {
          if (!response.has_theta()) {
            report.tries = response.tries();
            report.prior_share = response.prior_share();
            report.from_prior = response.from_prior();
            report.warnings = TextsOf(response.warnings());
            return {};
          }
          const auto theta = Read<double>(response.theta(), 2);
          if (!theta) return tl::unexpected(theta.error());
          report.draws += response.theta().shape(0);
          return take(*theta);
        });
    if (!done) return tl::unexpected(done.error());
    if (report.draws != spec.count) return Malformed("draws are missing");
    return report;
  }

  Result<CalibrationReport> Check(const CalibrationSpec& spec, std::stop_token stop) override {
    v1::CheckCalibrationRequest request;
    request.set_model(NameOf("models", spec.model));
    request.set_dataset(NameOf("datasets", spec.data_set));
    request.set_pairs(spec.pairs);
    request.set_draws(spec.draws);
    request.set_seed(spec.seed);
    if (!spec.x.empty()) *request.mutable_x() = rpc::ToArray<float>("x", spec.x, {spec.x.size()});
    const auto response =
        Call<v1::CheckCalibrationResponse>(&Stub::CheckCalibration, request, stop);
    if (!response) return tl::unexpected(response.error());
    return rpc::FromProto(*response);
  }

 private:
  template <typename Writer>
  static Status WriteRows(const DataSetSpec& spec, const NextRows& next, std::stop_token stop,
                          Writer& writer) {
    v1::ImportDatasetRequest request;
    *request.mutable_dataset() = rpc::ToProto(spec);
    while (writer.Write(request) && !request.complete()) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the import was cancelled");
      const auto rows = next();
      if (!rows) return tl::unexpected(rows.error());
      request.Clear();
      if (rows->theta.empty() && rows->x.empty()) {
        request.set_complete(true);
        continue;
      }
      rpc::RowArrays arrays = rpc::ToArrays(*rows, spec.prior.dimension(), spec.columns);
      *request.mutable_theta() = std::move(arrays.theta);
      *request.mutable_x() = std::move(arrays.x);
    }
    return {};  // The server ended the call: its status says why.
  }

  // Reads a stream whose messages cannot be taken back: tried again before the first only.
  template <typename Message, typename Open, typename Take>
  Status ReadOnce(std::stop_token stop, Open&& open, Take&& take) {
    rpc::BackOff back_off(stream_);
    for (;;) {
      bool began = false;
      Status taken;
      const Status ended = rpc::CallOnce(stream_, stop, [&](grpc::ClientContext& context) {
        auto reader = open(context);
        Message message;
        while (taken && reader->Read(&message)) {
          began = true;
          taken = take(message);
        }
        if (!taken) context.TryCancel();
        return reader->Finish();
      });
      if (!taken) return taken;
      if (ended || began || !back_off.WaitAfter(ended.error(), stop)) return ended;
    }
  }

  template <typename Response, typename Request>
  Result<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request, std::stop_token stop) {
    Response response;
    const Status done = rpc::CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      return (stub_.get()->*method)(&context, request, &response);
    });
    if (!done) return tl::unexpected(done.error());
    return response;
  }

  static Result<ModelInfo> InfoOf(const v1::SimulatorModel& message) {
    auto info = rpc::FromProto(message);
    if (!info) return Malformed(info.error().message);
    return info;
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Stub> stub_;
  const rpc::CallSettings unary_;
  rpc::CallSettings stream_;  // Without a deadline.
};

}  // namespace

std::unique_ptr<InferenceEngine> MakeRemoteEngine(const TrainerClientOptions& options) {
  return std::make_unique<RemoteEngine>(options);
}

}  // namespace inferon::client
