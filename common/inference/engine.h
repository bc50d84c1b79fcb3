// Inference for any simulator, as its users see it: data sets of (theta, x), models trained on
// them, and questions about observations. Two implementations: in this process on a data folder
// (server/trainer/engine/local_engine.h) and a trainer behind gRPC
// (client/library/remote_engine.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/priors/prior.h"
#include "common/priors/restriction.h"

namespace inferon {

// What becomes of rows with values that are not finite.
enum class InvalidRows {
  kRefuse,   // The import fails and says where the first is.
  kDrop,     // They are left out and counted.
  kMissing,  // NaN in x is a missing value; anything else is refused. Not for traces.
};

// How a data set is made.
struct DataSetSpec {
  std::string id;  // [a-z0-9][a-z0-9-]{0,62}
  Prior prior;
  std::uint64_t columns = 0;         // Of x.
  std::vector<std::string> x_names;  // [columns], or empty.
  bool traces = false;               // A row of x is a time series.
  InvalidRows invalid = InvalidRows::kRefuse;
  std::string project = "default";  // Id; whose it is, where the servers ask for tokens.
};

// Rows on their way into or out of a data set.
struct DataSetRows {
  std::vector<double> theta;  // [n, dimension]
  std::vector<float> x;       // [n, columns]
};

struct DataSetInfo {
  DataSetSpec spec;
  std::uint64_t rows = 0;
  std::uint64_t dropped = 0;  // Rows left out at the import.
  std::string sha256;         // Of prior and rows.
  WallTime create_time;
  std::vector<std::string> warnings;  // For example columns of x that never vary.
};

inline constexpr std::size_t kMaxConfigBytes = 64 * 1024;  // Of an estimator's configuration.

// How a model is trained.
struct TrainSpec {
  std::string model;  // Id of the model: [a-z0-9][a-z0-9-]{0,62}
  std::string data_set;
  std::string estimator;  // Empty: the default.
  std::string config;     // JSON object that changes its settings; empty: none.
  std::uint64_t seed = 1;
  // Model whose weights and scaling the training goes on from; empty: from the seed. Its estimator
  // and the shape of its networks stay; the learning rate is lower and there are fewer epochs.
  std::string base = {};
};

struct TrainingState {
  std::uint32_t epoch = 0;  // Finished epochs.
  std::uint32_t max_epochs = 0;
  double training_loss = 0;  // Nats in the estimator's space.
  double heldout_loss = 0;
  double rows_per_second = 0;
};

// A trained model of a data set.
struct ModelInfo {
  std::string id;
  std::string data_set;
  std::string data_set_sha256;
  Prior prior;
  std::uint64_t columns = 0;  // Of x.
  bool traces = false;
  std::string settings;  // JSON: estimator and its settings.
  std::uint64_t training_count = 0;
  std::uint32_t epochs = 0;
  double heldout_log_density = 0;  // Mean over held-out rows, nats in the parameters' own units.
  std::uint64_t seed = 0;
  std::uint64_t weight_count = 0;
  WallTime create_time;
  std::string base;  // Id of the model that it was fine-tuned from; empty: none.
};

// One observation for one model.
struct PosteriorQuery {
  std::string model;
  std::vector<float> x;  // [columns]; NaN: missing (not in traces).
  Restriction restriction = {};
};

struct PosteriorDraw {
  std::vector<double> theta;  // [n, columns], inside the prior's support.
  // [n], nats in the parameters' own units; empty where parameters were integrated out.
  std::vector<double> log_density;
  std::vector<std::string> warnings;
  std::size_t columns = 0;  // The dimension, or the number of the restriction's parameters.
  // Of a restricted query, complete in the last block.
  std::optional<RestrictionReport> restriction = {};
  std::size_t size() const { return columns == 0 ? 0 : theta.size() / columns; }
};

struct PosteriorMap {
  std::vector<double> theta;  // [dimension], fixed parameters too.
  double log_density = 0;     // Of those that are not fixed.
  std::vector<std::string> warnings;
  std::optional<RestrictionReport> restriction = {};
};

struct PosteriorLogDensity {
  std::vector<double> log_density;  // -inf outside the prior's support.
  std::vector<std::string> warnings;
  std::vector<double> standard_error = {};  // Of each; of a restricted query.
  std::optional<RestrictionReport> restriction = {};
};

// Draws from the prior, truncated to the region of highest posterior density that holds `mass` of
// the posterior of x: what the next round of a sequential inference is simulated with.
struct ProposalSpec {
  std::string model;
  std::vector<float> x;  // As PosteriorQuery::x.
  std::uint64_t count = 1000;
  double mass = 0.999;
  std::uint64_t seed = 0;
  std::uint64_t most_tries = 20'000'000;  // Candidates, at most: what bounds the time.
};

struct ProposalReport {
  std::uint64_t draws = 0;
  std::uint64_t tries = 0;  // Candidates that were looked at.
  double prior_share = 0;   // Of the prior's mass that the region holds, estimated.
  bool from_prior = false;  // Candidates were drawn from the prior, else from the posterior.
  std::vector<std::string> warnings;
};

// A round of experiments of a study.
struct StudyRoundInfo {
  std::string study;
  std::string round;  // "uniform", "constrained", ...
  std::uint64_t rows = 0;
  std::uint64_t points = 0;  // Of a trace; point i is at time i * grid_step_us.
  double grid_step_us = 0;
  std::vector<std::string> parameters;  // Columns of codes.
  std::vector<std::string> features;    // Columns of features, with their units.
  std::string sha256;                   // Of the round's manifest.
};
struct StudyRows {
  std::vector<std::uint16_t> codes;        // [n, parameters]
  std::vector<float> features;             // [n, features]; NaN: missing.
  std::vector<std::uint16_t> trace;        // [n, points], MADC counts.
  std::vector<std::uint32_t> spike_count;  // [n]
  std::vector<float> spike_time_us;        // [sum of spike_count], row after row.
};

// Is the model calibrated on pairs that it was not trained on?
struct CalibrationParameter {
  std::string name;
  double ks_p_value = 1;        // Ranks of the true values uniform? (simulation-based calibration)
  double adjusted_p_value = 1;  // After Holm, over the parameters.
  double contraction = 0;       // 1 - mean posterior variance / prior variance of the pairs.
  double mean_z = 0;            // Mean of (posterior mean - truth) / posterior deviation.
  double band_p_value = 1;      // Whole distribution of the ranks uniform? (joint band)
  double log_gamma = 0;         // Below 0: the ranks leave the 95 % band.
  double recovery = 0;          // Correlation of posterior mean and truth.
};
struct CalibrationLevel {
  double credibility = 0;
  double coverage = 0;  // Share of truths inside the highest-density region.
};
// 95 % band of the distribution of uniform ranks: shares below `place` of all ranks.
struct CalibrationBandPoint {
  double place = 0;
  double low = 0;
  double high = 0;
};
struct CalibrationReport {
  std::uint64_t pairs = 0;
  std::uint64_t draws = 0;  // For each pair.
  std::string source;       // For people: which pairs.
  std::vector<CalibrationParameter> parameters;
  std::vector<CalibrationLevel> levels;
  double coverage_p_value = 1;  // Highest-density levels of the truths uniform?
  double mean_log_density = 0;  // Of the truths, nats in the parameters' own units.
  bool calibrated = true;       // No test rejects at 1 %.
  std::vector<std::string> warnings;
  std::string verdict;                  // In words: whether and how the posteriors are wrong.
  double smallest_p_value = 1;          // After Holm, over all tests but the local one.
  double tarp_p_value = 1;              // Tests of accuracy with random points.
  double area_to_curve = 0;             // Of TARP, credibility 1/2 to 1: below 0 narrow or biased.
  double classifier_p_value = 1;        // Truths and draws told apart by a classifier?
  std::optional<double> local_p_value;  // The same at the observation of the spec.
  std::vector<std::uint32_t> ranks;     // [pairs, parameters]
  std::vector<double> density_levels;   // [pairs] of the truths' highest-density regions.
  std::vector<double> tarp_levels;      // [pairs]
  std::vector<CalibrationBandPoint> band;
};
struct CalibrationSpec {
  std::string model;
  std::string data_set;  // Empty: the rows of the model's own that were held out of its training.
  std::uint64_t pairs = 300;  // At most, 20..10000.
  std::uint64_t draws = 500;  // 50..10000.
  std::uint64_t seed = 1;
  std::vector<float> x =
      {};  // Observation at which the classifier's test is made too; empty: none.
};

inline constexpr std::uint64_t kMostDraws = 10'000'000;
inline constexpr std::uint64_t kMostMapDraws = 1'000'000;
inline constexpr std::uint64_t kMostPoints = 1'000'000;  // Of a log density query.
inline constexpr std::uint64_t kMostIntegrals = 1000;    // The same with parameters left out.
inline constexpr std::uint64_t kLeastTrainingRows = 100;
inline constexpr std::uint64_t kLeastTuningRows = 20;  // Of a training from another model.
inline constexpr std::uint64_t kMostProposals = 1'000'000;
inline constexpr double kMostProposalMass = 0.9999;
inline constexpr std::uint64_t kMostTries = 1'000'000'000;

// Thread-safe. Every call ends early with kCancelled when a stop is requested.
class InferenceEngine {
 public:
  virtual ~InferenceEngine() = default;

