// SimulatorService of the API.
#pragma once

#include <stop_token>

#include "common/inference/engine.h"
#include "common/rpc/call_guard.h"
#include "inferon/v1/simulators.grpc.pb.h"
#include "server/trainer/services/call_limit.h"

namespace inferon::trainer {

// Thread-safe. Calls end when their client has gone or `stop` is requested.
class SimulatorService final : public v1::SimulatorService::Service {
 public:
  // Engine and guard outlive the service.
  SimulatorService(InferenceEngine& engine, const rpc::CallGuard& guard, std::stop_token stop,
                   int most_queries = 16);

  grpc::Status ImportDataset(grpc::ServerContext* context,
                             grpc::ServerReader<v1::ImportDatasetRequest>* reader,
                             v1::ImportDatasetResponse* response) override;
  grpc::Status ListDatasets(grpc::ServerContext* context, const v1::ListDatasetsRequest* request,
                            v1::ListDatasetsResponse* response) override;
  grpc::Status ExportDataset(grpc::ServerContext* context, const v1::ExportDatasetRequest* request,
                             grpc::ServerWriter<v1::ExportDatasetResponse>* writer) override;
  grpc::Status TrainModel(grpc::ServerContext* context, const v1::TrainModelRequest* request,
                          grpc::ServerWriter<v1::TrainModelResponse>* writer) override;
  grpc::Status ExportStudyRound(grpc::ServerContext* context,
                                const v1::ExportStudyRoundRequest* request,
                                grpc::ServerWriter<v1::ExportStudyRoundResponse>* writer) override;
  grpc::Status ListSimulatorModels(grpc::ServerContext* context,
                                   const v1::ListSimulatorModelsRequest* request,
                                   v1::ListSimulatorModelsResponse* response) override;
  grpc::Status GetSimulatorModel(grpc::ServerContext* context,
                                 const v1::GetSimulatorModelRequest* request,
                                 v1::GetSimulatorModelResponse* response) override;
  grpc::Status SampleTheta(grpc::ServerContext* context, const v1::SampleThetaRequest* request,
                           grpc::ServerWriter<v1::SampleThetaResponse>* writer) override;
  grpc::Status EvaluateThetaLogProb(grpc::ServerContext* context,
                                    const v1::EvaluateThetaLogProbRequest* request,
                                    v1::EvaluateThetaLogProbResponse* response) override;
  grpc::Status EstimateThetaMap(grpc::ServerContext* context,
                                const v1::EstimateThetaMapRequest* request,
                                v1::EstimateThetaMapResponse* response) override;
  grpc::Status ProposeTheta(grpc::ServerContext* context, const v1::ProposeThetaRequest* request,
                            grpc::ServerWriter<v1::ProposeThetaResponse>* writer) override;
  grpc::Status CheckCalibration(grpc::ServerContext* context,
                                const v1::CheckCalibrationRequest* request,
                                v1::CheckCalibrationResponse* response) override;

 private:
  InferenceEngine& engine_;
  const std::stop_token stop_;
  const rpc::CallGuard& guard_;
  CallLimit queries_;
};

}  // namespace inferon::trainer
