#include "tests/trainer/histogram_estimators.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/philox.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

constexpr std::size_t kBins = 32;
constexpr std::size_t kGroups = 4;
constexpr std::uint32_t kEpochs = 3;

std::size_t BinOf(float coordinate) {
  return std::min(kBins - 1, static_cast<std::size_t>(coordinate * kBins));
}

std::string SaveText(const json& state, const std::filesystem::path& weights) {
  std::ofstream(weights, std::ios::binary) << state.dump();
  return R"({"kind":"histogram"})";
}

Result<json> LoadText(const std::filesystem::path& weights) {
  const auto text = ReadFile(weights);
  if (!text) return tl::unexpected(text.error());
  json state = json::parse(*text, nullptr, false);
  if (state.is_discarded()) return Fail(ErrorCode::kDataLoss, "damaged weights");
  return state;
}

// Goes through the epochs of a training, each with a checkpoint.
Status Epochs(const estimators::TrainingOptions& training, estimators::TrainingResult* result) {
  std::uint32_t done = 0;
  if (const auto text = ReadFile(training.checkpoint)) {
    done = static_cast<std::uint32_t>(std::stoul(*text));
  }
  for (std::uint32_t epoch = 1; epoch <= kEpochs; ++epoch) {
    const double loss = -1.0 * epoch;
    if (training.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "training was stopped");
    result->training_loss.push_back(loss);
    result->heldout_loss.push_back(loss);
    if (epoch <= done) continue;
    WriteFileAtomically(training.checkpoint, std::to_string(epoch));
    if (training.progress) training.progress({epoch, kEpochs, loss, loss, 1000});
  }
  result->epochs = kEpochs;
  result->best_heldout_loss = -1.0 * kEpochs;
  return {};
}

class HistogramClassifier : public estimators::Classifier {
 public:
  HistogramClassifier(std::size_t dimension, std::vector<float> scores)
      : dimension_(dimension), scores_(std::move(scores)) {}
  std::size_t dimension() const override { return dimension_; }
  std::vector<float> Score(estimators::MatrixView theta) const override {
    std::vector<float> scores;
    for (std::size_t i = 0; i < theta.rows; ++i) scores.push_back(scores_[BinOf(theta.Row(i)[0])]);
    return scores;
  }
  std::string Save(const std::filesystem::path& weights) const override {
    return SaveText({{"dimension", dimension_}, {"scores", scores_}}, weights);
  }

 private:
  const std::size_t dimension_;
  const std::vector<float> scores_;
};

class HistogramEstimator : public estimators::DensityEstimator {
 public:
  // `mass` is [groups, dimension, bins], each histogram summing to one.
  HistogramEstimator(std::size_t dimension, std::size_t columns, std::vector<double> mass)
      : dimension_(dimension), columns_(columns), mass_(std::move(mass)) {}
  std::size_t dimension() const override { return dimension_; }
  std::size_t input_columns() const override { return columns_; }
  std::size_t weight_count() const override { return mass_.size(); }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const PhiloxKey key = StreamKey(seed, "histogram");
    std::vector<float> theta;
    for (std::uint64_t i = first_draw; i < first_draw + count; ++i) {
      for (std::size_t p = 0; p < dimension_; ++p) {
        const PhiloxBlock words =
            Philox(key, {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(p), 0, 0});
        theta.push_back(Draw(GroupOf(x[0]), p, UniformFloat(words[0]), UniformFloat(words[1])));
      }
    }
    if (log_density != nullptr) *log_density = LogDensity(x, {theta.data(), count, dimension_});
    return theta;
  }

  std::vector<double> LogDensity(std::span<const float> x,
                                 estimators::MatrixView theta) const override {
    std::vector<double> density;
    for (std::size_t i = 0; i < theta.rows; ++i) density.push_back(One(x[0], theta.Row(i)));
    return density;
  }

  std::vector<double> LogDensityPairs(const estimators::RowSource& x,
                                      estimators::MatrixView theta) const override {
    std::vector<double> density;
    std::vector<float> row(x.columns);
    for (std::uint32_t i = 0; i < theta.rows; ++i) {
      x.fill(std::span(&i, 1), row.data());
      density.push_back(One(row[0], theta.Row(i)));
    }
    return density;
  }

  double OutlierScore(std::span<const float> x) const override {
    return x[0] >= kOutlier ? 0.9999 : 0.5;
  }

  std::string Save(const std::filesystem::path& weights) const override {
    return SaveText({{"dimension", dimension_}, {"columns", columns_}, {"mass", mass_}}, weights);
  }

  static std::size_t GroupOf(float x0) {
    if (!(x0 >= 1)) return 0;
    return x0 < 15 ? 1 : x0 < 300 ? 2 : 3;
  }

 private:
  const double* Histogram(std::size_t group, std::size_t p) const {
    return &mass_[(group * dimension_ + p) * kBins];
  }
  float Draw(std::size_t group, std::size_t p, float u, float within) const {
    const double* mass = Histogram(group, p);
    std::size_t bin = 0;
    for (double below = mass[0]; bin + 1 < kBins && u >= below; below += mass[bin]) ++bin;
    return (static_cast<float>(bin) + within) / kBins;
  }
  double One(float x0, std::span<const float> theta) const {
    double density = 0;
    for (std::size_t p = 0; p < dimension_; ++p) {
      density += std::log(kBins * Histogram(GroupOf(x0), p)[BinOf(theta[p])]);
    }
    return density;
  }

  const std::size_t dimension_;
  const std::size_t columns_;
  const std::vector<double> mass_;
};

