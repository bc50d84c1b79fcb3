// StudyService and ModelService of the API.
#pragma once

#include <stop_token>

#include "common/base/clock.h"
#include "common/rpc/call_guard.h"
#include "inferon/v1/inference.grpc.pb.h"
#include "server/trainer/registry/registry.h"
#include "server/trainer/services/call_limit.h"
#include "server/trainer/studies/study_manager.h"

namespace inferon::trainer {

// Thread-safe. Watches end with UNAVAILABLE when `stop` is requested.
class StudyService final : public v1::StudyService::Service {
 public:
  // What it refers to outlives the service.
  StudyService(StudyManager& studies, const rpc::CallGuard& guard, Clock& clock,
               std::stop_token stop);

  grpc::Status CreateStudy(grpc::ServerContext* context, const v1::CreateStudyRequest* request,
                           v1::CreateStudyResponse* response) override;
  grpc::Status GetStudy(grpc::ServerContext* context, const v1::GetStudyRequest* request,
                        v1::GetStudyResponse* response) override;
  grpc::Status ListStudies(grpc::ServerContext* context, const v1::ListStudiesRequest* request,
                           v1::ListStudiesResponse* response) override;
  grpc::Status WatchStudy(grpc::ServerContext* context, const v1::WatchStudyRequest* request,
                          grpc::ServerWriter<v1::WatchStudyResponse>* writer) override;
  grpc::Status CancelStudy(grpc::ServerContext* context, const v1::CancelStudyRequest* request,
                           v1::CancelStudyResponse* response) override;
  grpc::Status StreamStudyReport(
      grpc::ServerContext* context, const v1::StreamStudyReportRequest* request,
      grpc::ServerWriter<v1::StreamStudyReportResponse>* writer) override;

 private:
  Status Watch(grpc::ServerContext& context, const v1::WatchStudyRequest& request,
               grpc::ServerWriter<v1::WatchStudyResponse>& writer);
  Status StreamReport(const v1::StreamStudyReportRequest& request,
                      grpc::ServerWriter<v1::StreamStudyReportResponse>& writer);

  StudyManager& studies_;
  const rpc::CallGuard& guard_;
  Clock& clock_;
  const std::stop_token stop_;
  CallLimit watches_{"watches of studies", 64};
};

}  // namespace inferon::trainer
