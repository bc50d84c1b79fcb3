#include "tests/rpc/access_matrix.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "common/access/token_file.h"
#include "common/base/clock.h"
#include "common/rpc/server.h"
#include "inferon/v1/errors.pb.h"

namespace inferon::rpc {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

const auto* Pool() { return google::protobuf::DescriptorPool::generated_pool(); }

// The callers' tokens, by name. The texts are kept for the life of the test program.
std::map<std::string, NewToken>& Tokens() {
  static std::map<std::string, NewToken> tokens = [] {
    std::map<std::string, NewToken> made;
    const auto add = [&](const char* name, Role role, std::vector<std::string> scope) {
      made[name] = MakeToken({.role = role, .scope = std::move(scope), .label = name});
    };
    add("viewer", Role::kViewer, {"projects/lab"});
    add("submitter", Role::kSubmitter, {"projects/lab"});
    add("operator", Role::kOperator, {});
    add("worker", Role::kWorker, {"workers/chip-1"});
    add("submitter of all", Role::kSubmitter, {});
    add("viewer of another", Role::kViewer, {"projects/other"});
    add("submitter of another", Role::kSubmitter, {"projects/other"});
    add("another worker", Role::kWorker, {"workers/chip-2"});
    add("expired", Role::kOperator, {});
    made["expired"].record.expires = WallTime(std::chrono::seconds(1));
    add("revoked", Role::kOperator, {});
    made["revoked"].record.revoked = WallTime(std::chrono::seconds(1));
    return made;
  }();
  return tokens;
}

void SetText(Message& message, const std::string& path, const std::string& text) {
  const auto dot = path.find('.');
  const auto* field = message.GetDescriptor()->FindFieldByName(path.substr(0, dot));
  ASSERT_NE(field, nullptr) << path;
  if (dot == std::string::npos) {
    message.GetReflection()->SetString(&message, field, text);
  } else {
    SetText(*message.GetReflection()->MutableMessage(&message, field), path.substr(dot + 1), text);
  }
}

// One call with one message, whatever kind of method it is. Deadline: the caller may be let through
// to a stream that goes on.
grpc::Status Call(grpc::Channel& channel, const MethodDescriptor& method, const std::string& bytes,
                  const std::string& token) {
  grpc::ClientContext context;
  context.set_deadline(SystemClock().WallNow() + std::chrono::seconds(20));
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  grpc::CompletionQueue queue;
  const auto next = [&] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  grpc::GenericStub stub(
      std::shared_ptr<grpc::Channel>(&channel, [](grpc::Channel*) {}));  // Of the caller.
  const auto call =
      stub.PrepareCall(&context, "/" + method.service()->full_name() + "/" + method.name(), &queue);
  call->StartCall(nullptr);
  if (next()) {
    const grpc::Slice slice(bytes);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    if (next()) {
      call->WritesDone(nullptr);
      next();
    }
    for (;;) {
      grpc::ByteBuffer answer;
      call->Read(&answer, nullptr);
      if (!next()) break;
    }
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  next();
  queue.Shutdown();
  while (next()) {
  }
  return status;
}

std::string CauseOf(const grpc::Status& status) {
  v1::StatusDetails details;
  v1::ErrorInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details_size() == 0 ||
      !info.ParseFromString(details.details(0).value()) || info.metadata().at("advice").empty()) {
    return "no details";
  }
  return info.metadata().contains("cause") ? info.metadata().at("cause") : "no cause";
}

bool Passes(const std::string& caller, const AccessRow& row) {
  const bool owned = *row.field != '\0';
  if (caller == "worker") return row.least == 'w';
  if (caller == "another worker") return row.least == 'w' && !owned;
  if (row.least == 'w') return false;
  if (caller == "operator") return true;
  if (caller == "submitter of all") return row.least != 'o';
  if (owned && caller.ends_with("of another")) return false;
  return row.least == 'v' || (row.least == 's' && caller.starts_with("submitter"));
}

class Matrix {
 public:
  Matrix(const std::string& address, const MethodDescriptor& method, const AccessRow& row)
      : channel_(OpenChannel(address)), method_(method), row_(row) {
    const std::unique_ptr<Message> request(google::protobuf::MessageFactory::generated_factory()
                                               ->GetPrototype(method.input_type())
                                               ->New());
    if (*row.field != '\0') SetText(*request, row.field, row.own);
    request_ = request->SerializeAsString();
  }