  // Rows come from `next` until it gives none; an error of it ends the import and is returned.
  // Nothing is left of an import that fails. The same content under the same id is found again;
  // other content is kAlreadyExists.
  using NextRows = std::function<Result<DataSetRows>()>;
  virtual Result<DataSetInfo> ImportDataSet(const DataSetSpec& spec, const NextRows& next,
                                            std::stop_token stop) = 0;
  virtual Result<std::vector<DataSetInfo>> ListDataSets(std::stop_token stop) = 0;  // Newest first.
  // Hands over all rows in order, in blocks.
  using TakeRows = std::function<Status(const DataSetRows&)>;
  virtual Result<DataSetInfo> ExportDataSet(const std::string& id, const TakeRows& take,
                                            std::stop_token stop) = 0;

  // The same for a round of experiments of a study; kNotFound where there is no such study or its
  // round is not complete.
  using TakeStudyRows = std::function<Status(const StudyRoundInfo&, const StudyRows&)>;
  virtual Result<StudyRoundInfo> ExportStudyRound(const std::string& study,
                                                  const std::string& round,
                                                  const TakeStudyRows& take,
                                                  std::stop_token stop) = 0;

  // Trains, or goes on with a training of the same settings that was cut off. A model of this id
  // made by the same settings is found again; another is kAlreadyExists.
  using OnEpoch = std::function<void(const TrainingState&)>;
  virtual Result<ModelInfo> TrainModel(const TrainSpec& spec, const OnEpoch& progress,
                                       std::stop_token stop) = 0;
  // kFailedPrecondition where the model is a study's.
  virtual Result<ModelInfo> GetModel(const std::string& id, std::stop_token stop) = 0;
  virtual Result<std::vector<ModelInfo>> ListModels(std::stop_token stop) = 0;  // Newest first.

