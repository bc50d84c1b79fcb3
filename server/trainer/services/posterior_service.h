// PosteriorService of the API.
#pragma once

#include <stop_token>

#include "common/base/clock.h"
#include "common/rpc/call_guard.h"
#include "inferon/v1/inference.grpc.pb.h"
#include "server/trainer/queries/posterior.h"
#include "server/trainer/queries/restricted_posterior.h"
#include "server/trainer/registry/registry.h"
#include "server/trainer/services/call_limit.h"
#include "server/trainer/studies/experiments.h"

namespace inferon::trainer {

// Thread-safe. Queries end when their client has gone or `stop` is requested.
class PosteriorService final : public v1::PosteriorService::Service {
 public:
  // What it refers to outlives the service. `experiments` gives up after a while where the
  // scheduler is away.
  PosteriorService(Registry& registry, Experiments& experiments, const rpc::CallGuard& guard,
                   std::stop_token stop, int most_queries = 16);

  grpc::Status SamplePosterior(grpc::ServerContext* context,
                               const v1::SamplePosteriorRequest* request,
                               grpc::ServerWriter<v1::SamplePosteriorResponse>* writer) override;
  grpc::Status EstimateMap(grpc::ServerContext* context, const v1::EstimateMapRequest* request,
                           v1::EstimateMapResponse* response) override;
  grpc::Status EvaluateLogProb(grpc::ServerContext* context,
                               const v1::EvaluateLogProbRequest* request,
                               v1::EvaluateLogProbResponse* response) override;
  grpc::Status PredictPosterior(grpc::ServerContext* context,
                                const v1::PredictPosteriorRequest* request,
                                grpc::ServerWriter<v1::PredictPosteriorResponse>* writer) override;

 private:
  // What every query begins with: the model and the observation as it sees it.
  struct Question {
    std::shared_ptr<const LoadedModel> model;
    ModelInput input;
  };
  Result<Question> Ask(const std::string& model, const v1::Observation& observation);

  Status Sample(const v1::SamplePosteriorRequest& request, std::stop_token stop,
                grpc::ServerWriter<v1::SamplePosteriorResponse>& writer);
  Status Map(const v1::EstimateMapRequest& request, std::stop_token stop,
             v1::EstimateMapResponse& response);
  Status LogProb(const v1::EvaluateLogProbRequest& request, std::stop_token stop,
                 v1::EvaluateLogProbResponse& response);
  // The same for queries about some of the parameters.
  static Result<std::unique_ptr<RestrictedPosterior>> Restrict(const Question& question,
                                                               const v1::Restriction& restriction,
                                                               std::uint64_t seed,
                                                               std::stop_token stop);
  static Status SampleRestricted(const v1::SamplePosteriorRequest& request,
                                 const Question& question, std::uint64_t draws,
                                 std::stop_token stop,
                                 grpc::ServerWriter<v1::SamplePosteriorResponse>& writer);
  static Status RestrictedMap(const v1::EstimateMapRequest& request, const Question& question,
                              std::uint64_t draws, std::stop_token stop,
                              v1::EstimateMapResponse& response);
  static Status RestrictedLogProb(const v1::EvaluateLogProbRequest& request,
                                  const Question& question, const ParameterSets& sets,
                                  std::stop_token stop, v1::EvaluateLogProbResponse& response);
  Status Predict(const v1::PredictPosteriorRequest& request, std::stop_token stop,
                 grpc::ServerWriter<v1::PredictPosteriorResponse>& writer);
  Status StreamPredictions(const Question& question, const ParameterSets& sets,
                           const std::string& job, std::stop_token stop,
                           grpc::ServerWriter<v1::PredictPosteriorResponse>& writer);

  Registry& registry_;
  Experiments& experiments_;
  const std::stop_token stop_;
  const rpc::CallGuard& guard_;
  CallLimit queries_;
};

}  // namespace inferon::trainer
