// Answers of a model about one observation: draws, densities, the most probable parameter set.
//
// The support of a posterior is the box where the model's classifier accepts: draws are codes of
// the density estimator's draws that lie there. The density is the estimator's, over the whole
// unit box and at the centre of a code's cell; it is not divided by the share of the estimator's
// mass that the classifier accepts.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/features/features.h"
#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"
#include "server/trainer/registry/registry.h"

namespace inferon::trainer {

// Outlier scores above this are worth a warning.
inline constexpr double kOutlierScore = 0.99;

// An observation as a model sees it.
struct ModelInput {
  std::vector<float> x;  // Input row of the estimator.
  Features features{};   // Of the observation, whatever the model's input is.
  std::vector<std::string> warnings;
};

// Input row of one observation for models with this input ("features" or "summary").
std::vector<float> InputRow(const std::string& input, const Observation& observation,
                            const Features& features);

// kFailedPrecondition where the protocol is not the model's.
Result<ModelInput> PrepareInput(const LoadedModel& model, const Observation& observation,
                                const Protocol& protocol);

// What every answer of a model has to say of it: approximate densities, a repair.
void WarnOfEstimator(const LoadedModel& model, std::vector<std::string>& warnings);
// Adds a warning where the input row lies outside the model's training data.
void WarnOfOutlier(const LoadedModel& model, std::span<const float> x,
                   std::vector<std::string>& warnings);

// Draws in the support with their log densities (nats over the unit box).
struct PosteriorDraws {
  std::vector<std::uint16_t> codes;  // [size(), dimension]
  std::vector<double> log_density;
  std::size_t size() const { return log_density.size(); }
};

// A limited search for draws in the support.
struct SamplerLimits {
  std::uint64_t least_attempts = 50'000;  // Before it may give up.
  double least_acceptance = 0.002;        // Below this it does.
  // Draws of the estimator in one call. Part of the last bits of a density, so that it is fixed,
  // whatever number of draws is asked for.
  std::size_t tile = 1024;
};

// The draws of one observation, one block after another. The draws are a pure function of (model,
// x, seed), however they are grouped into calls. Not thread-safe. The model outlives it.
class PosteriorSampler {
 public:
  PosteriorSampler(const LoadedModel& model, std::vector<float> x, std::uint64_t seed,
                   SamplerLimits limits = {});
  // The next draws, `count` of them. kCancelled when stopped; kFailedPrecondition where too few of
  // the estimator's draws lie in the support.
  Result<PosteriorDraws> Next(std::size_t count, std::stop_token stop);
  // Share of the estimator's draws so far that lay in the support; 1 before the first.
  double acceptance() const;

 private:
  // Attempts one tile of the estimator's draws and keeps those inside.
  void DrawTile();

  const LoadedModel& model_;
  const std::vector<float> x_;
  const std::uint64_t seed_;
  const SamplerLimits limits_;
  std::uint64_t attempts_ = 0;
  std::uint64_t accepted_ = 0;
  PosteriorDraws waiting_;  // Accepted, not handed out yet.
};

// The most probable of a number of draws.
struct MapEstimate {
  std::vector<std::uint16_t> codes;
  double log_density = 0;
};
Result<MapEstimate> FindMap(PosteriorSampler& sampler, std::uint64_t draws, std::size_t dimension,
                            std::stop_token stop);
// The most probable of draws that are there; at least one.
MapEstimate MostProbable(const PosteriorDraws& draws);

// Log density at the centres of the codes' cells ([n, dimension]); -inf where the classifier
// rejects. kCancelled when stopped.
Result<std::vector<double>> LogDensityOfCodes(const LoadedModel& model, std::span<const float> x,
                                              std::span<const std::uint16_t> codes,
                                              std::stop_token stop);

}  // namespace inferon::trainer
