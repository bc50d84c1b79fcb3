#include "client/library/trainer_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "inferon/v1/inference.grpc.pb.h"

namespace inferon::client {
namespace {

using ::testing::ElementsAre;

class FakeStudies : public v1::StudyService::Service {
 public:
  grpc::Status ListStudies(grpc::ServerContext*, const v1::ListStudiesRequest* request,
                           v1::ListStudiesResponse* response) override {
    const bool first = request->page_token().empty();
    response->add_studies()->set_name(first ? "studies/new" : "studies/old");
    if (first) response->set_next_page_token("more");
    return grpc::Status::OK;
  }
  grpc::Status WatchStudy(grpc::ServerContext*, const v1::WatchStudyRequest* request,
                          grpc::ServerWriter<v1::WatchStudyResponse>* writer) override {
    cursors.push_back(request->after_revision());
    for (std::uint64_t revision = request->after_revision() + 1; revision <= 3; ++revision) {
      v1::WatchStudyResponse response;
      response.mutable_study()->set_revision(revision);
      writer->Write(response);
      if (revision == 1) return {grpc::StatusCode::UNAVAILABLE, "killed"};
    }
    return grpc::Status::OK;
  }
  grpc::Status StreamStudyReport(
      grpc::ServerContext*, const v1::StreamStudyReportRequest*,
      grpc::ServerWriter<v1::StreamStudyReportResponse>* writer) override {
    v1::StreamStudyReportResponse first;
    first.mutable_study()->set_name("studies/demo");
    first.add_numbers()->set_key("constrained_share");
    first.add_parameters("g_l");
    first.add_features("spike_count");
    writer->Write(first);
    if (++reports == 1) return {grpc::StatusCode::UNAVAILABLE, "killed"};
    v1::StreamStudyReportResponse second;
    second.add_arrays()->set_name("target");
    writer->Write(second);
    return grpc::Status::OK;
  }

  std::vector<std::uint64_t> cursors;
  int reports = 0;
};

class FakePosteriors : public v1::PosteriorService::Service {
 public:
  grpc::Status SamplePosterior(grpc::ServerContext*, const v1::SamplePosteriorRequest*,
                               grpc::ServerWriter<v1::SamplePosteriorResponse>* writer) override {
    ++samples;
    for (std::uint16_t block = 0; block < 3; ++block) {
      v1::SamplePosteriorResponse response;
      const ParameterSets sets{.dimension = 2, .codes = {block, 1, block, 2}};
      *response.mutable_codes() = rpc::ToProto(sets);
      const std::vector<double> density(short_density ? 1 : 2, -1.5);
      *response.mutable_log_density() =
          rpc::ToArray<double>("log_density", density, {density.size()});
      if (block == 0) {
        response.mutable_model()->set_name("models/m");
        response.add_warnings("outside");
      }
      if (block == 2) response.set_acceptance(0.5);
      writer->Write(response);
      if (samples == 1 && block == 1) return {grpc::StatusCode::UNAVAILABLE, "killed"};
    }
    return grpc::Status::OK;
  }
  grpc::Status PredictPosterior(grpc::ServerContext*, const v1::PredictPosteriorRequest* request,
                                grpc::ServerWriter<v1::PredictPosteriorResponse>* writer) override {
    request_ids.push_back(request->request_id());
    if (request_ids.size() == 1) return {grpc::StatusCode::UNAVAILABLE, "killed"};
    v1::PredictPosteriorResponse response;
    *response.mutable_codes() = rpc::ToProto(ParameterSets{.dimension = 1, .codes = {4, 5}});
    const std::vector<std::uint16_t> traces{1, 2, 3, 4, 5, 6};
    *response.mutable_traces() = rpc::ToArray<std::uint16_t>("traces", traces, {2, 3});
    const std::vector<float> features{1, std::numeric_limits<float>::quiet_NaN()};
    *response.mutable_features() = rpc::ToArray<float>("features", features, {2, 1});
    response.add_feature_names("spike_count");
    writer->Write(response);
    return grpc::Status::OK;
  }

  int samples = 0;
  bool short_density = false;
  std::vector<std::string> request_ids;
};

class TrainerClientTest : public ::testing::Test {
 protected:
  TrainerClientTest() {
    server_ = std::move(*rpc::StartServer({}, {&studies_, &posteriors_}));
    client_ = MakeTrainerClient({.address = server_.address, .clock = &clock_});
  }

  FakeClock clock_;
  FakeStudies studies_;
  FakePosteriors posteriors_;
  rpc::Server server_;
  std::unique_ptr<TrainerClient> client_;
};

TEST_F(TrainerClientTest, ListsAllPages) {
  const auto studies = client_->ListStudies();
  ASSERT_TRUE(studies);
  ASSERT_EQ(studies->size(), 2u);
  EXPECT_EQ((*studies)[0].name(), "studies/new");
  EXPECT_EQ((*studies)[1].name(), "studies/old");
}

TEST_F(TrainerClientTest, BrokenWatchGoesOnAfterTheLastRevision) {
  std::vector<std::uint64_t> revisions;
  const auto take = [&](const v1::Study& study) -> Status {
    revisions.push_back(study.revision());
    return {};
  };
  const Status done = client_->WatchStudy("studies/demo", 0, {}, take);
  EXPECT_TRUE(done);
  EXPECT_THAT(revisions, ElementsAre(1, 2, 3));
  EXPECT_THAT(studies_.cursors, ElementsAre(0, 1));
}

TEST_F(TrainerClientTest, BrokenReportBeginsAgainAndHoldsNothingTwice) {
  const auto report = client_->FetchStudyReport("studies/demo");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->study.name(), "studies/demo");
  EXPECT_EQ(report->numbers.size(), 1u);
  EXPECT_EQ(report->parameters.size(), 1u);
  EXPECT_TRUE(report->arrays.contains("target"));
}

TEST_F(TrainerClientTest, BrokenDrawsBeginAgainAndHoldNothingTwice) {
  std::uint64_t last = 0;
  const auto draws = client_->SamplePosterior({}, {}, [&](std::uint64_t n) { last = n; });
  ASSERT_TRUE(draws) << draws.error().Text();
  EXPECT_THAT(draws->sets.codes, ElementsAre(0, 1, 0, 2, 1, 1, 1, 2, 2, 1, 2, 2));
  EXPECT_EQ(draws->log_density.size(), 6u);
  EXPECT_THAT(draws->warnings, ElementsAre("outside"));
  EXPECT_EQ(draws->model.name(), "models/m");
  EXPECT_DOUBLE_EQ(draws->acceptance, 0.5);
  EXPECT_EQ(last, 6u);
}

TEST_F(TrainerClientTest, DrawsWithoutTheirDensitiesAreDataLoss) {
  posteriors_.short_density = true;
  EXPECT_EQ(client_->SamplePosterior({}).error().code, ErrorCode::kDataLoss);
}

TEST_F(TrainerClientTest, RepeatedPredictionRunsOneJob) {
  const auto predictions = client_->PredictPosterior({});
  ASSERT_TRUE(predictions) << predictions.error().Text();
  EXPECT_EQ(predictions->points, 3u);
  EXPECT_EQ(predictions->sets.size(), 2u);
  ASSERT_EQ(posteriors_.request_ids.size(), 2u);
  EXPECT_FALSE(posteriors_.request_ids[0].empty());
  EXPECT_EQ(posteriors_.request_ids[0], posteriors_.request_ids[1]);
}

}  // namespace
}  // namespace inferon::client
