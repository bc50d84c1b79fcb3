#include "server/trainer/engine/proposal.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "server/trainer/estimators/draws.h"

namespace inferon::trainer {
namespace {

using testing::HasSubstr;

// A posterior that is known: independent normals N(centre, width) in the estimator's space, cut to
// the unit interval where the column is bounded (so narrow that nothing is lost).
class NormalEstimator : public estimators::DensityEstimator {
 public:
  NormalEstimator(std::size_t dimension, double centre, double width)
      : dimension_(dimension), centre_(centre), width_(width) {}
  std::size_t dimension() const override { return dimension_; }
  std::size_t input_columns() const override { return 1; }
  std::size_t weight_count() const override { return 0; }
  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first, std::vector<double>* density) const override {
    std::vector<float> u(count * dimension_);
    estimators::FillUniform(StreamKey(seed, "normal"), 0, first * dimension_, u);
    for (float& v : u) {
      v = static_cast<float>(centre_ + width_ * estimators::NormalQuantile(v + 0x1p-25));
    }
    if (density != nullptr) *density = LogDensity(x, {u.data(), count, dimension_});
    return u;
  }
  std::vector<double> LogDensity(std::span<const float>,
                                 estimators::MatrixView theta) const override {
    std::vector<double> density(theta.rows, 0);
    for (std::size_t i = 0; i < theta.rows; ++i) {
      for (const float v : theta.Row(i)) {
        const double z = (v - centre_) / width_;
        density[i] -= 0.5 * z * z + std::log(width_ * std::sqrt(2 * std::numbers::pi));
      }
    }
    return density;
  }
  std::vector<double> LogDensityPairs(const estimators::RowSource&,
                                      estimators::MatrixView) const override {
    return {};
  }
  double OutlierScore(std::span<const float>) const override { return 0; }
  std::string Save(const std::filesystem::path&) const override { return {}; }

 private:
  const std::size_t dimension_;
  const double centre_, width_;
};

ThetaSpace Space(const char* parameters) {
  const Prior prior = *ParsePrior(std::string(R"({"parameters": [)") + parameters + "]}");
  const std::vector<double> draws(prior.dimension(), 1);
  return ThetaSpace::Fit(prior, draws);
}

constexpr const char* kBox = R"({"name": "a", "prior": "uniform", "low": 0, "high": 10},
                                {"name": "b", "prior": "uniform", "low": 0, "high": 10})";
constexpr const char* kNormal = R"({"name": "a", "prior": "normal", "mean": 0, "sd": 1})";

struct Proposed {
  Result<ProposalReport> report = Fail(ErrorCode::kInternal, "not asked");
  std::vector<double> theta;
};

Proposed Propose(const NormalEstimator& estimator, const ThetaSpace& space,
                 const ProposalSpec& spec) {
  Proposed all;
  all.report = ProposeTheta(estimator, space, spec,
                            [&](std::span<const double> theta) -> Status {
                              all.theta.insert(all.theta.end(), theta.begin(), theta.end());
                              return {};
                            },
                            {});
  return all;
}

