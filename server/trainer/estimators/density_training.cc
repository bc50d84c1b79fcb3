// Training of the conditional density, one flow or several.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/ensemble.h"
#include "server/trainer/estimators/field_training.h"
#include "server/trainer/estimators/flow_estimator.h"
#include "server/trainer/estimators/flow_lanes.h"
#include "server/trainer/estimators/member_training.h"
#include "server/trainer/estimators/pairs.h"
#include "server/trainer/estimators/training.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kScalingRows = 100'000;  // At most, of features.
constexpr std::size_t kScalingTraces = 4'000;  // At most, of traces.
constexpr std::size_t kOutlierRows = 20'000;   // At most.
constexpr std::size_t kDensityRows = 1000;     // At most, of a field's held-out density.
// Values of x in memory at the same time, at most: of the scaling's rows and of a batch's.
constexpr std::size_t kScalingValues = std::size_t{1} << 25;
constexpr std::size_t kBatchValues = std::size_t{1} << 22;
constexpr std::uint64_t kHeldoutEpoch = 0xFFFFFFFFu;

std::int64_t Signed(std::size_t n) { return static_cast<std::int64_t>(n); }

// As many rows as have no more than `values` values, 1..most.
std::size_t RowsFor(std::size_t values, std::size_t columns, std::size_t most) {
  return std::clamp<std::size_t>(values / columns, 1, most);
}

// Joins network and data for the training loop.
class FlowTrainee : public Trainee {
 public:
  FlowTrainee(DensityNetwork& network, const PairData& data, std::uint64_t seed)
      : network_(network),
        data_(data),
        ends_(network.options()),
        key_(StreamKey(seed, "dequantise")),
        most_(network.options().input == InputNetwork::kSummary
                  ? RowsFor(kBatchValues, data.x.columns, network.trace_rows())
                  : kTile) {}

  const std::vector<WeightSpan>& Weights() override { return network_.store().Spans(); }

  double Step(std::span<const std::uint32_t> rows, std::uint32_t epoch) override {
    network_.store().ZeroGradients();
    if (!gradient_) gradient_ = std::make_unique<FlowGradient>(network_.flow().View());
    const float weight = -1.0f / static_cast<float>(rows.size());
    double total = 0;
    for (std::size_t at = 0; at < rows.size(); at += most_) {
      const auto part = rows.subspan(at, std::min(most_, rows.size() - at));
      const Batch batch = MakeBatch(part, epoch);
      const at::Tensor by_context = EmptyTensor({batch.context.size(0), batch.context.size(1)});
      total +=
          gradient_->Add(View(batch.context), View(batch.theta), weight, MutableData(by_context));
      total += std::accumulate(slope_.begin(), slope_.end(), 0.0);
      batch.context.backward(by_context);
    }
    return -total / static_cast<double>(rows.size());
  }

  double HeldoutLoss(std::span<const std::uint32_t> rows) override {
    const c10::InferenceMode inference;
    double total = 0;
    for (std::size_t at = 0; at < rows.size(); at += most_) {
      const auto part = rows.subspan(at, std::min(most_, rows.size() - at));
      const Batch batch = MakeBatch(part, kHeldoutEpoch);
      density_.resize(part.size());
      FlowLanes(network_.flow().View())
          .LogDensityPairs(View(batch.context), View(batch.theta), density_.data());
      total += std::accumulate(density_.begin(), density_.end(), 0.0) +
               std::accumulate(slope_.begin(), slope_.end(), 0.0);
    }
    return -total;
  }

 private:
  struct Batch {
    at::Tensor theta, context;
  };

  static MatrixView View(const at::Tensor& matrix) {
    return {Data(matrix), static_cast<std::size_t>(matrix.size(0)),
            static_cast<std::size_t>(matrix.size(1))};
  }

  Batch MakeBatch(std::span<const std::uint32_t> rows, std::uint64_t epoch) {
    raw_.resize(rows.size() * data_.x.columns);
    data_.x.fill(rows, raw_.data());
    const std::size_t d = network_.options().dimension;
    const at::Tensor theta = EmptyTensor({Signed(rows.size()), Signed(d)});
    FillTheta(data_, d, rows, key_, epoch, MutableData(theta));
    slope_.assign(rows.size(), 0);
    ends_.ToLine({MutableData(theta), rows.size() * d}, slope_);
    return {theta, network_.Context(network_.Scale(raw_.data(), rows.size())).contiguous()};
  }

