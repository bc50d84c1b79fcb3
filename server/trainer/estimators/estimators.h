// The estimator library: neural density estimators and the classifier, behind spans, vectors and
// plain structs. Nothing above this header knows about LibTorch.
//
// theta is a point of the estimator's space: each column lies in the unit interval or on the whole
// line. The trainer maps code k to (k + U) / 1023 and back, and a parameter with any other prior by
// its own map. All arrays are row-major float32. A density is one over that space, in nats.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace inferon::estimators {

// A row-major matrix that somebody else owns.
struct MatrixView {
  const float* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::span<const float> Row(std::size_t i) const { return {data + i * columns, columns}; }
};

// Rows of an input that are produced on demand (from memory or from disk), so that traces can stay
// 16-bit integers in a mapped file. Fill must be thread-safe and pure.
struct RowSource {
  std::size_t rows = 0;
  std::size_t columns = 0;
  // Writes the given rows to out, [indices.size(), columns].
  std::function<void(std::span<const std::uint32_t> indices, float* out)> fill;
};
RowSource SourceOf(MatrixView matrix);  // The matrix outlives the source.

// What is known at one point of a training; reported after each epoch.
struct TrainingProgress {
  std::uint32_t epoch = 0;  // Finished epochs.
  std::uint32_t max_epochs = 0;
  double training_loss = 0;  // Mean over the epoch, nats.
  double heldout_loss = 0;   // Mean over the held-out rows, nats.
  double rows_per_second = 0;
};

// Everything about a training that is not the architecture.
struct TrainingOptions {
  std::uint32_t max_epochs = 40;
  std::uint32_t patience = 8;  // Epochs without a better held-out loss.
  // After so many epochs without a better held-out loss (0: never) the rest of the schedule is cut
  // down to its last cooldown_epochs, which start from the best weights: a flow that has learnt all
  // it can ends on a small rate before it overfits.
  std::uint32_t plateau_epochs = 0;
  std::uint32_t cooldown_epochs = 0;
  std::uint32_t batch_size = 64;  // Small is better: 32 for traces, 64 for features.
  double learning_rate = 2e-3;    // Largest; 5 % warm-up, then cosine to 0.
  double weight_decay = 1e-4;     // AdamW.
  double gradient_clip = 1;       // Norm.
  double heldout_share = 0.1;     // Last rows, after a seeded shuffle of all rows.
  double ema_decay = 0;           // Of the running mean of the weights that is kept; 0: none.
  std::uint64_t seed = 0;         // Start weights, shuffles, dropout, dequantisation.
  int threads = 1;                // Of LibTorch in each network: part of what the training gives.
  int members_at_once = 1;        // Of an ensemble, on a CPU; its result does not depend on it.
  // Where the networks on time series compute: "cpu", or "cuda" where LibTorch has it. The flow
  // computes on the CPU always.
  std::string device = "cpu";
  // A trained estimator (what Save gave) that the training starts from, with its architecture and
  // its input scaling; empty: from the seed.
  std::string start_architecture = {};
  std::filesystem::path start_weights = {};
  // Where checkpoints are kept (after each epoch, atomically); empty: none. A training that finds a
  // checkpoint of the same settings there goes on from it and ends as if it had not been cut off.
  std::filesystem::path checkpoint;
  std::function<void(const TrainingProgress&)> progress;  // May be empty.
  std::stop_token stop;                                   // kCancelled at the next batch.
};

// ---- Density estimation ------------------------------------------------------------------------

// Network between the input row and the flow's context.
enum class InputNetwork {
  kFeatures,  // Fully connected; the input is standardised, NaN becomes 0 plus an indicator.
  kSummary,   // Trace: strided convolutions down to at most 64 steps, then a GRU.
};

// What reads a time series.
enum class SummaryNetwork {
  kConvGru,      // Strided convolutions, then a GRU; the fastest by far.
  kDilated,      // Residual convolutions of growing reach, without recurrence.
  kTransformer,  // Attention over at most 64 tokens, each a strided convolution.
  kPaper,        // Convolution, bidirectional GRU and a skip branch over every point: slow.
};
inline constexpr std::array<std::string_view, 4> kSummaryNetworkNames = {"conv-gru", "dilated",
                                                                         "transformer", "paper"};