class HistogramFactory : public EstimatorFactory {
 public:
  // What the estimator library knows of devices on a machine without one.
  Status CheckSettings(const estimators::FlowOptions&, const estimators::TrainingOptions& training,
                       std::size_t) override {
    if (training.device == "cpu") return {};
    return Fail(ErrorCode::kFailedPrecondition, "this LibTorch finds no CUDA device", "choose cpu");
  }
  Result<std::unique_ptr<estimators::DensityEstimator>> TrainDensityEstimator(
      const estimators::FlowOptions& options, const estimators::PairData& data,
      const estimators::TrainingOptions& training, estimators::TrainingResult* result) override {
    if (const Status done = Epochs(training, result); !done) return tl::unexpected(done.error());
    const std::size_t d = options.dimension;
    std::vector<double> mass(kGroups * d * kBins, 0.1);
    std::vector<float> row(data.x.columns);
    for (std::uint32_t i = 0; i < data.x.rows; ++i) {
      data.x.fill(std::span(&i, 1), row.data());
      const std::size_t group = HistogramEstimator::GroupOf(row[0]);
      for (std::size_t p = 0; p < d; ++p) {
        mass[(group * d + p) * kBins + BinOf(data.theta_codes[i * d + p] / 1023.0f)] += 1;
      }
    }
    for (std::size_t h = 0; h < mass.size(); h += kBins) {
      double sum = 0;
      for (std::size_t b = 0; b < kBins; ++b) {
        if (options.hidden == kTooSure) mass[h + b] = std::pow(mass[h + b], 4);
        sum += mass[h + b];
      }
      for (std::size_t b = 0; b < kBins; ++b) mass[h + b] /= sum;
    }
    return std::make_unique<HistogramEstimator>(d, data.x.columns, std::move(mass));
  }

  Result<std::unique_ptr<estimators::DensityEstimator>> LoadDensityEstimator(
      const std::string&, const std::filesystem::path& weights) override {
    const auto state = LoadText(weights);
    if (!state) return tl::unexpected(state.error());
    return std::make_unique<HistogramEstimator>(state->at("dimension"), state->at("columns"),
                                                state->at("mass").get<std::vector<double>>());
  }

  Result<std::unique_ptr<estimators::Classifier>> TrainClassifier(
      const estimators::ClassifierOptions& options, estimators::MatrixView theta,
      std::span<const std::uint8_t> relevant, const estimators::TrainingOptions& training,
      estimators::TrainingResult* result) override {
    if (const Status done = Epochs(training, result); !done) return tl::unexpected(done.error());
    std::vector<float> hits(kBins, 0);
    std::vector<float> counts(kBins, 1);
    for (std::size_t i = 0; i < theta.rows; ++i) {
      hits[BinOf(theta.Row(i)[0])] += relevant[i];
      counts[BinOf(theta.Row(i)[0])] += 1;
    }
    for (std::size_t b = 0; b < kBins; ++b) hits[b] /= counts[b];
    return std::make_unique<HistogramClassifier>(options.dimension, std::move(hits));
  }

  Result<std::unique_ptr<estimators::Classifier>> LoadClassifier(
      const std::string&, const std::filesystem::path& weights) override {
    const auto state = LoadText(weights);
    if (!state) return tl::unexpected(state.error());
    return std::make_unique<HistogramClassifier>(state->at("dimension"),
                                                 state->at("scores").get<std::vector<float>>());
  }
};

}  // namespace

std::unique_ptr<EstimatorFactory> MakeHistogramFactory() {
  return std::make_unique<HistogramFactory>();
}

}  // namespace inferon::trainer