  DensityNetwork& network_;
  const PairData& data_;
  const FlowEnds ends_;
  const PhiloxKey key_;
  const std::size_t most_;                  // Rows whose gradient is computed at once.
  std::unique_ptr<FlowGradient> gradient_;  // Looks at the network's weights and gradients.
  std::vector<float> raw_;
  std::vector<float> density_;
  std::vector<float> slope_;  // Of the batch's rows, see FlowEnds.
};

void FitOutliers(const RowSource& x, std::span<const std::uint32_t> training,
                 DensityNetwork* network) {
  const c10::InferenceMode inference;
  const std::size_t most = RowsFor(kScalingValues, network->OutlierColumns(), kOutlierRows);
  const std::size_t count = std::min(most, training.size());
  std::vector<float> rows;
  const std::size_t block = RowsFor(kBatchValues, x.columns, kTile);
  for (std::size_t at = 0; at < count; at += block) {
    const std::size_t n = std::min(block, count - at);
    const std::vector<float> raw = FirstRows(x, training.subspan(at, n), n);
    const std::vector<float> part = network->OutlierRows(raw.data(), n);
    rows.insert(rows.end(), part.begin(), part.end());
  }
  network->FitOutliers({rows.data(), count, network->OutlierColumns()});
}

std::unique_ptr<Trainee> MakeTrainee(DensityNetwork& network, const PairData& data,
                                     std::uint64_t seed) {
  if (IsField(network.options().family)) return MakeFieldTrainee(network, data, seed);
  return std::make_unique<FlowTrainee>(network, data, seed);
}

// Mean log density of some held-out rows: what a field is trained by is no density.
double HeldoutLogDensity(const DensityEstimator& estimator, const PairData& data,
                         const RowSplit& split, std::uint64_t seed) {
  const std::size_t most = RowsFor(kScalingValues, data.x.columns, kDensityRows);
  const std::size_t count = std::min(most, split.heldout.size()), d = estimator.dimension();
  const auto rows = std::span(split.heldout).first(count);
  const std::vector<float> x = FirstRows(data.x, rows, count);
  std::vector<float> theta(count * d);
  FillTheta(data, d, rows, StreamKey(seed, "dequantise"), kHeldoutEpoch, theta.data());
  const auto density = estimator.LogDensityPairs(SourceOf({x.data(), count, data.x.columns}),
                                                 {theta.data(), count, d});
  return std::accumulate(density.begin(), density.end(), 0.0) / static_cast<double>(count);
}

// A network that starts from the seed, with the scaling of its training rows.
std::unique_ptr<DensityNetwork> NewNetwork(const FlowOptions& options, const PairData& data,
                                           const RowSplit& split, const TrainingOptions& training) {
  auto network = std::make_unique<DensityNetwork>(
      FlowArchitecture{options,
                       CouplingMasks(options.dimension, options.transforms, training.seed)},
      training.seed);
  const std::size_t most =
      RowsFor(kScalingValues, data.x.columns,
              options.input == InputNetwork::kSummary ? kScalingTraces : kScalingRows);
  const std::vector<float> rows = FirstRows(data.x, split.training, most);
  network->FitScaling({rows.data(), rows.size() / data.x.columns, data.x.columns});
  return network;
}

// A trained network, for a training that goes on from it.
Result<std::unique_ptr<DensityNetwork>> TrainedNetwork(const FlowOptions& options,
                                                       const StoredPart& start) {
  auto architecture = ArchitectureFromJson(start.architecture);
  if (!architecture) return tl::unexpected(architecture.error());
  const FlowOptions& own = architecture->options;
  if (own.dimension != options.dimension || own.input_columns != options.input_columns ||
      own.input != options.input || own.axes != options.axes || own.family != options.family) {
    return InvalidArgument("the model to start from has other parameters or inputs than the data",
                           "start from a model of the same prior and the same columns of x");
  }
  auto network = std::make_unique<DensityNetwork>(std::move(*architecture), 0);
  if (Status ok = network->Load(start.tensors); !ok) return tl::unexpected(ok.error());
  return network;
}

// Settings of one member: a seed and a checkpoint of its own; member 0 has those of the whole.
TrainingOptions MemberOptions(TrainingOptions own, std::uint32_t member) {
  if (member == 0) return own;
  const PhiloxKey key = StreamKey(own.seed, "member" + std::to_string(member));
  own.seed = std::uint64_t{key[0]} << 32 | key[1];
  if (!own.checkpoint.empty()) own.checkpoint += ".member" + std::to_string(member);
  return own;
}

using Networks = std::vector<std::unique_ptr<DensityNetwork>>;

