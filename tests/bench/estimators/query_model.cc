#include "tests/bench/estimators/query_model.h"

#include <fmt/format.h>

#include <stdexcept>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/philox.h"
#include "common/features/features.h"
#include "common/neuron/profile.h"
#include "server/trainer/registry/registry.h"
#include "server/trainer/torch_estimator_factory.h"
#include "worker/emulator/emulator.h"

namespace inferon::bench {
namespace {

constexpr std::size_t kRows = 20'000;

template <typename T>
T Required(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().Text());
  return std::move(*result);
}

Profile PaperProfile() { return Required(BuiltInProfile("adex-paper")); }

struct Pairs {
  std::vector<std::uint16_t> codes;
  std::vector<float> theta, x;
  std::vector<std::uint8_t> relevant;
};

// Twelve noisy functions of seven codes.
Pairs MakePairs(std::size_t dimension) {
  PhiloxSequence random(StreamKey(3, "query bench"));
  Pairs pairs;
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < dimension; ++j) {
      pairs.codes.push_back(static_cast<std::uint16_t>(random.Below(kCodeCount)));
      pairs.theta.push_back(static_cast<float>((pairs.codes.back() + 0.5) / kCodeCount));
    }
    const float* theta = pairs.theta.data() + i * dimension;
    for (std::size_t c = 0; c < kFeatureCount; ++c) {
      const double noise = 0.1 * random.Uniform();
      pairs.x.push_back(static_cast<float>(100 * (theta[c % dimension] + noise)));
    }
    pairs.relevant.push_back(theta[0] > 0.5f ? 1 : 0);
  }
  return pairs;
}

std::string WriteClassifier(std::size_t dimension, const std::filesystem::path& weights) {
  const Pairs pairs = MakePairs(dimension);
  estimators::ClassifierOptions options;
  options.dimension = dimension;
  estimators::TrainingOptions training;
  training.max_epochs = 1;
  const auto classifier = Required(estimators::TrainClassifier(
      options, {pairs.theta.data(), kRows, dimension}, pairs.relevant, training, nullptr));
  return classifier->Save(weights);
}

}  // namespace

std::unique_ptr<estimators::DensityEstimator> TrainQueryEstimator() {
  const std::size_t dimension = PaperProfile().dimension();
  const Pairs pairs = MakePairs(dimension);
  estimators::FlowOptions flow;
  flow.dimension = dimension;
  flow.input_columns = kFeatureCount;
  flow.transforms = 5;
  flow.hidden = 50;
  flow.bins = 10;
  estimators::TrainingOptions training;
  training.max_epochs = 4;
  training.batch_size = 512;
  return Required(estimators::TrainDensityEstimator(
      flow, {pairs.codes, estimators::SourceOf({pairs.x.data(), kRows, kFeatureCount})}, training,
      nullptr));
}

void WriteQueryModel(const std::filesystem::path& trainer_data,
                     const estimators::DensityEstimator& estimator) {
  const Profile profile = PaperProfile();
  const TemporaryFolder folder;
  const auto factory = trainer::MakeTorchEstimatorFactory();
  trainer::Registry registry(trainer_data / "models", *factory);
  trainer::ModelRecord record;
  record.id = kModelId;
  record.input = "features";
  record.study = "bench";
  record.create_time = SystemClock().WallNow();
  record.parameters = profile.ParameterNames();
  record.profile = profile.name;
  record.profile_toml = profile.text;
  record.profile_sha256 = profile.sha256;
  record.substrate = "emulator";
  record.classifier.architecture =
      WriteClassifier(profile.dimension(), folder.path() / "classifier.safetensors");
  record.classifier.threshold = 0;  // Of a probability: everything is accepted.
  registry.Add(record, estimator, folder.path() / "classifier.safetensors");
}

QueryObservation EmulateObservation() {
  const auto emulator = worker::MakeEmulator({1});
  worker::RunRequest request{.profile = PaperProfile(), .seed = 1};
  request.sets = {request.profile.dimension(), {}};
  PhiloxSequence random(StreamKey(4, "query bench"));
  request.count = 2'000;
  for (std::size_t i = 0; i < request.count * request.profile.dimension(); ++i) {
    request.sets.codes.push_back(static_cast<std::uint16_t>(random.Below(kCodeCount)));
  }
  const ObservationBatch batch = Required(emulator->Run(request, {}));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Observation observation = Extract(batch, i);
    const std::size_t spikes = CountStimulusSpikes(observation.spike_time_us, request.protocol);
    if (spikes >= 5 && spikes <= 70) return {observation, request.protocol};
  }
  throw std::runtime_error("no emulated neuron spikes 5 to 70 times");
}

}  // namespace inferon::bench