  void ExpectAll() {
    ExpectRefused("no token", "", grpc::StatusCode::UNAUTHENTICATED, "TOKEN_MISSING");
    ExpectRefused("nonsense", "x", grpc::StatusCode::UNAUTHENTICATED, "TOKEN_MALFORMED");
    ExpectRefused("a stranger", MakeToken({.label = "eve"}).text, grpc::StatusCode::UNAUTHENTICATED,
                  "TOKEN_UNKNOWN");
    for (const auto& [name, token] : Tokens()) {
      if (name == "expired" || name == "revoked") {
        ExpectRefused(name, token.text, grpc::StatusCode::UNAUTHENTICATED,
                      name == "expired" ? "TOKEN_EXPIRED" : "TOKEN_REVOKED");
      } else {
        ExpectRightly(name, token.text);
      }
    }
  }

 private:
  void ExpectRefused(const std::string& who, const std::string& token, grpc::StatusCode code,
                     const std::string& cause) {
    const grpc::Status status = Call(*channel_, method_, request_, token);
    EXPECT_EQ(status.error_code(), code) << row_.method << " as " << who;
    EXPECT_EQ(CauseOf(status), cause) << row_.method << " as " << who;
  }

  void ExpectRightly(const std::string& who, const std::string& token) {
    const grpc::Status status = Call(*channel_, method_, request_, token);
    const bool refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
    EXPECT_NE(status.error_code(), grpc::StatusCode::UNAUTHENTICATED)
        << row_.method << " as " << who;
    EXPECT_EQ(!refused, Passes(who, row_))
        << row_.method << " as " << who << ": " << status.error_message();
    if (!refused) return;
    const std::string cause = CauseOf(status);
    EXPECT_TRUE(cause == "ROLE" || cause == "OWNER") << row_.method << ": " << cause;
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const MethodDescriptor& method_;
  const AccessRow& row_;
  std::string request_;
};

}  // namespace

const std::vector<AccessRow>& AccessRows() {
  static const std::vector<AccessRow> rows{
      {"ExperimentService.CreateJob", 's', "parent", "projects/lab"},
      {"ExperimentService.GetJob", 'v', "name", "projects/lab/jobs/1"},
      {"ExperimentService.ListJobs", 'v', "parent", "projects/lab"},
      {"ExperimentService.CancelJob", 's', "name", "projects/lab/jobs/1"},
      {"ExperimentService.PauseJob", 's', "name", "projects/lab/jobs/1"},
      {"ExperimentService.ResumeJob", 's', "name", "projects/lab/jobs/1"},
      {"ExperimentService.ExplainJob", 'v', "name", "projects/lab/jobs/1"},
      {"ExperimentService.WatchJob", 'v', "name", "projects/lab/jobs/1"},
      {"ExperimentService.StreamResults", 'v', "name", "projects/lab/jobs/1"},
      {"WorkerService.Synchronize", 'w', "worker", "chip-1"},
      {"WorkerService.GetShard", 'w', "", ""},
      {"WorkerService.UploadShard", 'w', "", ""},
      {"WorkerService.GetUpload", 'w', "", ""},
      {"WorkerService.CommitShard", 'w', "", ""},
      {"WorkerService.FailShard", 'w', "", ""},
      {"WorkerService.ListWorkers", 'v', "", ""},
      {"WorkerService.GetWorker", 'v', "", ""},
      {"WorkerService.DrainWorker", 'o', "", ""},
      {"WorkerService.ResumeWorker", 'o', "", ""},
      {"WorkerService.CreateReservation", 'o', "", ""},
      {"WorkerService.ListReservations", 'v', "", ""},
      {"WorkerService.DeleteReservation", 'o', "", ""},
      {"WorkerService.SetCanary", 'o', "", ""},
      {"WorkerService.ListCanaries", 'v', "", ""},
      {"ProjectService.CreateProject", 'o', "", ""},
      {"ProjectService.GetProject", 'v', "name", "projects/lab"},
      {"ProjectService.ListProjects", 'v', "", ""},
      {"ProjectService.UpdateProject", 'o', "", ""},
      {"ProjectService.ListEvents", 'v', "project", "projects/lab"},
      {"ProjectService.CollectGarbage", 'o', "", ""},
      {"StudyService.CreateStudy", 's', "spec.project", "projects/lab"},
      {"StudyService.GetStudy", 'v', "name", "studies/toy"},
      {"StudyService.ListStudies", 'v', "", ""},
      {"StudyService.WatchStudy", 'v', "name", "studies/toy"},
      {"StudyService.CancelStudy", 's', "name", "studies/toy"},
      {"StudyService.StreamStudyReport", 'v', "name", "studies/toy"},
      {"ModelService.ListModels", 'v', "", ""},
      {"ModelService.GetModel", 'v', "name", "models/toy-features"},
      {"ModelService.LoadModel", 's', "name", "models/toy-features"},
      {"ModelService.PromoteModel", 'o', "", ""},
      {"ModelService.RollBackModel", 'o', "", ""},
      {"ModelService.ListModelAliases", 'v', "", ""},
      {"ModelService.DeleteModel", 's', "name", "models/toy-features"},
      {"PosteriorService.SamplePosterior", 'v', "model", "models/toy-features"},
      {"PosteriorService.EstimateMap", 'v', "model", "models/toy-features"},
      {"PosteriorService.EvaluateLogProb", 'v', "model", "models/toy-features"},
      {"PosteriorService.PredictPosterior", 's', "model", "models/toy-features"},
      {"SimulatorService.ImportDataset", 's', "dataset.project", "projects/lab"},
      {"SimulatorService.ListDatasets", 'v', "", ""},
      {"SimulatorService.ExportDataset", 'v', "name", "datasets/own"},
      {"SimulatorService.ExportStudyRound", 'v', "study", "studies/toy"},
      {"SimulatorService.TrainModel", 's', "dataset", "datasets/own"},
      {"SimulatorService.ListSimulatorModels", 'v', "", ""},
      {"SimulatorService.GetSimulatorModel", 'v', "name", "models/toy-features"},
      {"SimulatorService.SampleTheta", 'v', "model", "models/toy-features"},
      {"SimulatorService.ProposeTheta", 'v', "model", "models/toy-features"},
      {"SimulatorService.EvaluateThetaLogProb", 'v', "model", "models/toy-features"},
      {"SimulatorService.EstimateThetaMap", 'v', "model", "models/toy-features"},
      {"SimulatorService.CheckCalibration", 'v', "model", "models/toy-features"},
  };
  return rows;
}

void WriteMatrixTokens(const std::filesystem::path& file) {
  const Status written = ChangeTokenFile(file, [](auto& tokens) -> Status {
    for (const auto& [name, token] : Tokens()) tokens.push_back(token.record);
    return {};
  });
  ASSERT_TRUE(written) << written.error().Text();
}

void ExpectAccess(const std::string& address, const std::vector<std::string>& services) {
  std::map<std::string, const AccessRow*> rows;
  for (const AccessRow& row : AccessRows()) rows[row.method] = &row;
  for (const std::string& name : services) {
    const auto* service = Pool()->FindServiceByName("inferon.v1." + name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor& method = *service->method(i);
      const auto row = rows.find(name + "." + method.name());
      if (row == rows.end()) {
        ADD_FAILURE() << "say in AccessRows who may call " << method.full_name();
        continue;
      }
      Matrix(address, method, *row->second).ExpectAll();
    }
  }
}

}  // namespace inferon::rpc
