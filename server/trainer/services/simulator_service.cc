#include "server/trainer/services/simulator_service.h"

#include "common/rpc/convert.h"
#include "common/rpc/restriction_convert.h"
#include "common/rpc/simulator_convert.h"
#include "common/rpc/status.h"
#include "server/trainer/services/serve.h"

namespace inferon::trainer {
namespace {

// Id of a name; empty for an empty name.
Result<std::string> IdOf(const std::string& name, const char* collection) {
  if (name.empty()) return std::string();
  return rpc::ParseName(name, collection);
}

Result<PosteriorQuery> QueryOf(const std::string& model, const v1::Array& x) {
  auto id = IdOf(model, "models");
  if (!id) return tl::unexpected(id.error());
  auto values = rpc::FromArray<float>(x, 1);
  if (!values) return tl::unexpected(values.error());
  return PosteriorQuery{std::move(*id), std::move(*values)};
}

template <typename Request>
Result<PosteriorQuery> QueryOf(const Request& request) {
  auto query = QueryOf(request.model(), request.x());
  if (query && request.has_restriction())
    query->restriction = rpc::FromProto(request.restriction());
  return query;
}

template <typename Answer, typename Response>
void AddReport(const Answer& answer, Response& response) {
  if (answer.restriction) *response.mutable_restriction() = rpc::ToProto(*answer.restriction);
}

Status ClientGone() { return Fail(ErrorCode::kCancelled, "the client has gone"); }

Status CutOff() {
  return Fail(ErrorCode::kCancelled, "the import ended before it was complete", "Import it again");
}

bool HasRows(const v1::ImportDatasetRequest& request) {
  return request.has_theta() && request.theta().shape_size() > 0 && request.theta().shape(0) > 0;
}

template <typename Warnings, typename Response>
void AddWarnings(const Warnings& warnings, Response& response) {
  for (const std::string& warning : warnings) response.add_warnings(warning);
}

}  // namespace

SimulatorService::SimulatorService(InferenceEngine& engine, const rpc::CallGuard& guard,
                                   std::stop_token stop, int most_queries)
    : engine_(engine),
      stop_(std::move(stop)),
      guard_(guard),
      queries_("calls about data sets and their models", most_queries) {}

grpc::Status SimulatorService::ImportDataset(grpc::ServerContext* context,
                                             grpc::ServerReader<v1::ImportDatasetRequest>* reader,
                                             v1::ImportDatasetResponse* response) {
  rpc::CallGuard::Admitted<void> admitted;
  const auto body = [&](std::stop_token stop, const rpc::Caller& caller) -> Status {
    v1::ImportDatasetRequest request;
    if (!reader->Read(&request) || !request.has_dataset()) {
      return InvalidArgument("the import does not begin with a data set",
                             "Send the data set's description in the first message");
    }
    admitted = guard_.CheckSubject(caller, request);
    if (!admitted) return Fail(ErrorCode::kFailedPrecondition, "another project's");
    const auto described = rpc::FromProto(request.dataset());
    if (!described) return tl::unexpected(described.error());
    const DataSetSpec& spec = described->spec;
    bool unread = true;  // The first message may carry rows too.
    const auto next = [&]() -> Result<DataSetRows> {
      for (;;) {
        if (!unread) {
          if (request.complete()) return DataSetRows{};
          if (!reader->Read(&request)) return tl::unexpected(CutOff().error());
        }
        unread = false;
        if (HasRows(request)) break;
      }
      return rpc::RowsFromArrays(request.theta(), request.x(), spec.prior.dimension(),
                                 spec.columns);
    };
    const auto info = engine_.ImportDataSet(spec, next, stop);
    if (!info) return tl::unexpected(info.error());
    *response->mutable_dataset() = rpc::ToProto(*info);
    return {};
  };
  const auto& type = v1::ImportDatasetRequest::default_instance();
  const grpc::Status served = Serve(guard_, *context, type, queries_, stop_, body);
  return admitted ? served : admitted.error();
}

grpc::Status SimulatorService::ListDatasets(grpc::ServerContext* context,
                                            const v1::ListDatasetsRequest* request,
                                            v1::ListDatasetsResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_,
               [&](std::stop_token stop, const rpc::Caller& caller) -> Status {
                 const auto all = engine_.ListDataSets(stop);
                 if (!all) return tl::unexpected(all.error());
                 for (const DataSetInfo& info : *all) {
                   if (caller.Holds("projects/" + info.spec.project)) {
                     *response->add_datasets() = rpc::ToProto(info);
                   }
                 }
                 return {};
               });
}

