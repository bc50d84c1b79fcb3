#include "server/trainer/statistics/joint_band.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "common/base/philox.h"

namespace inferon::statistics {
namespace {

constexpr std::uint32_t kMostBounds = 100;
constexpr std::size_t kSimulations = 9'999;
constexpr std::uint64_t kMostRandomNumbers = 40'000'000;  // Fewer simulations for many ranks.
constexpr std::size_t kLeastSimulations = 1'999;

// Twice the smaller tail P(X <= k) or P(X >= k) of a binomial, for all k in 0..n.
void BinomialTails(std::size_t n, double p, std::span<double> tails) {
  const double log_odds = std::log(p) - std::log1p(-p);
  double log_probability = static_cast<double>(n) * std::log1p(-p);
  double cumulative = 0;
  for (std::size_t k = 0; k <= n; ++k) {
    const double probability = std::exp(log_probability);
    const double upper = 1 - cumulative;
    cumulative += probability;
    tails[k] = std::clamp(2 * std::min(cumulative, upper), 0.0, 1.0);
    log_probability +=
        std::log(static_cast<double>(n - k)) - std::log(static_cast<double>(k + 1)) + log_odds;
  }
}

std::size_t SimulationsFor(std::size_t count) {
  return std::clamp<std::size_t>(kMostRandomNumbers / count, kLeastSimulations, kSimulations);
}

}  // namespace

JointBand::JointBand(std::size_t count, std::uint32_t draws, std::uint64_t seed)
    : count_(count), draws_(draws) {
  INFERON_CHECK(count > 0 && draws > 0);
  const std::uint32_t places = draws + 1;
  const std::uint32_t pieces = std::min(places, kMostBounds);
  for (std::uint32_t k = 1; k < pieces; ++k) {
    bounds_.push_back(static_cast<std::uint32_t>(std::uint64_t{k} * places / pieces));
  }
  tails_.resize(bounds_.size() * (count + 1));
  for (std::size_t b = 0; b < bounds_.size(); ++b) {
    BinomialTails(count, static_cast<double>(bounds_[b]) / places,
                  std::span(tails_).subspan(b * (count + 1), count + 1));
  }
  PhiloxSequence random(StreamKey(seed, "joint-band"));
  std::vector<std::uint32_t> ranks(count);
  for (std::size_t s = SimulationsFor(count); s > 0; --s) {
    for (std::uint32_t& rank : ranks) rank = random.Below(places);
    null_.push_back(Gamma(ranks));
  }
  std::sort(null_.begin(), null_.end());
}

std::vector<std::uint32_t> JointBand::CountsBelow(std::span<const std::uint32_t> ranks) const {
  // Piece of a rank: the number of bounds that are not above it.
  std::vector<std::uint32_t> below(bounds_.size() + 1, 0);
  const std::uint64_t pieces = bounds_.size() + 1;
  for (const std::uint32_t rank : ranks) {
    INFERON_CHECK(rank <= draws_);
    std::size_t piece = std::uint64_t{rank} * pieces / (draws_ + 1);
    while (piece < bounds_.size() && bounds_[piece] <= rank) ++piece;
    ++below[piece];
  }
  for (std::size_t k = 1; k < below.size(); ++k) below[k] += below[k - 1];
  below.pop_back();
  return below;
}

double JointBand::GammaOfCounts(std::span<const std::uint32_t> below) const {
  double gamma = 1;
  for (std::size_t b = 0; b < below.size(); ++b) {
    gamma = std::min(gamma, tails_[b * (count_ + 1) + below[b]]);
  }
  return gamma;
}

double JointBand::Gamma(std::span<const std::uint32_t> ranks) const {
  INFERON_CHECK(ranks.size() == count_);
  return GammaOfCounts(CountsBelow(ranks));
}

double JointBand::PValue(std::span<const std::uint32_t> ranks) const {
  // Tails that are equal by symmetry differ in their last bits.
  const double gamma = Gamma(ranks) * (1 + 1e-9);
  const auto smaller = std::upper_bound(null_.begin(), null_.end(), gamma) - null_.begin();
  return static_cast<double>(smaller + 1) / static_cast<double>(null_.size() + 1);
}

double JointBand::NullQuantile(double share) const {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(null_.size()));
  return null_[std::min(at, null_.size() - 1)];
}

double JointBand::LogGamma(std::span<const std::uint32_t> ranks) const {
  constexpr double kLeast = 1e-300;
  return std::log(std::max(Gamma(ranks), kLeast) / std::max(NullQuantile(0.05), kLeast));
}

std::vector<JointBand::Point> JointBand::Band(double confidence) const {
  const double gamma = NullQuantile(1 - confidence);
  std::vector<Point> band;
  const auto n = static_cast<double>(count_);
  for (std::size_t b = 0; b < bounds_.size(); ++b) {
    const std::span<const double> tails = std::span(tails_).subspan(b * (count_ + 1), count_ + 1);
    std::size_t low = 0, high = count_;
    while (low < count_ && tails[low] < gamma) ++low;
    while (high > low && tails[high] < gamma) --high;
    band.push_back({static_cast<double>(bounds_[b]) / (draws_ + 1.0), static_cast<double>(low) / n,
                    static_cast<double>(high) / n});
  }
  return band;
}

}  // namespace inferon::statistics
