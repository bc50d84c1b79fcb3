// Training of the classifier's members.
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/relu.h>

#include <algorithm>
#include <cmath>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/classifier_scorer.h"
#include "server/trainer/estimators/classifier_storage.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/member_training.h"
#include "server/trainer/estimators/training.h"
#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {
namespace {

std::int64_t Signed(std::size_t n) { return static_cast<std::int64_t>(n); }

struct LabelledRows {
  MatrixView theta;
  std::span<const std::uint8_t> relevant;
  double PositiveShare() const {
    const auto positives = std::count_if(relevant.begin(), relevant.end(),
                                         [](std::uint8_t label) { return label != 0; });
    return static_cast<double>(positives) / static_cast<double>(relevant.size());
  }
};

// The network of ResidualScorer with gradients and dropout (inside the blocks).
class MemberTrainee : public Trainee {
 public:
  MemberTrainee(const ClassifierOptions& options, const LabelledRows& data, std::uint64_t seed,
                std::size_t member)
      : options_(options), data_(data), dropout_key_(StreamKey(seed, "dropout")), store_(seed) {
    const std::string prefix = MemberPrefix(member);
    const std::int64_t hidden = options.hidden;
    const double gain = std::sqrt(2.0);  // Keeps the variance through a ReLU.
    first_ =
        MakeLinear(&store_, prefix + "first", Signed(kExpansion * options.dimension), hidden, gain);
    for (std::uint32_t b = 0; b < options.blocks; ++b) {
      const std::string block = prefix + "block" + std::to_string(b);
      blocks_.push_back({MakeLinear(&store_, block + ".first", hidden, hidden, gain),
                         MakeLinear(&store_, block + ".second", hidden, hidden, 0.1)});
    }
    logit_ = MakeLinear(&store_, prefix + "logit", hidden, 1, 0.1);
    const double share = std::clamp(data.PositiveShare(), 1e-4, 1 - 1e-4);
    logit_.bias.fill_(std::log(share / (1 - share)));
  }

  const std::vector<WeightSpan>& Weights() override { return store_.Spans(); }

  double Step(std::span<const std::uint32_t> rows, std::uint32_t epoch) override {
    store_.ZeroGradients();
    const at::Tensor loss =
        Loss(rows, [&](std::size_t block) { return DropoutMask(rows, epoch, block); });
    loss.backward();
    return loss.item<double>();
  }

  double HeldoutLoss(std::span<const std::uint32_t> rows) override {
    const c10::InferenceMode inference;
    const at::Tensor loss = Loss(rows, [](std::size_t) { return at::Tensor(); });
    return loss.item<double>() * static_cast<double>(rows.size());
  }

  void Save(TensorFile* file) const { store_.Save(file); }

 private:
  struct Block {
    Linear first, second;
  };

  template <typename Mask>
  at::Tensor Loss(std::span<const std::uint32_t> rows, const Mask& mask) const {
    const at::Tensor x =
        EmptyTensor({Signed(rows.size()), Signed(kExpansion * options_.dimension)});
    const at::Tensor label = EmptyTensor({Signed(rows.size())});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ExpandTheta(data_.theta.Row(rows[i]).data(), options_.dimension,
                  MutableData(x) + i * kExpansion * options_.dimension);
      MutableData(label)[i] = data_.relevant[rows[i]] != 0 ? 1.0f : 0.0f;
    }
    at::Tensor h = at::relu(first_(x));
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      at::Tensor inner = at::relu(blocks_[b].first(h));
      if (const at::Tensor keep = mask(b); keep.defined()) inner = inner * keep;
      h = at::relu(h + blocks_[b].second(inner));
    }
    return at::binary_cross_entropy_with_logits(logit_(h).squeeze(1), label);
  }

  // 0 with probability dropout, else 1 / (1 - dropout); a function of seed, epoch, block and row.
  at::Tensor DropoutMask(std::span<const std::uint32_t> rows, std::uint32_t epoch,
                         std::size_t block) const {
    if (options_.dropout == 0) return {};
    const std::size_t hidden = options_.hidden;
    const at::Tensor mask = EmptyTensor({Signed(rows.size()), Signed(hidden)});
    const auto share = static_cast<float>(options_.dropout);
    float* out = MutableData(mask);
    for (const std::uint32_t row : rows) {
      FillUniform(dropout_key_, std::uint64_t{epoch} * blocks_.size() + block,
                  std::uint64_t{row} * hidden, {out, hidden});
      for (std::size_t i = 0; i < hidden; ++i) out[i] = out[i] < share ? 0 : 1 / (1 - share);
      out += hidden;
    }
    return mask;
  }

  const ClassifierOptions options_;
  const LabelledRows& data_;
  const PhiloxKey dropout_key_;
  WeightStore store_;
  Linear first_, logit_;
  std::vector<Block> blocks_;
};

