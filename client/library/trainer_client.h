// The trainer as its clients see it: studies, models, posterior queries; calls with deadline and
// retry, watches that go on where they were cut off.
//
// Studies, models and report numbers are shown rather than reasoned about on this side, so they
// keep their API messages; arrays of draws and traces come as vectors.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/neuron/parameters.h"
#include "common/priors/restriction.h"
#include "common/rpc/client_security.h"
#include "common/rpc/retry_policy.h"
#include "inferon/v1/inference.pb.h"

namespace inferon::client {

// Everything behind a study's report.
struct StudyReport {
  v1::Study study;
  std::vector<v1::ReportNumber> numbers;
  std::vector<std::string> parameters;      // Names, in the order of the codes.
  std::vector<std::string> features;        // Names, in the order of the feature arrays.
  std::map<std::string, v1::Array> arrays;  // By name; read them with rpc::FromArray.
};

// Draws from a posterior.
struct PosteriorDraws {
  ParameterSets sets;
  std::vector<double> log_density;  // [sets.size()], nats on the unit box.
  v1::DensitySupport support = v1::DENSITY_SUPPORT_UNSPECIFIED;
  std::vector<std::string> warnings;
  v1::Model model;
  double acceptance = 1;  // Share of the estimator's draws inside the classifier's support.
  // Of a restricted query; then sets have its parameters and log_density may be empty.
  std::optional<RestrictionReport> restriction = {};
};

// Predicted observations for draws from a posterior.
struct Predictions {
  ParameterSets sets;
  std::size_t points = 0;
  std::vector<std::uint16_t> traces;  // MADC counts, [sets.size(), points].
  std::vector<float> features;        // [sets.size(), feature_names.size()]; NaN: missing.
  std::vector<std::string> feature_names;
  std::vector<float> observed_features;  // [feature_names.size()]; NaN: missing.
  std::vector<std::string> warnings;
  std::string job;  // projects/{project}/jobs/{job}
};

// Called with the number of draws that have arrived.
using OnDraws = std::function<void(std::uint64_t)>;

// Thread-safe. Names are full resource names ("studies/demo", "models/demo-features"). Every call
// ends early with kCancelled when a stop is requested; kUnavailable where the trainer cannot be
// reached for as long as the policy says.
class TrainerClient {
 public:
  virtual ~TrainerClient() = default;

  virtual Result<v1::Study> CreateStudy(const std::string& study_id, const v1::StudySpec& spec,
                                        std::stop_token stop = {}) = 0;
  virtual Result<v1::Study> GetStudy(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Result<v1::Study> CancelStudy(const std::string& name, std::stop_token stop = {}) = 0;
  // All of them, newest first.
  virtual Result<std::vector<v1::Study>> ListStudies(std::stop_token stop = {}) = 0;
  // Hands over the study now and at every change after the given revision until it has ended. An
  // error of `take` ends the watch and is returned.
  virtual Status WatchStudy(const std::string& name, std::uint64_t after_revision,
                            std::stop_token stop,
                            const std::function<Status(const v1::Study&)>& take) = 0;
  virtual Result<StudyReport> FetchStudyReport(const std::string& name,
                                               std::stop_token stop = {}) = 0;

  // All of them, newest first.
  virtual Result<std::vector<v1::Model>> ListModels(std::stop_token stop = {}) = 0;
  virtual Result<v1::Model> GetModel(const std::string& name, std::stop_token stop = {}) = 0;
  // Aliases by name; see the API. Promoting loads the model first.
  virtual Result<std::vector<v1::ModelAlias>> ListModelAliases(std::stop_token stop = {}) = 0;
  virtual Result<v1::ModelAlias> PromoteModel(const std::string& name, const std::string& alias,
                                              std::stop_token stop = {}) = 0;
  // `from` is the model's name that the alias points to.
  virtual Result<v1::ModelAlias> RollBackModel(const std::string& alias, const std::string& from,
                                               std::stop_token stop = {}) = 0;
  virtual Result<v1::Model> LoadModel(const std::string& name, std::stop_token stop = {}) = 0;
  virtual Status DeleteModel(const std::string& name, std::stop_token stop = {}) = 0;

  virtual Result<PosteriorDraws> SamplePosterior(const v1::SamplePosteriorRequest& request,
                                                 std::stop_token stop = {},
                                                 const OnDraws& progress = {}) = 0;
  virtual Result<v1::EstimateMapResponse> EstimateMap(const v1::EstimateMapRequest& request,
                                                      std::stop_token stop = {}) = 0;
  virtual Result<v1::EvaluateLogProbResponse> EvaluateLogProb(
      const v1::EvaluateLogProbRequest& request, std::stop_token stop = {}) = 0;
  // A request without a request_id is given a random one, so that a retry runs no second job.
  virtual Result<Predictions> PredictPosterior(const v1::PredictPosteriorRequest& request,
                                               std::stop_token stop = {},
                                               const OnDraws& progress = {}) = 0;
};

struct TrainerClientOptions {
  std::string address;
  rpc::RetryPolicy retry;
  // Of one attempt of a unary call; a posterior query may wait behind others.
  std::chrono::milliseconds timeout{300'000};
  Clock* clock = &SystemClock();  // Not owned.
  rpc::ClientSecurity security = {};
};

// Connects lazily: a trainer that is down shows in the first call.
std::unique_ptr<TrainerClient> MakeTrainerClient(const TrainerClientOptions& options);

}  // namespace inferon::client
