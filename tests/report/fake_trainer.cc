#include "tests/report/fake_trainer.h"

#include <cmath>

#include "common/base/check.h"
#include "common/neuron/profile.h"
#include "common/rpc/convert.h"
#include "tests/report/synthetic.h"

namespace inferon::cli {
namespace {

constexpr char kStudy[] = "studies/demo";
constexpr char kModel[] = "models/demo-summary";

Profile PaperProfile() {
  Result<Profile> profile = BuiltInProfile("adex-paper");
  INFERON_CHECK(profile);
  return *profile;
}

v1::Array ArrayOf(const report::ReportArray& array) {
  v1::Array message;
  message.set_name(array.name);
  message.set_dtype(array.dtype);
  for (const std::uint64_t extent : array.shape) message.add_shape(extent);
  message.set_data(array.data);
  return message;
}

v1::ReportNumber NumberOf(const report::ReportNumber& number) {
  v1::ReportNumber message;
  message.set_key(number.key);
  message.set_label(number.label);
  message.set_value(number.value);
  message.set_low(number.low);
  message.set_high(number.high);
  message.set_unit(number.unit);
  message.set_paper(number.paper);
  message.set_provenance(number.provenance);
  return message;
}

// n sets of 7 codes around the seed, so that the same seed gives the same draws.
ParameterSets MakeSets(std::uint64_t n, std::uint64_t seed) {
  ParameterSets sets{7, {}};
  for (std::uint64_t i = 0; i < n * 7; ++i) {
    sets.codes.push_back(static_cast<std::uint16_t>((seed * 31 + i * 17) % 1023));
  }
  return sets;
}

}  // namespace

FakeTrainer::FakeTrainer(TrainerScript script) : script_(std::move(script)) {
  Result<rpc::Server> server =
      rpc::StartServer({}, {static_cast<v1::StudyService::Service*>(this),
                            static_cast<v1::ModelService::Service*>(this),
                            static_cast<v1::PosteriorService::Service*>(this)});
  INFERON_CHECK(server);
  server_ = std::move(*server);
}

FakeTrainer::~FakeTrainer() { server_.server->Shutdown(); }

v1::CreateStudyRequest FakeTrainer::created() const {
  const std::lock_guard lock(mu_);
  return created_;
}

v1::Observation FakeTrainer::observed() const {
  const std::lock_guard lock(mu_);
  return observed_;
}

std::uint64_t FakeTrainer::watched_after() const {
  const std::lock_guard lock(mu_);
  return watched_after_;
}

void FakeTrainer::Remember(const v1::Observation& observation) {
  const std::lock_guard lock(mu_);
  observed_ = observation;
}

v1::Study FakeTrainer::MakeStudy(bool ended) const {
  v1::Study study;
  study.set_name(kStudy);
  study.set_state(ended ? script_.end : v1::STUDY_STATE_RUNNING);
  study.set_revision(ended ? 9 : 3);
  if (ended) study.set_error(script_.error);
  study.mutable_spec()->set_profile_toml(PaperProfile().text);
  study.mutable_spec()->set_seed(1);
  study.mutable_spec()->set_min_spikes(1);
  study.mutable_spec()->set_max_spikes(70);
  study.mutable_create_time()->set_seconds(1'700'000'000);
  study.add_models(kModel);
  for (const auto& [id, title] :
       {std::pair{"uniform", "Uniform round"}, {"features", "Estimator on features"}}) {
    v1::StudyStep& step = *study.add_steps();
    step.set_id(id);
    step.set_title(title);
    step.set_unit("experiments");
    step.set_total(100);
    step.set_done(ended ? 100 : 40);
    step.mutable_start_time()->set_seconds(1'700'000'000);
    if (ended) step.mutable_end_time()->set_seconds(1'700'000'012);
  }
  return study;
}

v1::Model FakeTrainer::MakeModel() const {
  v1::Model model;
  model.set_name(kModel);
  model.set_input("summary");
  model.set_study(kStudy);
  const Profile profile = PaperProfile();
  for (const std::string& name : profile.ParameterNames()) model.add_parameters(name);
  model.set_profile(profile.name);
  model.set_profile_sha256(profile.sha256);
  Protocol protocol;
  protocol.steps = {{200, 200 + script_.step_us, 1}};
  protocol.duration_us = 400 + script_.step_us;
  *model.mutable_protocol() = rpc::ToProto(protocol);
  *model.mutable_device() = rpc::ToProto(DeviceId{});
  model.set_training_count(30'000);
  model.set_heldout_log_density(9.5);
  return model;
}

grpc::Status FakeTrainer::CreateStudy(grpc::ServerContext*, const v1::CreateStudyRequest* request,
                                      v1::CreateStudyResponse* response) {
  if (!script_.refuse.ok()) return script_.refuse;
  const std::lock_guard lock(mu_);
  created_ = *request;
  *response->mutable_study() = MakeStudy(false);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::GetStudy(grpc::ServerContext*, const v1::GetStudyRequest* request,
                                   v1::GetStudyResponse* response) {
  if (request->name() != kStudy) {
    return {grpc::StatusCode::NOT_FOUND,
            "there is no " + request->name() + ". List them with 'inferon study list'."};
  }
  *response->mutable_study() = MakeStudy(true);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::ListStudies(grpc::ServerContext*, const v1::ListStudiesRequest*,
                                      v1::ListStudiesResponse* response) {
  *response->add_studies() = MakeStudy(true);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::WatchStudy(grpc::ServerContext*, const v1::WatchStudyRequest* request,
                                     grpc::ServerWriter<v1::WatchStudyResponse>* writer) {
  bool breaks = false, first = false;
  {
    const std::lock_guard lock(mu_);
    watched_after_ = request->after_revision();
    first = watches_ == 0;
    breaks = watches_++ < script_.broken_watches;
  }
  v1::WatchStudyResponse response;
  *response.mutable_study() = MakeStudy(false);
  if (!breaks || first) writer->Write(response);
  if (breaks) return script_.broken;
  *response.mutable_study() = MakeStudy(true);
  writer->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::CancelStudy(grpc::ServerContext*, const v1::CancelStudyRequest*,
                                      v1::CancelStudyResponse* response) {
  *response->mutable_study() = MakeStudy(true);
  response->mutable_study()->set_state(v1::STUDY_STATE_CANCELLED);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::StreamStudyReport(
    grpc::ServerContext*, const v1::StreamStudyReportRequest*,
    grpc::ServerWriter<v1::StreamStudyReportResponse>* writer) {
  if (script_.end != v1::STUDY_STATE_SUCCEEDED) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "the study has not succeeded. Wait for it."};
  }
  const report::ReportData data = report::MakeSyntheticReport({.draws = 40, .uniform = 300});
  v1::StreamStudyReportResponse first;
  *first.mutable_study() = MakeStudy(true);
  for (const report::ReportNumber& number : data.numbers) *first.add_numbers() = NumberOf(number);
  for (const std::string& name : data.parameters) first.add_parameters(name);
  for (const std::string& name : data.features) first.add_features(name);
  writer->Write(first);
  for (const report::ReportArray& array : data.arrays) {
    if (array.name == script_.missing_array) continue;
    v1::StreamStudyReportResponse next;
    *next.add_arrays() = ArrayOf(array);
    writer->Write(next);
  }
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                                     v1::ListModelsResponse* response) {
  if (script_.has_model) *response->add_models() = MakeModel();
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                                   v1::GetModelResponse* response) {
  if (request->name() != kModel) {
    return {grpc::StatusCode::NOT_FOUND,
            "there is no " + request->name() + ". List them with 'inferon model list'."};
  }
  *response->mutable_model() = MakeModel();
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::SamplePosterior(grpc::ServerContext*,
                                          const v1::SamplePosteriorRequest* request,
                                          grpc::ServerWriter<v1::SamplePosteriorResponse>* writer) {
  if (!script_.refuse.ok()) return script_.refuse;
  Remember(request->observation());
  v1::SamplePosteriorResponse response;
  if (request->has_restriction() && !script_.old) {
    v1::RestrictionReport& report = *response.mutable_restriction();
    for (const char* name : {"g_l", "v_t", "delta_t", "v_r", "a", "b"}) report.add_parameters(name);
    report.set_method("by hand");
    const ParameterSets all = MakeSets(request->draws(), request->seed());
    ParameterSets some{6, {}};
    for (std::size_t i = 0; i < all.size(); ++i) {
      some.codes.insert(some.codes.end(), all[i].begin(), all[i].begin() + 6);
    }
    *response.mutable_codes() = rpc::ToProto(some);
    *response.mutable_model() = MakeModel();
    writer->Write(response);
    return grpc::Status::OK;
  }
  *response.mutable_codes() = rpc::ToProto(MakeSets(request->draws(), request->seed()));
  const std::vector<double> density(request->draws(), 8.5);
  *response.mutable_log_density() = rpc::ToArray<double>("log_density", density, {density.size()});
  response.set_support(v1::DENSITY_SUPPORT_CONSTRAINED);
  if (!script_.warning.empty()) response.add_warnings(script_.warning);
  *response.mutable_model() = MakeModel();
  response.set_acceptance(0.97);
  writer->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::EstimateMap(grpc::ServerContext*, const v1::EstimateMapRequest* request,
                                      v1::EstimateMapResponse* response) {
  Remember(request->observation());
  for (std::uint32_t i = 0; i < 7; ++i) response->add_codes(100 * (i + 1));
  response->set_log_density(12.25);
  response->set_support(v1::DENSITY_SUPPORT_CONSTRAINED);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::EvaluateLogProb(grpc::ServerContext*,
                                          const v1::EvaluateLogProbRequest* request,
                                          v1::EvaluateLogProbResponse* response) {
  std::vector<double> density(request->codes().shape(0), 7.5);
  density.back() = -INFINITY;
  *response->mutable_log_density() = rpc::ToArray<double>("log_density", density, {density.size()});
  response->set_support(v1::DENSITY_SUPPORT_BOX);
  return grpc::Status::OK;
}

grpc::Status FakeTrainer::PredictPosterior(
    grpc::ServerContext*, const v1::PredictPosteriorRequest* request,
    grpc::ServerWriter<v1::PredictPosteriorResponse>* writer) {
  const std::uint64_t n = request->draws();
  v1::PredictPosteriorResponse response;
  *response.mutable_codes() = rpc::ToProto(MakeSets(n, request->seed()));
  const std::vector<std::uint16_t> traces(n * 4, 300);
  *response.mutable_traces() = rpc::ToArray<std::uint16_t>("traces", traces, {n, 4});
  std::vector<float> features(n * 12, 5);
  for (std::uint64_t i = 0; i < n; ++i) features[i * 12 + 5] = NAN;
  *response.mutable_features() = rpc::ToArray<float>("features", features, {n, 12});
  const std::vector<float> observed(12, 4);
  *response.mutable_observed_features() = rpc::ToArray<float>("observed", observed, {12});
  for (int i = 0; i < 12; ++i) response.add_feature_names("feature_" + std::to_string(i));
  response.set_job("projects/default/jobs/ppc");
  writer->Write(response);
  return grpc::Status::OK;
}

}  // namespace inferon::cli
