// A trainer over real gRPC whose answers a test scripts: studies that end as told, one model, and
// posteriors that are made up from the request's seed.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/rpc/server.h"
#include "inferon/v1/inference.grpc.pb.h"

namespace inferon::cli {

// What the fake says; set before the calls, except where noted.
struct TrainerScript {
  v1::StudyState end = v1::STUDY_STATE_SUCCEEDED;
  std::string error;       // Of the study, where it ends badly.
  int broken_watches = 0;  // So many watches end early, the first after its first message,
  grpc::Status broken{grpc::StatusCode::UNAVAILABLE, "killed"};  // with this status.
  bool has_model = true;
  double step_us = 1000;      // Stimulus of the model's protocol, from 200 us on.
  std::string warning;        // Of every posterior answer.
  grpc::Status refuse;        // Of every call, where it is not OK.
  std::string missing_array;  // Left out of the report.
  bool old = false;           // Knows no restrictions of queries.
};

class FakeTrainer : public v1::StudyService::Service,
                    public v1::ModelService::Service,
                    public v1::PosteriorService::Service {
 public:
  explicit FakeTrainer(TrainerScript script);
  ~FakeTrainer() override;
  const std::string& address() const { return server_.address; }

  // What was asked last.
  v1::CreateStudyRequest created() const;
  v1::Observation observed() const;
  std::uint64_t watched_after() const;  // Revision of the last watch.

  grpc::Status CreateStudy(grpc::ServerContext*, const v1::CreateStudyRequest* request,
                           v1::CreateStudyResponse* response) override;
  grpc::Status GetStudy(grpc::ServerContext*, const v1::GetStudyRequest* request,
                        v1::GetStudyResponse* response) override;
  grpc::Status ListStudies(grpc::ServerContext*, const v1::ListStudiesRequest*,
                           v1::ListStudiesResponse* response) override;
  grpc::Status WatchStudy(grpc::ServerContext*, const v1::WatchStudyRequest* request,
                          grpc::ServerWriter<v1::WatchStudyResponse>* writer) override;
  grpc::Status CancelStudy(grpc::ServerContext*, const v1::CancelStudyRequest*,
                           v1::CancelStudyResponse* response) override;
  grpc::Status StreamStudyReport(
      grpc::ServerContext*, const v1::StreamStudyReportRequest*,
      grpc::ServerWriter<v1::StreamStudyReportResponse>* writer) override;
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override;
  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override;
  grpc::Status SamplePosterior(grpc::ServerContext*, const v1::SamplePosteriorRequest* request,
                               grpc::ServerWriter<v1::SamplePosteriorResponse>* writer) override;
  grpc::Status EstimateMap(grpc::ServerContext*, const v1::EstimateMapRequest* request,
                           v1::EstimateMapResponse* response) override;
  grpc::Status EvaluateLogProb(grpc::ServerContext*, const v1::EvaluateLogProbRequest* request,
                               v1::EvaluateLogProbResponse* response) override;
  grpc::Status PredictPosterior(grpc::ServerContext*, const v1::PredictPosteriorRequest* request,
                                grpc::ServerWriter<v1::PredictPosteriorResponse>* writer) override;

 private:
  v1::Study MakeStudy(bool ended) const;
  v1::Model MakeModel() const;
  void Remember(const v1::Observation& observation);

  const TrainerScript script_;
  mutable std::mutex mu_;
  v1::CreateStudyRequest created_;   // Guarded by mu_.
  v1::Observation observed_;         // Guarded by mu_.
  std::uint64_t watched_after_ = 0;  // Guarded by mu_.
  int watches_ = 0;                  // Guarded by mu_.
  rpc::Server server_;
};

}  // namespace inferon::cli
