#include "server/trainer/queries/posterior.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace inferon::trainer {
namespace {

// Parameter sets in one call of the estimator, for what is no draw of the sampler's own.
constexpr std::size_t kBlock = 1024;

tl::unexpected<Error> Stopped() { return Fail(ErrorCode::kCancelled, "the query was cancelled"); }

void WarnOfSpikes(const ClassifierRecord& classifier, std::size_t spikes,
                  std::vector<std::string>& warnings) {
  if (spikes == 0) {
    warnings.push_back(
        "the observation has no spike in the stimulus window: it says little about the parameters");
  } else if (spikes < classifier.min_spikes || spikes > classifier.max_spikes) {
    warnings.push_back(
        fmt::format("the observation has {} spikes in the stimulus window, outside the {}..{} that "
                    "the model's training aims at",
                    spikes, classifier.min_spikes, classifier.max_spikes));
  }
}

}  // namespace

std::vector<float> InputRow(const std::string& input, const Observation& observation,
                            const Features& features) {
  if (input == "summary") return observation.trace;
  return {features.begin(), features.end()};
}

Result<ModelInput> PrepareInput(const LoadedModel& model, const Observation& observation,
                                const Protocol& protocol) {
  if (!(protocol == model.record.protocol)) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the observation's protocol (stimulus or recording window) is not that "
                            "of model {}, which has stimulus {}..{} us in {} us on a grid of {} us",
                            model.record.id, model.record.protocol.StimulusStart(),
                            model.record.protocol.StimulusStop(), model.record.protocol.duration_us,
                            model.record.protocol.grid_step_us),
                "Crop the recording to that window, or run a study with the recording's protocol");
  }
  ModelInput input;
  input.features = ExtractFeatures(observation, protocol);
  input.x = InputRow(model.record.input, observation, input.features);
  if (input.x.size() != model.estimator->input_columns()) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("model {} wants {} numbers, its protocol gives {}", model.record.id,
                            model.estimator->input_columns(), input.x.size()),
                "Restore the model's folder or train it again");
  }
  WarnOfSpikes(model.record.classifier, CountStimulusSpikes(observation.spike_time_us, protocol),
               input.warnings);
  WarnOfOutlier(model, input.x, input.warnings);
  WarnOfEstimator(model, input.warnings);
  return input;
}

void WarnOfEstimator(const LoadedModel& model, std::vector<std::string>& warnings) {
  if (!model.estimator->exact_density()) {
    warnings.emplace_back(
        "the log densities of this estimator are approximate: they come from an equation that is "
        "solved in steps; those of flow and affine-flow are exact");
  }
  if (!model.record.repair.empty()) {
    warnings.push_back(
        fmt::format("draws and densities of model {} are repaired: scaled and shifted to fit "
                    "held-out pairs (model.json has the factors)",
                    model.record.id));
  }
}

void WarnOfOutlier(const LoadedModel& model, std::span<const float> x,
                   std::vector<std::string>& warnings) {
  const double score = model.estimator->OutlierScore(x);
  if (score <= kOutlierScore) return;
  warnings.push_back(
      fmt::format("the observation lies outside the training data of model {} (outlier score "
                  "{:.4f}, above {}): the posterior may be meaningless",
                  model.record.id, score, kOutlierScore));
}

PosteriorSampler::PosteriorSampler(const LoadedModel& model, std::vector<float> x,
                                   std::uint64_t seed, SamplerLimits limits)
    : model_(model), x_(std::move(x)), seed_(seed), limits_(limits) {}

double PosteriorSampler::acceptance() const {
  return attempts_ == 0 ? 1 : static_cast<double>(accepted_) / static_cast<double>(attempts_);
}

