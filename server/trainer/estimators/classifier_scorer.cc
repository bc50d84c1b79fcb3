#include "server/trainer/estimators/classifier_scorer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "server/trainer/estimators/fast_math.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kLanes = 16;  // Rows that are computed side by side.
constexpr std::size_t kGroup = 8;   // Outputs that are accumulated side by side.
constexpr float kSmall = 0.02f;     // c of the expansion.

typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

// One value of kLanes rows. The alignment is that of the widest clone, whatever the build's is.
struct alignas(kLanes * sizeof(float)) Cell {
  Lanes lanes;
};

INFERON_INLINE void Relu(Cell* cell) {
  const Lanes zero{};
  cell->lanes = cell->lanes > zero ? cell->lanes : zero;
}

}  // namespace

// The loops, where they can see the private layers and be cloned by vector width.
struct ScorerKernel {
  using Layer = ResidualScorer::Layer;

  INFERON_INLINE static void Apply(const Layer& layer, const Cell* in, Cell* out) {
    const float* weights = layer.weights.data();
    for (std::size_t g = 0; g < layer.groups; ++g) {
      Lanes sum[kGroup];
      for (std::size_t j = 0; j < kGroup; ++j) sum[j] = Lanes{} + layer.bias[g * kGroup + j];
      for (std::size_t i = 0; i < layer.inputs; ++i, weights += kGroup) {
        const Lanes x = in[i].lanes;
        for (std::size_t j = 0; j < kGroup; ++j) sum[j] += weights[j] * x;
      }
      for (std::size_t j = 0; j < kGroup; ++j) out[g * kGroup + j].lanes = sum[j];
    }
  }

  // in: expanded rows; h and inner: room for the widest layer. Returns the logits in *logit.
  INFERON_VECTOR_CLONES
  static void Logits(const Layer* layers, std::size_t blocks, const Cell* in, Cell* h, Cell* inner,
                     Cell* change, Cell* logit) {
    const std::size_t width = layers[0].groups * kGroup;
    Apply(layers[0], in, h);
    for (std::size_t i = 0; i < width; ++i) Relu(&h[i]);
    for (std::size_t b = 0; b < blocks; ++b) {
      Apply(layers[1 + 2 * b], h, inner);
      for (std::size_t i = 0; i < width; ++i) Relu(&inner[i]);
      Apply(layers[2 + 2 * b], inner, change);
      for (std::size_t i = 0; i < width; ++i) {
        h[i].lanes += change[i].lanes;
        Relu(&h[i]);
      }
    }
    Apply(layers[1 + 2 * blocks], h, change);
    *logit = change[0];
  }

  static void AddProbabilities(const ResidualScorer& scorer, MatrixView theta, float* out) {
    const auto& layers = scorer.layers_;
    const std::size_t inputs = layers[0].inputs;
    const std::size_t width = layers[0].groups * kGroup;
    std::vector<Cell> room(inputs + 3 * width);
    Cell* in = room.data();
    Cell* h = in + inputs;
    std::vector<float> expanded(inputs);
    for (std::size_t at = 0; at < theta.rows; at += kLanes) {
      const std::size_t n = std::min(kLanes, theta.rows - at);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        ExpandTheta(theta.data + (at + std::min(lane, n - 1)) * theta.columns, scorer.dimension_,
                    expanded.data());
        for (std::size_t i = 0; i < inputs; ++i) in[i].lanes[lane] = expanded[i];
      }
      Cell logit;
      Logits(layers.data(), (layers.size() - 2) / 2, in, h, h + width, h + 2 * width, &logit);
      for (std::size_t lane = 0; lane < n; ++lane) out[at + lane] += FastSigmoid(logit.lanes[lane]);
    }
  }
};

void ExpandTheta(const float* theta, std::size_t dimension, float* out) {
  for (std::size_t i = 0; i < dimension; ++i) {
    const float u = std::clamp(theta[i], 0.0f, 1.0f);
    out[i] = 2 * u - 1;
    out[dimension + i] = 2 * std::sqrt(u) - 1;
    out[2 * dimension + i] = (u - kSmall) / (u + kSmall);
  }
}

Status CheckClassifierOptions(const ClassifierOptions& o) {
  const auto check = [](std::size_t value, std::size_t low, std::size_t high,
                        const std::string& name) -> Status {
    if (value >= low && value <= high) return {};
    return InvalidArgument("classifier option " + name + " is " + std::to_string(value),
                           "set it to " + std::to_string(low) + ".." + std::to_string(high));
  };
  Status status = check(o.dimension, 1, 64, "dimension");
  if (status) status = check(o.hidden, 1, 1024, "hidden");
  if (status) status = check(o.blocks, 0, 16, "blocks");
  if (status) status = check(o.members, 1, 32, "members");
  if (status && !(o.dropout >= 0 && o.dropout < 1)) {
    return InvalidArgument("classifier option dropout is not in [0, 1)", "the default is 0.1");
  }
  return status;
}

std::string MemberPrefix(std::size_t member) { return "member" + std::to_string(member) + "."; }

Result<ResidualScorer::Layer> ResidualScorer::LoadLayer(const TensorFile& file,
                                                        const std::string& name, std::size_t inputs,
                                                        std::size_t outputs) {
  const auto rows = static_cast<std::int64_t>(outputs);
  auto weights = file.Floats(name + ".weight", {rows, static_cast<std::int64_t>(inputs)});
  if (!weights) return tl::unexpected(weights.error());
  auto bias = file.Floats(name + ".bias", {rows});
  if (!bias) return tl::unexpected(bias.error());
  for (const auto* values : {&*weights, &*bias}) {
    if (!std::all_of(values->begin(), values->end(), [](float v) { return std::isfinite(v); })) {
      return Fail(ErrorCode::kDataLoss, "weight \"" + name + "\" is not finite",
                  "restore the model's folder from a copy or train the model again");
    }
  }
  Layer layer;
  layer.inputs = inputs;
  layer.groups = (outputs + kGroup - 1) / kGroup;
  layer.bias.assign(layer.groups * kGroup, 0);
  std::copy(bias->begin(), bias->end(), layer.bias.begin());
  layer.weights.assign(layer.groups * inputs * kGroup, 0);
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < inputs; ++i) {
      layer.weights[(o / kGroup * inputs + i) * kGroup + o % kGroup] = (*weights)[o * inputs + i];
    }
  }
  return layer;
}

Result<ResidualScorer> ResidualScorer::Load(const TensorFile& file,
                                            const ClassifierOptions& options, std::size_t member) {
  const std::string prefix = MemberPrefix(member);
  ResidualScorer scorer;
  scorer.dimension_ = options.dimension;
  const std::size_t hidden = options.hidden;
  const auto add = [&](const std::string& name, std::size_t inputs, std::size_t outputs) -> Status {
    auto layer = LoadLayer(file, prefix + name, inputs, outputs);
    if (!layer) return tl::unexpected(layer.error());
    scorer.layers_.push_back(std::move(*layer));
    return {};
  };
  Status status = add("first", kExpansion * options.dimension, hidden);
  for (std::uint32_t b = 0; b < options.blocks && status; ++b) {
    const std::string block = "block" + std::to_string(b);
    status = add(block + ".first", hidden, hidden);
    if (status) status = add(block + ".second", hidden, hidden);
  }
  if (status) status = add("logit", hidden, 1);
  if (!status) return tl::unexpected(status.error());
  return scorer;
}

void ResidualScorer::AddProbabilities(MatrixView theta, float* out) const {
  ScorerKernel::AddProbabilities(*this, theta, out);
}

}  // namespace inferon::estimators