Status CheckLabels(const ClassifierOptions& options, const LabelledRows& data) {
  if (data.theta.columns != options.dimension) {
    return InvalidArgument("theta has " + std::to_string(data.theta.columns) +
                               " columns, the options say " + std::to_string(options.dimension),
                           "give both the same dimension");
  }
  if (data.relevant.size() != data.theta.rows) {
    return InvalidArgument("there are " + std::to_string(data.relevant.size()) + " labels for " +
                               std::to_string(data.theta.rows) + " rows of theta",
                           "give one label for each row");
  }
  for (std::size_t i = 0; i < data.theta.rows; ++i) {
    for (const float u : data.theta.Row(i)) {
      if (u >= 0 && u <= 1) continue;
      return InvalidArgument("row " + std::to_string(i) + " of theta leaves the unit box",
                             "map codes to (code + 0.5) / 1023");
    }
  }
  const double share = data.PositiveShare();
  if (share == 0 || share == 1) {
    return InvalidArgument(share == 0 ? "no row is relevant" : "every row is relevant",
                           "the classifier needs both kinds: run more experiments or change the "
                           "criterion");
  }
  return {};
}

std::string Describe(const ClassifierOptions& options, const LabelledRows& data,
                     std::size_t member) {
  Sha256 digest;
  digest.Update({reinterpret_cast<const char*>(data.theta.data),
                 data.theta.rows * data.theta.columns * sizeof(float)});
  digest.Update({reinterpret_cast<const char*>(data.relevant.data()), data.relevant.size()});
  return "classifier " + std::to_string(options.dimension) + " " + std::to_string(options.hidden) +
         " " + std::to_string(options.blocks) + " " + std::to_string(options.dropout) + " member " +
         std::to_string(member) + " data " + digest.Hex();
}

// Settings of one member: a seed and a checkpoint of its own.
TrainingOptions MemberOptions(TrainingOptions own, std::uint32_t member) {
  const PhiloxKey key = StreamKey(own.seed, MemberPrefix(member));
  own.seed = std::uint64_t{key[1]} << 32 | key[0];
  if (!own.checkpoint.empty()) own.checkpoint += "." + std::to_string(member);
  return own;
}

}  // namespace

Result<std::unique_ptr<Classifier>> TrainClassifier(const ClassifierOptions& options,
                                                    MatrixView theta,
                                                    std::span<const std::uint8_t> relevant,
                                                    const TrainingOptions& training,
                                                    TrainingResult* result) {
  const LabelledRows data{theta, relevant};
  Status status = CheckClassifierOptions(options);
  if (status) status = CheckTrainingOptions(training, theta.rows);
  if (status) status = CheckLabels(options, data);
  if (!status) return tl::unexpected(status.error());

  std::vector<TensorFile> parts(options.members);
  const auto train = [&](std::uint32_t m, const TrainingOptions& whole, TrainingResult* part) {
    const ComputeScope scope(whole.threads);
    const TrainingOptions own = MemberOptions(whole, m);
    MemberTrainee trainee(options, data, own.seed, m);
    Status ok = Train(trainee, SplitRows(theta.rows, own), own,
                      DescribeTraining(own, Describe(options, data, m), ""), SystemClock(), part);
    if (ok) trainee.Save(&parts[m]);
    return ok;
  };
  TrainingResult own_result;
  status = TrainMembers(options.members, training, train, &own_result);
  if (!status) return tl::unexpected(status.error());
  if (result != nullptr) *result = std::move(own_result);
  TensorFile file;
  file.metadata = {{"format", "inferon-classifier-1"}};
  for (TensorFile& part : parts) file.tensors.merge(part.tensors);
  return MakeClassifier(options, std::move(file));
}

}  // namespace inferon::estimators