void PosteriorSampler::DrawTile() {
  const ComputeTurn turn(model_.queue.get());
  const std::size_t d = model_.dimension();
  const std::size_t n = limits_.tile;
  const std::vector<float> theta =
      model_.estimator->Sample(x_, n, seed_, attempts_, /*log_density=*/nullptr);
  const std::vector<std::uint16_t> codes = CodesOf(theta);
  const std::vector<std::uint8_t> inside = model_.PriorSupport().Accepts(codes);
  const std::vector<float> centres = CellCentres(codes);
  const std::vector<double> density = model_.estimator->LogDensity(x_, {centres.data(), n, d});
  for (std::size_t i = 0; i < n; ++i) {
    if (inside[i] == 0) continue;
    waiting_.codes.insert(waiting_.codes.end(), codes.begin() + static_cast<std::ptrdiff_t>(i * d),
                          codes.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
    waiting_.log_density.push_back(density[i]);
    ++accepted_;
  }
  attempts_ += n;
}

Result<PosteriorDraws> PosteriorSampler::Next(std::size_t count, std::stop_token stop) {
  while (waiting_.size() < count) {
    if (stop.stop_requested()) return Stopped();
    DrawTile();
    if (attempts_ >= limits_.least_attempts && acceptance() < limits_.least_acceptance) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("only {} of {} draws of model {} lie in the constrained prior",
                              accepted_, attempts_, model_.record.id),
                  "The observation is probably far from the training data: check it, or use "
                  "another model");
    }
  }
  const auto n = static_cast<std::ptrdiff_t>(count);
  const auto codes = n * static_cast<std::ptrdiff_t>(model_.dimension());
  PosteriorDraws draws;
  draws.codes.assign(waiting_.codes.begin(), waiting_.codes.begin() + codes);
  draws.log_density.assign(waiting_.log_density.begin(), waiting_.log_density.begin() + n);
  waiting_.codes.erase(waiting_.codes.begin(), waiting_.codes.begin() + codes);
  waiting_.log_density.erase(waiting_.log_density.begin(), waiting_.log_density.begin() + n);
  return draws;
}

MapEstimate MostProbable(const PosteriorDraws& draws) {
  const auto best = std::max_element(draws.log_density.begin(), draws.log_density.end());
  const std::size_t d = draws.codes.size() / draws.size();
  const auto row = (best - draws.log_density.begin()) * static_cast<std::ptrdiff_t>(d);
  return {{draws.codes.begin() + row, draws.codes.begin() + row + static_cast<std::ptrdiff_t>(d)},
          *best};
}

Result<MapEstimate> FindMap(PosteriorSampler& sampler, std::uint64_t draws, std::size_t dimension,
                            std::stop_token stop) {
  MapEstimate best{std::vector<std::uint16_t>(dimension), -std::numeric_limits<double>::infinity()};
  for (std::uint64_t done = 0; done < draws;) {
    const std::uint64_t count = std::min<std::uint64_t>(kBlock, draws - done);
    const auto block = sampler.Next(count, stop);
    if (!block) return tl::unexpected(block.error());
    if (MapEstimate found = MostProbable(*block);
        done == 0 || found.log_density > best.log_density) {
      best = std::move(found);
    }
    done += count;
  }
  return best;
}

Result<std::vector<double>> LogDensityOfCodes(const LoadedModel& model, std::span<const float> x,
                                              std::span<const std::uint16_t> codes,
                                              std::stop_token stop) {
  const std::size_t d = model.dimension();
  std::vector<double> all;
  all.reserve(codes.size() / d);
  for (std::size_t first = 0; first < codes.size(); first += kBlock * d) {
    if (stop.stop_requested()) return Stopped();
    const auto block = codes.subspan(first, std::min(kBlock * d, codes.size() - first));
    const std::vector<float> centres = CellCentres(block);
    const std::vector<std::uint8_t> inside = model.PriorSupport().Accepts(block);
    const auto density = model.estimator->LogDensity(x, {centres.data(), inside.size(), d});
    for (std::size_t i = 0; i < inside.size(); ++i) {
      all.push_back(inside[i] != 0 ? density[i] : -std::numeric_limits<double>::infinity());
    }
  }
  return all;
}

}  // namespace inferon::trainer