grpc::Status SimulatorService::ExportDataset(
    grpc::ServerContext* context, const v1::ExportDatasetRequest* request,
    grpc::ServerWriter<v1::ExportDatasetResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto id = rpc::ParseName(request->name(), "datasets");
    if (!id) return tl::unexpected(id.error());
    const auto all = engine_.ListDataSets(stop);
    if (!all) return tl::unexpected(all.error());
    v1::ExportDatasetResponse response;
    std::size_t dimension = 0, columns = 0;
    for (const DataSetInfo& info : *all) {
      if (info.spec.id != *id) continue;
      dimension = info.spec.prior.dimension();
      columns = info.spec.columns;
      *response.mutable_dataset() = rpc::ToProto(info);
    }
    const auto take = [&](const DataSetRows& rows) -> Status {
      rpc::RowArrays arrays = rpc::ToArrays(rows, dimension, columns);
      *response.mutable_theta() = std::move(arrays.theta);
      *response.mutable_x() = std::move(arrays.x);
      if (!writer->Write(response)) return ClientGone();
      response.Clear();
      return {};
    };
    const auto info = engine_.ExportDataSet(*id, take, stop);
    if (!info) return tl::unexpected(info.error());
    return {};
  });
}

grpc::Status SimulatorService::ExportStudyRound(
    grpc::ServerContext* context, const v1::ExportStudyRoundRequest* request,
    grpc::ServerWriter<v1::ExportStudyRoundResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto study = rpc::ParseName(request->study(), "studies");
    if (!study) return tl::unexpected(study.error());
    bool first = true;
    const auto take = [&](const StudyRoundInfo& info, const StudyRows& rows) -> Status {
      const bool sent = writer->Write(rpc::ToProto(info, rows, first));
      first = false;
      return sent ? Status() : ClientGone();
    };
    const auto info = engine_.ExportStudyRound(*study, request->round(), take, stop);
    if (!info) return tl::unexpected(info.error());
    return {};
  });
}

grpc::Status SimulatorService::TrainModel(grpc::ServerContext* context,
                                          const v1::TrainModelRequest* request,
                                          grpc::ServerWriter<v1::TrainModelResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto data_set = rpc::ParseName(request->dataset(), "datasets");
    if (!data_set) return tl::unexpected(data_set.error());
    if (request->config_json().size() > kMaxConfigBytes) {
      return InvalidArgument("the configuration is longer than 64 KiB", "Shorten it");
    }
    const auto base = IdOf(request->base_model(), "models");
    if (!base) return tl::unexpected(base.error());
    const TrainSpec spec{request->model_id(),    *data_set,       request->estimator(),
                         request->config_json(), request->seed(), *base};
    const auto progress = [&](const TrainingState& state) {
      v1::TrainModelResponse response;
      response.set_epoch(state.epoch);
      response.set_max_epochs(state.max_epochs);
      response.set_training_loss(state.training_loss);
      response.set_heldout_loss(state.heldout_loss);
      response.set_rows_per_second(state.rows_per_second);
      writer->Write(response);  // A client that has gone stops the training by the token.
    };
    const auto model = engine_.TrainModel(spec, progress, stop);
    if (!model) return tl::unexpected(model.error());
    v1::TrainModelResponse last;
    *last.mutable_model() = rpc::ToProto(*model);
    if (!writer->Write(last)) return ClientGone();
    return {};
  });
}

grpc::Status SimulatorService::ListSimulatorModels(grpc::ServerContext* context,
                                                   const v1::ListSimulatorModelsRequest* request,
                                                   v1::ListSimulatorModelsResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_,
               [&](std::stop_token stop, const rpc::Caller& caller) -> Status {
                 const auto all = engine_.ListModels(stop);
                 if (!all) return tl::unexpected(all.error());
                 for (const ModelInfo& info : *all) {
                   if (!guard_.MaySee(caller, "models/" + info.id)) continue;
                   *response->add_models() = rpc::ToProto(info);
                 }
                 return {};
               });
}

grpc::Status SimulatorService::GetSimulatorModel(grpc::ServerContext* context,
                                                 const v1::GetSimulatorModelRequest* request,
                                                 v1::GetSimulatorModelResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto id = rpc::ParseName(request->name(), "models");
    if (!id) return tl::unexpected(id.error());
    const auto info = engine_.GetModel(*id, stop);
    if (!info) return tl::unexpected(info.error());
    *response->mutable_model() = rpc::ToProto(*info);
    return {};
  });
}