ProposalSpec Spec(std::uint64_t count) {
  ProposalSpec spec;
  spec.x = {0};
  spec.count = count;
  return spec;
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments Of(const std::vector<double>& values, std::size_t columns) {
  Moments m;
  const double n = static_cast<double>(values.size() / columns);
  for (std::size_t i = 0; i < values.size(); i += columns) m.mean += values[i] / n;
  for (std::size_t i = 0; i < values.size(); i += columns) {
    m.deviation += (values[i] - m.mean) * (values[i] - m.mean) / n;
  }
  m.deviation = std::sqrt(m.deviation);
  return m;
}

// The region of a round normal in two dimensions is a disc of radius width * sqrt(-2 log(1 -
// mass)), and the prior is uniform there: each coordinate has half the radius as its deviation.
TEST(ProposalTest, UniformPriorIsUniformInsideTheRegionByEitherWay) {
  const ThetaSpace space = Space(kBox);
  for (const double width : {0.01, 0.12}) {
    const NormalEstimator estimator(2, 0.5, width);
    ProposalSpec spec = Spec(20'000);
    spec.mass = 0.95;
    const Proposed all = Propose(estimator, space, spec);
    ASSERT_TRUE(all.report) << all.report.error().Text();
    EXPECT_EQ(all.report->from_prior, width == 0.12) << "the cheaper way";
    EXPECT_EQ(all.theta.size(), 40'000u);
    const double radius = 10 * width * std::sqrt(-2 * std::log(0.05));
    for (std::size_t i = 0; i < all.theta.size(); i += 2) {
      EXPECT_LT(std::hypot(all.theta[i] - 5, all.theta[i + 1] - 5), 1.05 * radius);
    }
    const Moments m = Of(all.theta, 2);
    EXPECT_NEAR(m.mean, 5, 0.02 * radius);
    EXPECT_NEAR(m.deviation, radius / 2, 0.02 * radius);
    EXPECT_NEAR(all.report->prior_share, std::numbers::pi * radius * radius / 100,
                0.1 * std::numbers::pi * radius * radius / 100);
  }
}

// Inside [1, 3] the standard normal leans to the left: mean 1.51 for this region's edges.
TEST(ProposalTest, NormalPriorKeepsItsShapeInsideTheRegion) {
  const ThetaSpace space = Space(kNormal);
  const double width = 1 / 1.959964;  // A region of mass 0.95 is 2 +- 1.
  ProposalSpec spec = Spec(40'000);
  spec.mass = 0.95;
  const Proposed all = Propose(NormalEstimator(1, 2, width), space, spec);
  ASSERT_TRUE(all.report) << all.report.error().Text();
  const auto density = [](double z) {
    return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  };
  const auto above = [](double z) { return 0.5 * std::erfc(z / std::numbers::sqrt2); };
  const double share = above(1) - above(3);
  EXPECT_NEAR(Of(all.theta, 1).mean, (density(1) - density(3)) / share, 0.02);
  EXPECT_NEAR(all.report->prior_share, share, 0.1 * share);
  // The same prior where the posterior is so far out that only its own draws reach the region.
  spec.count = 2000;
  const Proposed far = Propose(NormalEstimator(1, 3, 0.05), space, spec);
  ASSERT_TRUE(far.report) << far.report.error().Text();
  EXPECT_FALSE(far.report->from_prior);
  const double low = 3 - 0.098, high = 3 + 0.098;
  EXPECT_NEAR(Of(far.theta, 1).mean, (density(low) - density(high)) / (above(low) - above(high)),
              0.006);
}

TEST(ProposalTest, SameSpecGivesTheSameDrawsHoweverMany) {
  const NormalEstimator estimator(2, 0.5, 0.01);
  const Proposed few = Propose(estimator, Space(kBox), Spec(10));
  const Proposed many = Propose(estimator, Space(kBox), Spec(5000));
  EXPECT_TRUE(std::equal(few.theta.begin(), few.theta.end(), many.theta.begin()));
  ProposalSpec other = Spec(10);
  other.seed = 1;
  EXPECT_NE(Propose(estimator, Space(kBox), other).theta, few.theta);
}

TEST(ProposalTest, LowAcceptanceEndsWithAnErrorInBoundedTime) {
  // Of a posterior's draws about (1 - mass) * log(1 / (1 - mass)) pass: few at a mass of 0.999.
  const NormalEstimator estimator(2, 0.5, 0.01);
  ProposalSpec spec = Spec(100'000);
  spec.most_tries = 100'000;
  const Proposed all = Propose(estimator, Space(kBox), spec);
  ASSERT_FALSE(all.report);
  EXPECT_EQ(all.report.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(all.report.error().Text(), HasSubstr("more than 100000 candidates"));
  EXPECT_THAT(all.report.error().advice, HasSubstr("--most-tries"));
  EXPECT_TRUE(all.theta.empty());
}

TEST(ProposalTest, NumbersOutOfRangeAndUnknownPriorsAreRefused) {
  const auto refusal = [](auto change, const char* parameters = kNormal) {
    ProposalSpec spec = Spec(10);
    change(spec);
    const auto report = Propose(NormalEstimator(1, 0, 0.1), Space(parameters), spec).report;
    return report ? "proposed" : report.error().Text();
  };
  EXPECT_EQ(refusal([](ProposalSpec&) {}), "proposed");
  EXPECT_THAT(refusal([](auto& s) { s.count = 0; }), HasSubstr("0 draws"));
  EXPECT_THAT(refusal([](auto& s) { s.count = kMostProposals + 1; }), HasSubstr("1 to 1000000"));
  EXPECT_THAT(refusal([](auto& s) { s.mass = 0.49; }), HasSubstr("mass is 0.49"));
  EXPECT_THAT(refusal([](auto& s) { s.mass = 0.99991; }), HasSubstr("0.5 to 0.9999"));
  EXPECT_THAT(refusal([](auto& s) { s.most_tries = 0; }), HasSubstr("0 candidates"));
  EXPECT_THAT(refusal([](ProposalSpec&) {}, R"({"name": "k", "prior": "real"})"),
              HasSubstr("parameter k is known by its draws only"));
}

}  // namespace
}  // namespace inferon::trainer
