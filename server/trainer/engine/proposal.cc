#include "server/trainer/engine/proposal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "server/trainer/estimators/draws.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kPilot = 10'000;  // Draws that the region and both rates are taken from.
constexpr std::size_t kBlock = 4096;    // Candidates in one call of the estimator.
const double kLogNormalPeak = -0.5 * std::log(2 * std::numbers::pi);

Status CheckSpec(const ThetaSpace& space, const ProposalSpec& spec) {
  if (spec.count < 1 || spec.count > kMostProposals) {
    return InvalidArgument(fmt::format("{} draws are asked for", spec.count),
                           fmt::format("Ask for 1 to {}", kMostProposals));
  }
  if (!(spec.mass >= 0.5 && spec.mass <= kMostProposalMass)) {
    return InvalidArgument(fmt::format("the region's mass is {}", spec.mass),
                           fmt::format("Choose 0.5 to {}; 0.999 is usual", kMostProposalMass));
  }
  if (spec.most_tries < 1 || spec.most_tries > kMostTries) {
    return InvalidArgument(fmt::format("{} candidates at most are allowed", spec.most_tries),
                           fmt::format("Allow 1 to {}", kMostTries));
  }
  for (const ParameterPrior& parameter : space.prior().parameters) {
    if (IsKnown(parameter.kind)) continue;
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the prior of parameter {} is known by its draws only", parameter.name),
                "Name its distribution in the prior file and train a model with that");
  }
  return {};
}

// A block of candidates in the estimator's space with their log densities under the estimator.
struct Candidates {
  std::vector<float> u;
  std::vector<double> density;
  std::size_t size() const { return density.size(); }
};

// Candidate i of either kind is a function of (spec.seed, kind, i).
class Source {
 public:
  Source(const estimators::DensityEstimator& estimator, const ThetaSpace& space,
         const ProposalSpec& spec)
      : estimator_(estimator), axes_(space.Axes()), spec_(spec) {}

  std::size_t dimension() const { return axes_.size(); }
  Candidates FromPosterior(std::size_t count, std::uint64_t first) const {
    Candidates block;
    block.u = estimator_.Sample(spec_.x, count, spec_.seed, first, &block.density);
    return block;
  }
  Candidates FromPrior(std::size_t count, std::uint64_t first) const {
    const std::size_t d = dimension();
    Candidates block{std::vector<float>(count * d), {}};
    estimators::FillUniform(StreamKey(spec_.seed, "proposal"), 0, first * d, block.u);
    for (std::size_t i = 0; i < block.u.size(); ++i) {
      if (axes_[i % d] == estimators::Axis::kUnit) continue;
      const double p = (static_cast<double>(block.u[i]) + 0x1p-25);  // Inside (0, 1).
      block.u[i] = static_cast<float>(estimators::NormalQuantile(p));
    }
    block.density = estimator_.LogDensity(spec_.x, {block.u.data(), count, d});
    return block;
  }
  // log of the prior's largest density in the space.
  double LogPeak() const {
    const auto lines = std::count(axes_.begin(), axes_.end(), estimators::Axis::kLine);
    return static_cast<double>(lines) * kLogNormalPeak;
  }
  // log of (prior density / its largest value), in the space: unit columns are uniform, the others
  // standard normal.
  double LogPriorOfPeak(const float* u) const {
    double sum = 0;
    for (std::size_t j = 0; j < dimension(); ++j) {
      if (axes_[j] == estimators::Axis::kLine) sum -= 0.5 * u[j] * u[j];
    }
    return sum;
  }

 private:
  const estimators::DensityEstimator& estimator_;
  const std::vector<estimators::Axis> axes_;
  const ProposalSpec& spec_;
};

// Which candidates of which kind are kept.
struct Rule {
  bool from_prior = true;
  double threshold = 0;   // Log density at the region's edge.
  double acceptance = 0;  // Of the kind chosen, in the first sample.
};

// Log of the probability with which a draw of the posterior inside the region is kept: prior over
// posterior density, relative to the largest that this ratio can be.
double LogKeep(const Source& source, const Candidates& block, std::size_t i, double threshold) {
  return source.LogPriorOfPeak(block.u.data() + i * source.dimension()) + threshold -
         block.density[i];
}