inline std::string_view NameOf(SummaryNetwork network) {
  return kSummaryNetworkNames[static_cast<std::size_t>(network)];
}
// Nothing for an unknown name.
inline std::optional<SummaryNetwork> SummaryNetworkOf(std::string_view name) {
  for (std::size_t i = 0; i < kSummaryNetworkNames.size(); ++i) {
    if (kSummaryNetworkNames[i] == name) return static_cast<SummaryNetwork>(i);
  }
  return std::nullopt;
}

// Range of one column of theta.
enum class Axis {
  kUnit,  // [0, 1]; a draw never leaves it.
  kLine,  // All numbers; best standardised.
};

// What the density is made of.
enum class DensityFamily {
  kSplineFlow,    // Coupling layers of splines; the density is exact.
  kAffineFlow,    // Coupling layers of affine maps; the density is exact.
  kFlowMatching,  // A vector field that carries normal noise to draws.
  kDiffusion,     // A vector field that takes noise away, step by step.
};
inline bool IsField(DensityFamily family) {
  return family == DensityFamily::kFlowMatching || family == DensityFamily::kDiffusion;
}

struct FlowOptions {
  DensityFamily family = DensityFamily::kSplineFlow;
  std::size_t dimension = 0;      // d, 1..64.
  std::size_t input_columns = 0;  // Columns of the input.
  InputNetwork input = InputNetwork::kFeatures;
  std::uint32_t transforms = 6;  // Coupling layers; of a field, its residual blocks.
  std::uint32_t hidden = 64;
  std::uint32_t bins = 5;        // Of a spline. More learn slower and end no better.
  std::uint32_t summaries = 32;  // Outputs of the summary network.
  SummaryNetwork summary_network = SummaryNetwork::kConvGru;  // For InputNetwork::kSummary.
  // A row of the input is this many trials of one theta, one after another, of equal length. The
  // network reads each alone and takes the mean, so that their order does not matter. A trial of
  // features that are all missing does not count.
  std::uint32_t trials = 1;
  // Of the network on features: 1, compressed inputs (what older models have); 2, also linear
  // inputs and a linear skip.
  std::uint32_t feature_revision = 2;
  std::vector<Axis> axes = {};  // By column; empty: all kUnit.
  std::uint32_t members = 1;    // Flows; the density is their mean.
};
inline constexpr std::uint32_t kMaxMembers = 32;
inline constexpr std::uint32_t kMaxTrials = 1024;

// What came out of a training.
struct TrainingResult {
  std::uint32_t epochs = 0;
  double best_heldout_loss = 0;       // Minus the mean log density, of a field too.
  std::vector<double> training_loss;  // By epoch; of a field its squared error.
  std::vector<double> heldout_loss;   // By epoch.
  std::uint32_t members = 0;          // Of an ensemble: their curves stand one after another.
};

// One of several questions that are answered together.
struct DensityQuestion {
  std::span<const float> x;       // [input_columns]
  MatrixView theta;               // [n, dimension]
  double* log_density = nullptr;  // Gets the answer, [n].
};

// log q(theta_i | x_i) of some rows of x, for theta ([rows, dimension]) after theta.
using PairDensity = std::function<std::vector<double>(MatrixView theta)>;

// Values and derivatives of log q(theta_i | x).
struct DensitySlopes {
  std::vector<double> log_density;  // [n]
  std::vector<float> gradient;      // [n, dimension]: of log q(theta_i | x) by theta_i.
};