// The networks of all members before their training: from `start` where there is one (a part for
// each member), else from the seed. Scaling needs many rows in memory, so one after another.
Result<Networks> StartNetworks(const FlowOptions& options, const PairData& data,
                               const RowSplit& split, const TrainingOptions& training,
                               std::span<const StoredPart> start) {
  FlowOptions one = options;
  one.members = 1;
  const std::size_t count = start.empty() ? options.members : start.size();
  Networks networks;
  for (std::uint32_t m = 0; m < count; ++m) {
    auto network = start.empty() ? Result<std::unique_ptr<DensityNetwork>>(
                                       NewNetwork(one, data, split, MemberOptions(training, m)))
                                 : TrainedNetwork(one, start[m]);
    if (!network) return tl::unexpected(network.error());
    if (Status ok = (*network)->UseDevice(training.device); !ok) return tl::unexpected(ok.error());
    networks.push_back(std::move(*network));
  }
  return networks;
}

// `pairs` describes the data.
Status TrainNetwork(const PairData& data, const std::string& pairs, const RowSplit& split,
                    const TrainingOptions& training, const StoredPart* start,
                    DensityNetwork* network, TrainingResult* result) {
  const ComputeScope scope(training.threads);
  std::string description = DescribeTraining(training, network->Architecture(), pairs);
  if (start != nullptr) description += " from " + Sha256Hex(EncodeTensors(start->tensors));
  const auto trainee = MakeTrainee(*network, data, training.seed);
  return Train(*trainee, split, training, description, SystemClock(), result);
}

// The estimator of trained networks; one after another, as above. A field's loss in `result`
// becomes minus its log density.
Result<std::unique_ptr<DensityEstimator>> Join(Networks networks, const PairData& data,
                                               const RowSplit& split, std::uint64_t seed,
                                               TrainingResult* result) {
  const bool is_field = IsField(networks.front()->options().family);
  if (is_field) result->best_heldout_loss = 0;
  std::vector<std::unique_ptr<StoredEstimator>> members;
  for (auto& network : networks) {
    FitOutliers(data.x, split.training, network.get());
    if (Status ok = network->UseDevice(kCpuDevice); !ok) return tl::unexpected(ok.error());
    members.push_back(MakeNetworkEstimator(std::move(network)));
    if (!is_field) continue;
    result->best_heldout_loss -= HeldoutLogDensity(*members.back(), data, split, seed) /
                                 static_cast<double>(networks.size());
  }
  if (members.size() == 1) return std::move(members.front());
  return MakeEnsemble(std::move(members));
}

// What a training starts from: a part for each member; empty: from the seed.
Result<std::vector<StoredPart>> StartOf(const TrainingOptions& training) {
  if (training.start_weights.empty()) return std::vector<StoredPart>();
  return ReadParts(training.start_architecture, training.start_weights);
}

}  // namespace

Status CheckSettings(const FlowOptions& options, const TrainingOptions& training,
                     std::size_t rows) {
  Status status = CheckFlowOptions(options);
  if (status) status = CheckTrainingOptions(training, rows);
  if (status) status = CheckFlowDevice(options, training.device);
  return status;
}

Result<std::unique_ptr<DensityEstimator>> TrainDensityEstimator(const FlowOptions& options,
                                                                const PairData& data,
                                                                const TrainingOptions& training,
                                                                TrainingResult* result) {
  Status status = CheckSettings(options, training, data.x.rows);
  if (status) status = CheckPairs(options, data);
  if (status && options.input == InputNetwork::kSummary) status = CheckTraces(data.x);
  if (!status) return tl::unexpected(status.error());

  const auto start = StartOf(training);
  if (!start) return tl::unexpected(start.error());
  const ComputeScope scope(training.threads);
  const RowSplit split = SplitRows(data.x.rows, training);
  auto networks = StartNetworks(options, data, split, training, *start);
  if (!networks) return tl::unexpected(networks.error());
  const std::string pairs = DescribePairs(data);
  const auto train = [&](std::uint32_t m, const TrainingOptions& own, TrainingResult* part) {
    return TrainNetwork(data, pairs, split, MemberOptions(own, m),
                        start->empty() ? nullptr : &(*start)[m], (*networks)[m].get(), part);
  };
  TrainingResult own_result;
  const auto count = static_cast<std::uint32_t>(networks->size());
  TrainingOptions whole = training;
  if (training.device != kCpuDevice) whole.members_at_once = 1;  // A device's memory is its limit.
  if (Status ok = TrainMembers(count, whole, train, &own_result); !ok) {
    return tl::unexpected(ok.error());
  }
  auto estimator = Join(std::move(*networks), data, split, training.seed, &own_result);
  if (estimator && result != nullptr) *result = std::move(own_result);
  return estimator;
}

}  // namespace inferon::estimators