grpc::Status SimulatorService::SampleTheta(grpc::ServerContext* context,
                                           const v1::SampleThetaRequest* request,
                                           grpc::ServerWriter<v1::SampleThetaResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto query = QueryOf(*request);
    if (!query) return tl::unexpected(query.error());
    const auto take = [&](const PosteriorDraw& block) -> Status {
      v1::SampleThetaResponse response;
      *response.mutable_theta() =
          rpc::ToArray<double>("theta", block.theta, {block.size(), block.columns});
      *response.mutable_log_density() =
          rpc::ToArray<double>("log_density", block.log_density, {block.log_density.size()});
      AddWarnings(block.warnings, response);
      AddReport(block, response);
      return writer->Write(response) ? Status() : ClientGone();
    };
    return engine_.Sample(*query, request->draws(), request->seed(), take, stop);
  });
}

grpc::Status SimulatorService::EvaluateThetaLogProb(grpc::ServerContext* context,
                                                    const v1::EvaluateThetaLogProbRequest* request,
                                                    v1::EvaluateThetaLogProbResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto query = QueryOf(*request);
    if (!query) return tl::unexpected(query.error());
    const auto theta = rpc::FromArray<double>(request->theta(), 2);
    if (!theta) return tl::unexpected(theta.error());
    const auto answer = engine_.LogDensity(*query, *theta, stop);
    if (!answer) return tl::unexpected(answer.error());
    *response->mutable_log_density() =
        rpc::ToArray<double>("log_density", answer->log_density, {answer->log_density.size()});
    if (answer->restriction) {
      *response->mutable_standard_error() = rpc::ToArray<double>(
          "standard_error", answer->standard_error, {answer->standard_error.size()});
    }
    AddWarnings(answer->warnings, *response);
    AddReport(*answer, *response);
    return {};
  });
}

grpc::Status SimulatorService::EstimateThetaMap(grpc::ServerContext* context,
                                                const v1::EstimateThetaMapRequest* request,
                                                v1::EstimateThetaMapResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto query = QueryOf(*request);
    if (!query) return tl::unexpected(query.error());
    const auto map = engine_.Map(*query, request->draws(), request->seed(), stop);
    if (!map) return tl::unexpected(map.error());
    response->mutable_theta()->Assign(map->theta.begin(), map->theta.end());
    response->set_log_density(map->log_density);
    AddWarnings(map->warnings, *response);
    AddReport(*map, *response);
    return {};
  });
}

grpc::Status SimulatorService::ProposeTheta(grpc::ServerContext* context,
                                            const v1::ProposeThetaRequest* request,
                                            grpc::ServerWriter<v1::ProposeThetaResponse>* writer) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    auto query = QueryOf(request->model(), request->x());
    if (!query) return tl::unexpected(query.error());
    const auto model = engine_.GetModel(query->model, stop);
    if (!model) return tl::unexpected(model.error());
    const std::uint64_t d = model->prior.dimension();
    const auto take = [&](std::span<const double> theta) -> Status {
      v1::ProposeThetaResponse response;
      *response.mutable_theta() = rpc::ToArray<double>("theta", theta, {theta.size() / d, d});
      return writer->Write(response) ? Status() : ClientGone();
    };
    const ProposalSpec spec{query->model,    std::move(query->x), request->draws(),
                            request->mass(), request->seed(),     request->most_tries()};
    const auto report = engine_.Propose(spec, take, stop);
    if (!report) return tl::unexpected(report.error());
    v1::ProposeThetaResponse last;
    last.set_tries(report->tries);
    last.set_prior_share(report->prior_share);
    last.set_from_prior(report->from_prior);
    AddWarnings(report->warnings, last);
    return writer->Write(last) ? Status() : ClientGone();
  });
}

grpc::Status SimulatorService::CheckCalibration(grpc::ServerContext* context,
                                                const v1::CheckCalibrationRequest* request,
                                                v1::CheckCalibrationResponse* response) {
  return Serve(guard_, *context, *request, queries_, stop_, [&](std::stop_token stop) -> Status {
    const auto model = IdOf(request->model(), "models");
    if (!model) return tl::unexpected(model.error());
    const auto data_set = IdOf(request->dataset(), "datasets");
    if (!data_set) return tl::unexpected(data_set.error());
    CalibrationSpec spec{*model,           *data_set,       request->pairs(),
                         request->draws(), request->seed(), {}};
    if (request->has_x()) {
      auto x = rpc::FromArray<float>(request->x(), 1);
      if (!x) return tl::unexpected(x.error());
      spec.x = std::move(*x);
    }
    const auto report = engine_.Check(spec, stop);
    if (!report) return tl::unexpected(report.error());
    *response = rpc::ToProto(*report);
    return {};
  });
}

}  // namespace inferon::trainer