// A conditional density q(theta | x). Immutable after training; const calls are
// thread-safe.
class DensityEstimator {
 public:
  virtual ~DensityEstimator() = default;
  virtual std::size_t dimension() const = 0;
  virtual std::size_t input_columns() const = 0;
  virtual std::size_t weight_count() const = 0;
  // False where log densities are those of an equation that is solved in steps: close to the
  // density of the draws, but not the same.
  virtual bool exact_density() const { return true; }
  // Draws from q(theta | x) for one x ([input_columns]): [count, dimension], kUnit columns in [0,
  // 1). log_density (if not null) gets the log density of each draw. Draw i depends on (x, seed,
  // first_draw + i) only, not on how draws are grouped into calls.
  virtual std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                                    std::uint64_t first_draw,
                                    std::vector<double>* log_density) const = 0;
  // log q(theta_i | x) for one x and many theta ([n, dimension]).
  virtual std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const = 0;
  // As LogDensity for each question, to the last bit, whatever it is asked together with.
  virtual void LogDensityOfMany(std::span<const DensityQuestion> questions) const {
    for (const DensityQuestion& q : questions) {
      const std::vector<double> density = LogDensity(q.x, q.theta);
      std::copy(density.begin(), density.end(), q.log_density);
    }
  }
  // LogDensity with its gradient; nothing where the estimator has none (fields).
  virtual std::optional<DensitySlopes> LogDensitySlopes(std::span<const float> /*x*/,
                                                        MatrixView /*theta*/) const {
    return std::nullopt;
  }
  // log q(theta_i | x_i) for pairs.
  virtual std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const = 0;
  // LogDensityPairs for these x again and again. A network reads each row once, now; the estimator
  // and the source outlive what is returned.
  virtual PairDensity ForPairs(const RowSource& x) const {
    return [this, x](MatrixView theta) { return LogDensityPairs(x, theta); };
  }
  // Distance of x from what the estimator was trained on: a score that is about uniform in [0,1]
  // for training-like x (share of training rows that lie nearer to the centre, in the estimator's
  // own standardised input or summary space).
  virtual double OutlierScore(std::span<const float> x) const = 0;
  // Writes weights.safetensors and returns the architecture as a JSON text for model.json.
  virtual std::string Save(const std::filesystem::path& weights) const = 0;
};

// Pairs (theta, x) of equal row count. theta is given as codes or as points.
struct PairData {
  std::span<const std::uint16_t> theta_codes;  // [rows, dimension], 0..1022; empty: points.
  RowSource x;
  MatrixView theta = {};  // [rows, dimension], finite, kUnit columns in [0, 1].
  // Column j of a point stands for [theta, theta + cells[j]) and each epoch draws a place in it
  // anew, as for codes; 0 or empty: the point itself.
  std::vector<float> cells = {};
};
// Whether a training with these settings on so many rows could begin on this machine:
// kInvalidArgument where a setting is out of range, kFailedPrecondition where there is no such
// device.
Status CheckSettings(const FlowOptions& options, const TrainingOptions& training, std::size_t rows);
// Held-out rows are the same for all members.
Result<std::unique_ptr<DensityEstimator>> TrainDensityEstimator(const FlowOptions& options,
                                                                const PairData& data,
                                                                const TrainingOptions& training,
                                                                TrainingResult* result);
// Loads what Save wrote; kDataLoss when the two do not fit together.
Result<std::unique_ptr<DensityEstimator>> LoadDensityEstimator(
    const std::string& architecture_json, const std::filesystem::path& weights);

// ---- Classification ----------------------------------------------------------------------------

struct ClassifierOptions {
  std::size_t dimension = 0;
  std::uint32_t hidden = 128;
  std::uint32_t blocks = 2;  // Residual blocks.
  double dropout = 0.1;
  std::uint32_t members = 1;  // Networks whose mean probability is taken.
};

// P(relevant | theta) on the unit box. Immutable after training; const calls are thread-safe.
class Classifier {
 public:
  virtual ~Classifier() = default;
  virtual std::size_t dimension() const = 0;
  // Score of each row of theta ([n, dimension]); higher means more likely relevant. A row's score
  // depends on this row only, to the last bit, not on what stands beside it.
  virtual std::vector<float> Score(MatrixView theta) const = 0;
  virtual std::string Save(const std::filesystem::path& weights) const = 0;
};

Result<std::unique_ptr<Classifier>> TrainClassifier(const ClassifierOptions& options,
                                                    MatrixView theta,
                                                    std::span<const std::uint8_t> relevant,
                                                    const TrainingOptions& training,
                                                    TrainingResult* result);
Result<std::unique_ptr<Classifier>> LoadClassifier(const std::string& architecture_json,
                                                   const std::filesystem::path& weights);

// To be called first in main, before any thread and any output. OpenBLAS of Debian 12 does not know
// recent processors of AMD and takes kernels of half their vector width; where that is so and the
// user has not chosen kernels, this sets OPENBLAS_CORETYPE and starts the program once more in the
// same process (the library reads the variable only when it is loaded). Else it does nothing.
void UseWidestBlas(char** argv);

// One line about the library: version, BLAS, vector level, threads; warns of a slow BLAS.
std::string DescribeBackend();

}  // namespace inferon::estimators
