#include "server/trainer/services/study_service.h"

#include "common/rpc/convert.h"
#include "common/rpc/status.h"
#include "server/trainer/services/convert.h"

namespace inferon::trainer {
namespace {

// How long a watch waits before it looks whether its client is still there, and how often it sends
// at most.
constexpr std::chrono::milliseconds kWatchPatience{200};
constexpr std::chrono::milliseconds kWatchInterval{100};

grpc::Status ToGrpc(const Status& status) {
  return status ? grpc::Status::OK : rpc::ToStatus(status.error());
}

// Record of the study that a resource name means, put into the response.
template <typename Call, typename Response>
Status Answer(const std::string& name, Response& response, Call&& call) {
  const auto id = rpc::ParseName(name, "studies");
  if (!id) return tl::unexpected(id.error());
  const Result<StudyRecord> record = call(*id);
  if (!record) return tl::unexpected(record.error());
  *response.mutable_study() = ToProto(*record);
  return {};
}

}  // namespace

StudyService::StudyService(StudyManager& studies, const rpc::CallGuard& guard, Clock& clock,
                           std::stop_token stop)
    : studies_(studies), guard_(guard), clock_(clock), stop_(std::move(stop)) {}

grpc::Status StudyService::CreateStudy(grpc::ServerContext* context,
                                       const v1::CreateStudyRequest* request,
                                       v1::CreateStudyResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    auto spec = FromProto(request->spec());
    if (!spec) return rpc::ToStatus(spec.error());
    const auto record = studies_.Create(request->study_id(), std::move(*spec));
    if (!record) return rpc::ToStatus(record.error());
    *response->mutable_study() = ToProto(*record);
    return grpc::Status::OK;
  });
}

grpc::Status StudyService::GetStudy(grpc::ServerContext* context,
                                    const v1::GetStudyRequest* request,
                                    v1::GetStudyResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    return ToGrpc(Answer(request->name(), *response,
                         [&](const std::string& id) { return studies_.Get(id); }));
  });
}

grpc::Status StudyService::CancelStudy(grpc::ServerContext* context,
                                       const v1::CancelStudyRequest* request,
                                       v1::CancelStudyResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    return ToGrpc(Answer(request->name(), *response,
                         [&](const std::string& id) { return studies_.Cancel(id); }));
  });
}

grpc::Status StudyService::ListStudies(grpc::ServerContext* context,
                                       const v1::ListStudiesRequest* request,
                                       v1::ListStudiesResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
    std::vector<StudyRecord> all = studies_.List();
    std::erase_if(all, [&](const StudyRecord& study) {
      return !caller.Holds("projects/" + study.spec.project);
    });
    const auto page = TakePage(all, request->page_size(), request->page_token());
    if (!page) return rpc::ToStatus(page.error());
    for (const StudyRecord& record : page->records) *response->add_studies() = ToProto(record);
    response->set_next_page_token(page->next_token);
    return grpc::Status::OK;
  });
}

grpc::Status StudyService::WatchStudy(grpc::ServerContext* context,
                                      const v1::WatchStudyRequest* request,
                                      grpc::ServerWriter<v1::WatchStudyResponse>* writer) {
  return guard_.Run(*context, *request,
                    [&](const rpc::Caller&) { return ToGrpc(Watch(*context, *request, *writer)); });
}

Status StudyService::Watch(grpc::ServerContext& context, const v1::WatchStudyRequest& request,
                           grpc::ServerWriter<v1::WatchStudyResponse>& writer) {
  const auto id = rpc::ParseName(request.name(), "studies");
  if (!id) return tl::unexpected(id.error());
  const auto pass = watches_.Enter();
  if (!pass) return tl::unexpected(pass.error());
  std::uint64_t seen = request.after_revision();
  while (!context.IsCancelled()) {
    if (stop_.stop_requested()) {
      return Fail(ErrorCode::kUnavailable, "the trainer stops", "Watch again when it is back");
    }
    const auto record = studies_.Wait(*id, seen, kWatchPatience);
    if (!record) return tl::unexpected(record.error());
    if (record->revision != seen) {
      v1::WatchStudyResponse response;
      *response.mutable_study() = ToProto(*record);
      if (!writer.Write(response)) break;
      seen = record->revision;
    }
    if (record->state != StudyState::kRunning) return {};
    clock_.SleepFor(kWatchInterval, stop_);
  }
  return Fail(ErrorCode::kCancelled, "the client has gone");
}

grpc::Status StudyService::StreamStudyReport(
    grpc::ServerContext* context, const v1::StreamStudyReportRequest* request,
    grpc::ServerWriter<v1::StreamStudyReportResponse>* writer) {
  return guard_.Run(*context, *request,
                    [&](const rpc::Caller&) { return ToGrpc(StreamReport(*request, *writer)); });
}

Status StudyService::StreamReport(const v1::StreamStudyReportRequest& request,
                                  grpc::ServerWriter<v1::StreamStudyReportResponse>& writer) {
  const auto id = rpc::ParseName(request.name(), "studies");
  if (!id) return tl::unexpected(id.error());
  const auto record = studies_.Get(*id);
  if (!record) return tl::unexpected(record.error());
  const auto report = studies_.ReadStudyReport(*id);
  if (!report) return tl::unexpected(report.error());
  v1::StreamStudyReportResponse first;
  *first.mutable_study() = ToProto(*record);
  for (const ReportNumber& number : report->numbers) *first.add_numbers() = ToProto(number);
  for (const std::string& name : report->parameters) first.add_parameters(name);
  for (const std::string& name : report->features) first.add_features(name);
  bool open = writer.Write(first);
  for (const ReportArray& array : report->arrays) {
    if (!open) break;  // The client has gone.
    v1::StreamStudyReportResponse response;
    *response.add_arrays() = ToProto(array);
    open = writer.Write(response);
  }
  return {};
}

}  // namespace inferon::trainer
