#include "server/trainer/estimators/ensemble.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

using Json = nlohmann::json;

constexpr const char* kKind = "ensemble";
constexpr int kSchema = 1;

std::string Prefix(std::size_t member) { return "member" + std::to_string(member) + "."; }

// log of the mean of exp(values), for each row of the members' columns.
std::vector<double> LogMean(const std::vector<std::vector<double>>& members) {
  std::vector<double> mean(members.front().size());
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double largest = members.front()[i];
    for (const auto& values : members) largest = std::max(largest, values[i]);
    double sum = 0;
    for (const auto& values : members) sum += std::exp(values[i] - largest);
    mean[i] = std::isfinite(largest) ? largest + std::log(sum / static_cast<double>(members.size()))
                                     : largest;
  }
  return mean;
}

// Of the members' mean density: each member's gradient counts by its share of that density.
DensitySlopes MeanSlopes(const std::vector<DensitySlopes>& members, std::vector<double> log_mean) {
  DensitySlopes mean{std::move(log_mean), std::vector<float>(members.front().gradient.size())};
  const std::size_t d = mean.gradient.size() / std::max<std::size_t>(mean.log_density.size(), 1);
  for (const DensitySlopes& member : members) {
    for (std::size_t i = 0; i < mean.log_density.size(); ++i) {
      const double share = std::exp(member.log_density[i] - mean.log_density[i]) /
                           static_cast<double>(members.size());
      for (std::size_t j = i * d; j < (i + 1) * d; ++j) {
        mean.gradient[j] += static_cast<float>(share) * member.gradient[j];
      }
    }
  }
  return mean;
}

// Draws are dealt out in blocks: a block has a tile of each member, in an order that the seed
// shuffles, so that any draws of a sequence are as good as any others.
class Ensemble : public StoredEstimator {
 public:
  explicit Ensemble(std::vector<std::unique_ptr<StoredEstimator>> members)
      : members_(std::move(members)) {
    INFERON_CHECK(members_.size() > 1);
  }

  std::size_t dimension() const override { return members_.front()->dimension(); }
  std::size_t input_columns() const override { return members_.front()->input_columns(); }
  std::size_t weight_count() const override {
    std::size_t count = 0;
    for (const auto& member : members_) count += member->weight_count();
    return count;
  }

  bool exact_density() const override { return members_.front()->exact_density(); }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const std::size_t d = dimension();
    const std::size_t block_size = kTile * members_.size();
    std::vector<float> draws;
    draws.reserve(count * d);
    const std::uint64_t end = first_draw + count;
    for (std::uint64_t block = first_draw / block_size; block * block_size < end && count > 0;
         ++block) {
      const std::vector<float> all = Block(x, seed, block);
      const std::uint64_t from = std::max(first_draw, block * block_size) - block * block_size;
      const std::uint64_t to = std::min(end, (block + 1) * block_size) - block * block_size;
      draws.insert(draws.end(), all.begin() + static_cast<std::ptrdiff_t>(from * d),
                   all.begin() + static_cast<std::ptrdiff_t>(to * d));
    }
    if (log_density != nullptr) *log_density = LogDensity(x, {draws.data(), count, d});
    return draws;
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    std::vector<std::vector<double>> values;
    for (const auto& member : members_) values.push_back(member->LogDensity(x, theta));
    return LogMean(values);
  }

  std::optional<DensitySlopes> LogDensitySlopes(std::span<const float> x,
                                                MatrixView theta) const override {
    std::vector<DensitySlopes> parts;
    std::vector<std::vector<double>> values;
    for (const auto& member : members_) {
      auto part = member->LogDensitySlopes(x, theta);
      if (!part) return std::nullopt;
      values.push_back(part->log_density);
      parts.push_back(std::move(*part));
    }
    return MeanSlopes(parts, LogMean(values));
  }

  std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const override {
    std::vector<std::vector<double>> values;
    for (const auto& member : members_) values.push_back(member->LogDensityPairs(x, theta));
    return LogMean(values);
  }

  PairDensity ForPairs(const RowSource& x) const override {
    std::vector<PairDensity> parts;
    for (const auto& member : members_) parts.push_back(member->ForPairs(x));
    return [parts = std::move(parts)](MatrixView theta) {
      std::vector<std::vector<double>> values;
      for (const PairDensity& part : parts) values.push_back(part(theta));
      return LogMean(values);
    };
  }

  double OutlierScore(std::span<const float> x) const override {
    return members_.front()->OutlierScore(x);
  }

  std::string Architecture() const override {
    Json parts = Json::array();
    for (const auto& member : members_) parts.push_back(Json::parse(member->Architecture()));
    return Json{{"schema", kSchema}, {"kind", kKind}, {"members", parts}}.dump();
  }

  void Put(TensorFile* file) const override {
    for (std::size_t m = 0; m < members_.size(); ++m) {
      TensorFile part;
      members_[m]->Put(&part);
      for (auto& [name, tensor] : part.tensors) file->tensors[Prefix(m) + name] = std::move(tensor);
    }
  }

 private:
  std::vector<float> Block(std::span<const float> x, std::uint64_t seed,
                           std::uint64_t block) const {
    const std::size_t d = dimension();
    const std::size_t size = kTile * members_.size();
    const auto order =
        Permutation(StreamKey(seed, "ensemble"), block, static_cast<std::uint32_t>(size));
    std::vector<float> all(size * d);
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const std::vector<float> own =
          members_[m]->Sample(x, kTile, seed, (block * members_.size() + m) * kTile, nullptr);
      for (std::size_t i = 0; i < kTile; ++i) {
        std::copy_n(own.data() + i * d, d, all.data() + order[m * kTile + i] * d);
      }
    }
    return all;
  }

  const std::vector<std::unique_ptr<StoredEstimator>> members_;
};

