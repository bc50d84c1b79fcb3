// A trainer behind real gRPC, and one finished toy study for the tests that only ask.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "inferon/v1/inference.grpc.pb.h"
#include "server/trainer/engine/local_engine.h"
#include "server/trainer/services/convert.h"
#include "server/trainer/services/model_service.h"
#include "server/trainer/services/ownership.h"
#include "server/trainer/services/posterior_service.h"
#include "server/trainer/services/simulator_service.h"
#include "server/trainer/services/study_service.h"
#include "tests/trainer/study_fixture.h"

namespace inferon::trainer {

// A trainer on a free port.
class ServedTrainer {
 public:
  explicit ServedTrainer(const std::filesystem::path& data, int most_queries = 16,
                         const rpc::GuardOptions& guard = {})
      : parts(data, QuickOptions()),
        manager(parts.Manager()),
        engine(MakeLocalEngine({data, 1, 1, 4}, parts.registry, *parts.factory, SystemClock())),
        guard_(rpc::OpenTokens(guard, SystemClock()).value(), guard, SystemClock(),
               [this](const std::string& name) {
                 return ProjectOf(name, manager, parts.registry, *engine);
               }),
        study_service_(manager, guard_, SystemClock(), stop.get_token()),
        model_service_(parts.registry, guard_, SystemClock()),
        posterior_service_(parts.registry, parts.experiments, guard_, stop.get_token(),
                           most_queries),
        simulator_service_(*engine, guard_, stop.get_token(), most_queries) {
    server_ = *rpc::StartServer(
        {}, {&study_service_, &model_service_, &posterior_service_, &simulator_service_});
    const auto channel = rpc::OpenChannel(server_.address);
    studies = v1::StudyService::NewStub(channel);
    models = v1::ModelService::NewStub(channel);
    posteriors = v1::PosteriorService::NewStub(channel);
  }
  ~ServedTrainer() {
    stop.request_stop();
    server_.server->Shutdown(SystemClock().WallNow() + std::chrono::seconds(2));
  }

  std::stop_source stop;
  TrainerParts parts;
  StudyManager& manager;
  const std::unique_ptr<InferenceEngine> engine;
  std::unique_ptr<v1::StudyService::Stub> studies;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::PosteriorService::Stub> posteriors;

  const std::string& address() const { return server_.address; }

 private:
  const rpc::CallGuard guard_;
  StudyService study_service_;
  ModelService model_service_;
  PosteriorService posterior_service_;
  SimulatorService simulator_service_;
  rpc::Server server_;
};

// What the toy neuron shows for one code.
inline v1::Observation ObserveToy(std::uint16_t code) {
  ExperimentJob job;
  job.sets = {1, {code}};
  job.protocol = ToyProtocol();
  return rpc::ToProto(Extract(ToyObservations(job, 0, 1), 0), ToyProtocol());
}

class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    trainer_ = new ServedTrainer(folder_->path());
    grpc::ClientContext context;
    v1::CreateStudyRequest request;
    request.set_study_id("toy");
    *request.mutable_spec() = ToProto(ToySpec());
    v1::CreateStudyResponse response;
    ASSERT_TRUE(trainer_->studies->CreateStudy(&context, request, &response).ok());
    ASSERT_EQ(trainer_->parts.Await("toy").state, StudyState::kSucceeded);
  }
  static void TearDownTestSuite() {
    delete trainer_;
    delete folder_;
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static ServedTrainer* trainer_ = nullptr;
};

}  // namespace inferon::trainer