  // Restricted queries, of this and the next two: kInvalidArgument where the restriction does not
  // fit the prior; kFailedPrecondition where the posterior has next to no mass at the conditions.
  // Hands over the draws in blocks; warnings are in the first. The same query and seed give the
  // same draws, however many are asked for. An error of `take` ends the query and is returned.
  using TakeDraws = std::function<Status(const PosteriorDraw&)>;
  virtual Status Sample(const PosteriorQuery& query, std::uint64_t draws, std::uint64_t seed,
                        const TakeDraws& take, std::stop_token stop) = 0;
  // theta: [n, dimension], or [n, the restriction's parameters] in their order.
  virtual Result<PosteriorLogDensity> LogDensity(const PosteriorQuery& query,
                                                 std::span<const double> theta,
                                                 std::stop_token stop) = 0;
  // The mode of the density in the parameters' own units, searched from the best of `draws` draws.
  virtual Result<PosteriorMap> Map(const PosteriorQuery& query, std::uint64_t draws,
                                   std::uint64_t seed, std::stop_token stop) = 0;
  // Hands the draws over in blocks, [n, dimension] in the parameters' own units. The same spec
  // gives the same draws. kFailedPrecondition where they would need more than spec.most_tries
  // candidates, or where a parameter's prior is known by its draws only.
  using TakeTheta = std::function<Status(std::span<const double> theta)>;
  virtual Result<ProposalReport> Propose(const ProposalSpec& spec, const TakeTheta& take,
                                         std::stop_token stop) = 0;
  virtual Result<CalibrationReport> Check(const CalibrationSpec& spec, std::stop_token stop) = 0;
};

}  // namespace inferon