tl::unexpected<Error> Damaged(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the estimator's architecture is damaged: " + what,
              "restore model.json from a copy or train the model again");
}

// What stands under a member's prefix.
TensorFile MemberTensors(const TensorFile& file, std::size_t member) {
  TensorFile part;
  const std::string prefix = Prefix(member);
  for (auto at = file.tensors.lower_bound(prefix);
       at != file.tensors.end() && at->first.starts_with(prefix); ++at) {
    part.tensors[at->first.substr(prefix.size())] = at->second;
  }
  return part;
}

Result<std::vector<StoredPart>> PartsOf(const Json& json, const TensorFile& file) {
  if (json.at("schema").get<int>() > kSchema) {
    return Fail(ErrorCode::kFailedPrecondition,
                "the model was made by a later version of Inferon (a newer kind of ensemble)",
                "use a version at least as new as the one that trained the model");
  }
  const Json& members = json.at("members");
  if (!members.is_array() || members.size() < 2 || members.size() > kMaxMembers) {
    return Damaged("its members are not 2 to " + std::to_string(kMaxMembers));
  }
  std::vector<StoredPart> parts;
  for (std::size_t m = 0; m < members.size(); ++m) {
    parts.push_back({members[m].dump(), MemberTensors(file, m)});
  }
  return parts;
}

}  // namespace

std::unique_ptr<StoredEstimator> MakeEnsemble(
    std::vector<std::unique_ptr<StoredEstimator>> members) {
  return std::make_unique<Ensemble>(std::move(members));
}

Result<std::vector<StoredPart>> ReadParts(const std::string& architecture,
                                          const std::filesystem::path& weights) {
  auto file = ReadTensors(weights);
  if (!file) return tl::unexpected(file.error());
  const Json json = Json::parse(architecture, nullptr, false);
  try {
    if (json.is_object() && json.value("kind", "") == kKind) return PartsOf(json, *file);
  } catch (const Json::exception& e) {
    return Damaged(e.what());
  }
  std::vector<StoredPart> one;
  one.push_back({architecture, std::move(*file)});
  return one;
}

Result<std::unique_ptr<DensityEstimator>> LoadDensityEstimator(
    const std::string& architecture_json, const std::filesystem::path& weights) {
  const auto parts = ReadParts(architecture_json, weights);
  if (!parts) return tl::unexpected(parts.error());
  std::vector<std::unique_ptr<StoredEstimator>> members;
  for (const StoredPart& part : *parts) {
    auto member = LoadFlow(part.architecture, part.tensors);
    if (!member) return tl::unexpected(member.error());
    if (!members.empty() && ((*member)->dimension() != members[0]->dimension() ||
                             (*member)->input_columns() != members[0]->input_columns())) {
      return Damaged("its members differ in shape");
    }
    members.push_back(std::move(*member));
  }
  if (members.size() == 1) return std::move(members.front());
  return MakeEnsemble(std::move(members));
}

}  // namespace inferon::estimators