Rule ChooseRule(const Source& source, double mass, ProposalReport* report) {
  const Candidates posterior = source.FromPosterior(kPilot, 0);
  std::vector<double> sorted = posterior.density;
  std::sort(sorted.begin(), sorted.end());
  Rule rule;
  rule.threshold = sorted[static_cast<std::size_t>((1 - mass) * static_cast<double>(kPilot))];
  const Candidates prior = source.FromPrior(kPilot, 0);
  const auto inside = std::count_if(prior.density.begin(), prior.density.end(),
                                    [&](double d) { return d >= rule.threshold; });
  double kept = 0;
  for (std::size_t i = 0; i < posterior.size(); ++i) {
    if (posterior.density[i] < rule.threshold) continue;
    kept += std::exp(LogKeep(source, posterior, i, rule.threshold));
  }
  const double by_prior = static_cast<double>(inside) / static_cast<double>(kPilot);
  const double by_posterior = kept / static_cast<double>(kPilot);
  rule.from_prior = by_prior >= by_posterior;
  rule.acceptance = std::max(by_prior, by_posterior);
  // The region's share of the prior: counted, or by weights where few of its draws fall inside.
  report->from_prior = rule.from_prior;
  report->prior_share = by_prior;
  if (!rule.from_prior) {
    report->prior_share =
        std::min(1.0, std::exp(std::log(by_posterior) + source.LogPeak() - rule.threshold));
  }
  return rule;
}

// Points of a block that belong to the proposal, in its order.
std::vector<float> Kept(const Source& source, const Rule& rule, const Candidates& block,
                        PhiloxKey key, std::uint64_t first) {
  const std::size_t d = source.dimension();
  std::vector<float> chance(block.size());
  estimators::FillUniform(key, 0, first, chance);
  std::vector<float> kept;
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (!(block.density[i] >= rule.threshold)) continue;
    const bool keep =
        rule.from_prior || chance[i] < std::exp(LogKeep(source, block, i, rule.threshold));
    if (keep)
      kept.insert(kept.end(), block.u.begin() + static_cast<std::ptrdiff_t>(i * d),
                  block.u.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
  }
  return kept;
}

tl::unexpected<Error> TooRare(const ProposalSpec& spec, const Rule& rule, std::uint64_t have) {
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("{} of {} draws would need more than {} candidates: about {:.2g} of them "
                          "fall into the region",
                          spec.count - have, spec.count, spec.most_tries, rule.acceptance),
              "Ask for fewer draws, choose a smaller --mass, or allow more candidates with "
              "--most-tries");
}

}  // namespace

Result<ProposalReport> ProposeTheta(const estimators::DensityEstimator& estimator,
                                    const ThetaSpace& space, const ProposalSpec& spec,
                                    const InferenceEngine::TakeTheta& take, std::stop_token stop) {
  if (Status ok = CheckSpec(space, spec); !ok) return tl::unexpected(ok.error());
  const Source source(estimator, space, spec);
  const PhiloxKey key = StreamKey(spec.seed, "proposal-keep");
  const std::size_t d = source.dimension();
  ProposalReport report;
  const Rule rule = ChooseRule(source, spec.mass, &report);
  if (static_cast<double>(spec.count) > rule.acceptance * static_cast<double>(spec.most_tries)) {
    return TooRare(spec, rule, 0);
  }
  while (report.draws < spec.count) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the query was cancelled");
    const std::size_t n = std::min<std::uint64_t>(kBlock, spec.most_tries - report.tries);
    if (n == 0) return TooRare(spec, rule, report.draws);
    const Candidates block =
        rule.from_prior ? source.FromPrior(n, report.tries) : source.FromPosterior(n, report.tries);
    std::vector<float> kept = Kept(source, rule, block, key, report.tries);
    kept.resize(std::min<std::uint64_t>(kept.size() / d, spec.count - report.draws) * d);
    report.tries += n;
    report.draws += kept.size() / d;
    if (kept.empty()) continue;
    if (Status ok = take(space.FromSpace(kept)); !ok) return tl::unexpected(ok.error());
  }
  return report;
}

}  // namespace inferon::trainer
