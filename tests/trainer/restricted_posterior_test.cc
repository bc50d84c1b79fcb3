// Conditional and marginal posteriors against normal mixtures, whose own are known.
#include "server/trainer/queries/restricted_posterior.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "server/trainer/estimators/draws.h"
#include "tests/trainer/normal_mixture.h"

namespace inferon::trainer {
namespace {

using estimators::Axis;
using testing::HasSubstr;

constexpr std::size_t kDraws = 20'000;

// d parameters with a standard normal prior: the space is theta itself.
Prior LinePrior(std::size_t d) {
  Prior prior;
  for (std::size_t j = 0; j < d; ++j) {
    prior.parameters.push_back(
        {std::string(1, static_cast<char>('a' + j)), "", PriorKind::kNormal, 0, 1});
  }
  return prior;
}

// Deviations 0.2, 0.3, ...; every two columns have the same correlation.
NormalMixture Correlated(std::size_t d, double correlation) {
  NormalPart part{1, {}, std::vector<double>(d * d)};
  for (std::size_t j = 0; j < d; ++j) {
    part.mean.push_back(0.3 * static_cast<double>(j) - 0.5);
    for (std::size_t k = 0; k < d; ++k) {
      const double scale =
          (0.2 + 0.1 * static_cast<double>(j)) * (0.2 + 0.1 * static_cast<double>(k));
      part.covariance[j * d + k] = scale * (j == k ? 1 : correlation);
    }
  }
  return {part};
}

// The estimator and a posterior on it.
struct Known {
  Known(NormalMixture parts, const Prior& prior, std::vector<Axis> axes)
      : mixture(parts),
        estimator(MakeNormalMixture(std::move(parts), std::move(axes))),
        posterior{*estimator, {0}, ThetaSpace::Fit(prior, {})} {}
  explicit Known(NormalMixture parts)
      : Known(parts, LinePrior(parts[0].mean.size()),
              std::vector<Axis>(parts[0].mean.size(), Axis::kLine)) {}
  auto Ask(const Restriction& restriction, std::uint64_t seed = 1) const {
    return RestrictedPosterior::Make(posterior, restriction, seed, {});
  }

  NormalMixture mixture;
  std::unique_ptr<estimators::DensityEstimator> estimator;
  SpacePosterior posterior;
};

std::unique_ptr<RestrictedPosterior> Accepted(Result<std::unique_ptr<RestrictedPosterior>> answer) {
  EXPECT_TRUE(answer) << answer.error().Text();
  return std::move(*answer);
}

std::vector<double> Column(const std::vector<double>& rows, std::size_t d, std::size_t j) {
  std::vector<double> column;
  for (std::size_t i = j; i < rows.size(); i += d) column.push_back(rows[i]);
  return column;
}

// Kolmogorov-Smirnov distance times sqrt(n) from a mixture of normals in one dimension; above 1.95
// once in a thousand.
double KolmogorovSmirnov(std::vector<double> values, const NormalMixture& mixture) {
  std::ranges::sort(values);
  const double n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double below = 0;
    for (const NormalPart& part : mixture) {
      const double z = (values[i] - part.mean[0]) / std::sqrt(part.covariance[0]);
      below += part.weight * 0.5 * std::erfc(-z / std::numbers::sqrt2);
    }
    worst = std::max({worst, std::abs(below - static_cast<double>(i) / n),
                      std::abs(below - static_cast<double>(i + 1) / n)});
  }
  return worst * std::sqrt(n);
}

void ExpectDrawsOf(const std::vector<double>& draws, const NormalMixture& expected) {
  const std::size_t d = expected[0].mean.size();
  const double n = static_cast<double>(draws.size() / d);
  for (std::size_t j = 0; j < d; ++j) {
    EXPECT_LT(KolmogorovSmirnov(Column(draws, d, j), MarginalOf(expected, {j})), 1.95)
        << "column " << j;
  }
  if (expected.size() > 1) return;
  // Covariances within five standard errors.
  const NormalPart& part = expected[0];
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t k = 0; k < j; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < draws.size(); i += d) {
        sum += (draws[i + j] - part.mean[j]) * (draws[i + k] - part.mean[k]) / n;
      }
      const double scale = std::sqrt(part.covariance[j * d + j] * part.covariance[k * d + k]);
      EXPECT_NEAR(sum, part.covariance[j * d + k], 5 * 1.5 * scale / std::sqrt(n));
    }
  }
}

TEST(RestrictedPosteriorTest, ConditionalOfACorrelatedNormalOnAGrid) {
  const Known known(Correlated(3, 0.9));
  const auto query = Accepted(known.Ask({{{"b", 0.0}}, {}}));
  const NormalMixture expected = ConditionalOf(known.mixture, {1}, {0.0});
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  ExpectDrawsOf(draws->theta, expected);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_NEAR(draws->log_density[i],
                LogDensityOf(expected, {draws->theta[2 * i], draws->theta[2 * i + 1]}), 2e-3);
  }
  const RestrictionReport report = query->Report();
  EXPECT_THAT(report.method, HasSubstr("on a grid"));
  EXPECT_THAT(report.parameters, testing::ElementsAre("a", "c"));
  EXPECT_NEAR(report.log_condition_density, LogDensityOf(MarginalOf(known.mixture, {1}), {0.0}),
              2e-3);
  EXPECT_LT(report.standard_error, 0.01);
  EXPECT_GT(report.effective_share, 0.3);
  EXPECT_GT(report.acceptance, 0.1);
  EXPECT_LE(report.distortion, 0.002);
  EXPECT_TRUE(query->warnings().empty());
}

TEST(RestrictedPosteriorTest, ConditionalWithManyFreeParametersTellsItsError) {
  const Known known(Correlated(6, 0.7));
  const auto query = Accepted(known.Ask({{{"d", 0.9}}, {}}));
  const NormalMixture expected = ConditionalOf(known.mixture, {3}, {0.9});
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  ExpectDrawsOf(draws->theta, expected);
  const RestrictionReport report = query->Report();
  EXPECT_THAT(report.method, HasSubstr("importance sampling"));
  EXPECT_GT(report.standard_error, 0);
  EXPECT_LT(report.standard_error, 0.05);
  EXPECT_NEAR(report.log_condition_density, LogDensityOf(MarginalOf(known.mixture, {3}), {0.9}),
              4 * report.standard_error);
  const auto density = query->LogDensity(std::span(draws->theta).first(50), {});
  ASSERT_TRUE(density);
  for (std::size_t i = 0; i < 10; ++i) {
    const std::vector<double> row(draws->theta.begin() + static_cast<std::ptrdiff_t>(5 * i),
                                  draws->theta.begin() + static_cast<std::ptrdiff_t>(5 * i + 5));
    EXPECT_NEAR(density->log_density[i], LogDensityOf(expected, row), 4 * report.standard_error);
    EXPECT_EQ(density->standard_error[i], report.standard_error);
  }
}

TEST(RestrictedPosteriorTest, ManyConditionsAndOneFreeParameter) {
  const Known known(Correlated(5, 0.8));
  const Restriction restriction{{{"a", -0.45}, {"c", 0.2}, {"d", 0.5}, {"e", 0.8}}, {}};
  const auto query = Accepted(known.Ask(restriction));
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  ExpectDrawsOf(draws->theta, ConditionalOf(known.mixture, {0, 2, 3, 4}, {-0.45, 0.2, 0.5, 0.8}));
}

TEST(RestrictedPosteriorTest, BothModesOfAConditionalAreFoundInTheirShares) {
  NormalMixture mixture = Correlated(3, 0.6);
  mixture.push_back(mixture[0]);
  mixture[0].weight = 0.7;
  mixture[1].weight = 0.3;
  for (double& v : mixture[1].mean) v += 1.2;
  const Known known(mixture);
  const auto query = Accepted(known.Ask({{{"b", 0.4}}, {}}));
  const NormalMixture expected = ConditionalOf(mixture, {1}, {0.4});
  ASSERT_GT(std::min(expected[0].weight, expected[1].weight), 0.1);
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  ExpectDrawsOf(draws->theta, expected);
}

TEST(RestrictedPosteriorTest, MarginalDrawsAreColumnsOfTheJointOnes) {
  const Known known(Correlated(4, 0.5));
  const auto query = Accepted(known.Ask({{}, {"d", "a"}}, 7));
  const auto draws = query->Next(500, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  EXPECT_TRUE(draws->log_density.empty());
  const auto joint = known.estimator->Sample(known.posterior.x, 500, 7, 0, nullptr);
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(draws->theta[2 * i], joint[4 * i + 3]);
    EXPECT_EQ(draws->theta[2 * i + 1], joint[4 * i]);
  }
}

TEST(RestrictedPosteriorTest, MarginalDensitiesAreIntegralsWithinTheirErrors) {
  const Known known(Correlated(6, 0.8));
  for (const std::vector<std::string>& parameters :
       {std::vector<std::string>{"b"}, {"e", "b", "a", "f"}}) {
    const auto query = Accepted(known.Ask({{}, parameters}));
    std::vector<std::size_t> kept;
    for (const std::string& name : parameters)
      kept.push_back(static_cast<std::size_t>(name[0] - 'a'));
    const NormalMixture expected = MarginalOf(known.mixture, kept);
    const auto draws = query->Next(40, {});
    const auto density = query->LogDensity(draws->theta, {});
    ASSERT_TRUE(density) << density.error().Text();
    double squares = 0;
    for (std::size_t i = 0; i < 40; ++i) {
      const auto row = draws->theta.begin() + static_cast<std::ptrdiff_t>(i * kept.size());
      const double off =
          density->log_density[i] -
          LogDensityOf(expected, {row, row + static_cast<std::ptrdiff_t>(kept.size())});
      EXPECT_LT(density->standard_error[i], 0.1);
      EXPECT_LT(std::abs(off), 5 * density->standard_error[i] + 2e-3);
      squares += off * off / 40;
    }
    EXPECT_LT(std::sqrt(squares), kept.size() == 1 ? 0.06 : 0.002) << "two left out: on a grid";
  }
}

TEST(RestrictedPosteriorTest, MarginalUnderAConditionIsTheRatioOfTwoSlices) {
  const Known known(Correlated(4, 0.8));
  const auto query = Accepted(known.Ask({{{"c", 0.3}}, {"b"}}));
  const NormalMixture expected = MarginalOf(ConditionalOf(known.mixture, {2}, {0.3}), {1});
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  ExpectDrawsOf(draws->theta, expected);
  const auto density = query->LogDensity(std::span(draws->theta).first(20), {});
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_NEAR(density->log_density[i], LogDensityOf(expected, {draws->theta[i]}),
                5 * density->standard_error[i]);
  }
}

// a ~ uniform on [0, 10] and b ~ loguniform on [0.1, 10] by the logit of their place, c on the
// line.
TEST(RestrictedPosteriorTest, BoundedParametersStayInsideAndDensitiesIntegrateToOne) {
  Prior prior;
  prior.parameters = {{"a", "mV", PriorKind::kUniform, 0, 10},
                      {"b", "", PriorKind::kLogUniform, 0.1, 10},
                      {"c", "", PriorKind::kNormal, 5, 2}};
  NormalMixture mixture = Correlated(3, 0.8);
  mixture[0].mean = {2.5, -1, 0};  // Near the upper end of a.
  for (double& v : mixture[0].covariance) v *= 4;
  const Known known(mixture, prior, {Axis::kUnit, Axis::kUnit, Axis::kLine});
  const auto query = Accepted(known.Ask({{{"b", 0.5}, {"c", 5.4}}, {}}));
  const double place = std::log(0.5 / 0.1) / std::log(100);
  const double z_b = std::log(place / (1 - place));
  const NormalMixture expected = ConditionalOf(mixture, {1, 2}, {z_b, 0.2});
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  std::vector<double> z;
  for (const double a : draws->theta) {
    ASSERT_TRUE(a >= 0 && a <= 10);
    z.push_back(std::log(a / (10 - a)));
  }
  ExpectDrawsOf(z, expected);
  std::vector<double> grid;
  for (int i = 0; i < 2000; ++i) grid.push_back((i + 0.5) / 200);
  const auto density = query->LogDensity(grid, {});
  double total = 0;
  for (const double v : density->log_density) total += std::exp(v) / 200;
  EXPECT_NEAR(total, 1, 2e-3);
  EXPECT_EQ(query->LogDensity(std::vector<double>{10.5}, {})->log_density[0], -INFINITY);
  // The conditions' density is one over their own units.
  const double slope_b = -std::log(0.5) - std::log(std::log(100)) - std::log(place * (1 - place));
  EXPECT_NEAR(query->Report().log_condition_density,
              LogDensityOf(MarginalOf(mixture, {1, 2}), {z_b, 0.2}) + slope_b - std::log(2), 5e-3);
}

// Two integers whose joint table is known: constant density in each cell.
class TableEstimator : public estimators::DensityEstimator {
 public:
  std::size_t dimension() const override { return 2; }
  std::size_t input_columns() const override { return 1; }
  std::size_t weight_count() const override { return 0; }
  static constexpr double kTable[3][4] = {
      {0.05, 0.10, 0.02, 0.03}, {0.20, 0.05, 0.15, 0.10}, {0.02, 0.08, 0.05, 0.15}};
  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first, std::vector<double>* density) const override {
    std::vector<float> uniform(3 * count), rows;
    estimators::FillUniform(StreamKey(seed, "table"), 0, 3 * first, uniform);
    for (std::size_t i = 0; i < count; ++i) {
      double below = 0;
      std::size_t cell = 0;
      while (cell < 11 && uniform[3 * i] >= (below += kTable[cell / 4][cell % 4])) ++cell;
      rows.push_back((static_cast<float>(cell / 4) + uniform[3 * i + 1]) / 3);
      rows.push_back((static_cast<float>(cell % 4) + uniform[3 * i + 2]) / 4);
    }
    if (density != nullptr) *density = LogDensity(x, {rows.data(), count, 2});
    return rows;
  }
  std::vector<double> LogDensity(std::span<const float>,
                                 estimators::MatrixView theta) const override {
    std::vector<double> all;
    for (std::size_t i = 0; i < theta.rows; ++i) {
      const auto row = theta.Row(i);
      const auto cell = [](float u, int n) {
        return std::min(n - 1, static_cast<int>(u * static_cast<float>(n)));
      };
      all.push_back(std::log(12 * kTable[cell(row[0], 3)][cell(row[1], 4)]));
    }
    return all;
  }
  std::vector<double> LogDensityPairs(const estimators::RowSource&,
                                      estimators::MatrixView) const override {
    return {};
  }
  double OutlierScore(std::span<const float>) const override { return 0; }
  std::string Save(const std::filesystem::path&) const override { return {}; }
};

TEST(RestrictedPosteriorTest, IntegersAreWholeWithTheProbabilitiesOfTheirTable) {
  const TableEstimator estimator;
  Prior prior;
  prior.parameters = {{"m", "", PriorKind::kInteger, 5, 7}, {"n", "", PriorKind::kInteger, 0, 3}};
  const SpacePosterior posterior{estimator, {0}, ThetaSpace::Fit(prior, {})};
  const auto query = Accepted(RestrictedPosterior::Make(posterior, {{{"m", 6}}, {}}, 1, {}));
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  const auto density = query->LogDensity(std::vector<double>{0, 1, 2, 3, 1.5}, {});
  for (int n = 0; n < 4; ++n) {
    const double expected = TableEstimator::kTable[1][n] / 0.5;
    const double share =
        static_cast<double>(std::ranges::count(draws->theta, static_cast<double>(n))) / kDraws;
    EXPECT_NEAR(share, expected, 5 * std::sqrt(expected / kDraws) + 0.002);
    EXPECT_NEAR(std::exp(density->log_density[static_cast<std::size_t>(n)]), expected, 0.01);
  }
  EXPECT_EQ(density->log_density[4], -INFINITY);
  EXPECT_NEAR(query->Report().log_condition_density, std::log(0.5), 0.03);
  const auto marginal = Accepted(RestrictedPosterior::Make(posterior, {{}, {"n"}}, 1, {}));
  EXPECT_NEAR(std::exp(marginal->LogDensity(std::vector<double>{3}, {})->log_density[0]), 0.28,
              0.01);
  const auto mode = query->Mode(200, {});
  EXPECT_THAT(mode->theta, testing::ElementsAre(6, 0));
  EXPECT_NEAR(mode->log_density, std::log(0.4), 0.03);
}

// The support is the half space a + b + c < 0.2; its share of a normal's mass is known.
TEST(RestrictedPosteriorTest, DrawsAndNormaliserObeyTheSupport) {
  Known known(Correlated(3, 0.5));
  known.posterior.inside = [](std::span<const float> rows) {
    std::vector<std::uint8_t> inside;
    for (std::size_t i = 0; i < rows.size(); i += 3) {
      inside.push_back(rows[i] + rows[i + 1] + rows[i + 2] < 0.2f ? 1 : 0);
    }
    return inside;
  };
  const auto query = Accepted(known.Ask({{{"a", -0.3}, {"b", 0.1}}, {}}));
  const auto draws = query->Next(kDraws, {});
  ASSERT_TRUE(draws) << draws.error().Text();
  EXPECT_LT(*std::ranges::max_element(draws->theta), 0.4 + 1e-6);
  const NormalMixture free = ConditionalOf(known.mixture, {0, 1}, {-0.3, 0.1});
  const double z = (0.4 - free[0].mean[0]) / std::sqrt(free[0].covariance[0]);
  const double share = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  const auto density = query->LogDensity(std::vector<double>{0.1, 0.5}, {});
  EXPECT_NEAR(density->log_density[0], LogDensityOf(free, {0.1}) - std::log(share), 0.02);
  EXPECT_EQ(density->log_density[1], -INFINITY);
  // Marginals are those of the draws: over the support, too.
  const auto marginal = Accepted(known.Ask({{}, {"c"}}));
  std::vector<double> grid;
  for (int i = -60; i < 60; ++i) grid.push_back(0.05 * i);
  const auto curve = marginal->LogDensity(grid, {});
  double total = 0;
  for (const double v : curve->log_density) total += 0.05 * std::exp(v);
  EXPECT_NEAR(total, 1, 0.05);
  double mean = 0, expected = 0;
  const auto columns = marginal->Next(kDraws, {});
  for (const double v : columns->theta) mean += v / kDraws;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    expected += grid[i] * 0.05 * std::exp(curve->log_density[i]);
  }
  EXPECT_NEAR(mean, expected, 0.02);
}

TEST(RestrictedPosteriorTest, ConditionsFarFromTheMassAreWarnedOfOrRefused) {
  const Known known(Correlated(3, 0.9));  // a: mean -0.5, deviation 0.2.
  const auto warned = Accepted(known.Ask({{{"a", -0.5 + 4 * 0.2}}, {}}));
  ASSERT_EQ(warned->warnings().size(), 1u);
  EXPECT_THAT(warned->warnings()[0], HasSubstr("a = 0.3"));
  EXPECT_THAT(warned->warnings()[0], HasSubstr("little mass"));
  ExpectDrawsOf(warned->Next(kDraws, {})->theta, ConditionalOf(known.mixture, {0}, {0.3}));
  const auto refused = known.Ask({{{"a", 3}}, {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("next to no mass where a = 3"));
  EXPECT_FALSE(refused.error().advice.empty());
  // Each value alone is usual, both together are not.
  EXPECT_FALSE(known.Ask({{{"a", -0.2}, {"b", -0.7}}, {}}).has_value() &&
               known.Ask({{{"a", -0.2}, {"b", -0.7}}, {}}).value()->warnings().empty());
}

TEST(RestrictedPosteriorTest, SameSeedSameAnswerHoweverItIsAsked) {
  const Known known(Correlated(4, 0.5));
  const Restriction restriction{{{"b", 0.1}}, {}};
  const auto whole = Accepted(known.Ask(restriction)), parts = Accepted(known.Ask(restriction));
  const auto all = whole->Next(1500, {});
  std::vector<double> joined;
  for (const std::size_t count : {1, 499, 1000}) {
    const auto part = parts->Next(count, {});
    joined.insert(joined.end(), part->theta.begin(), part->theta.end());
  }
  EXPECT_EQ(all->theta, joined);
  EXPECT_NE(Accepted(known.Ask(restriction, 2))->Next(1500, {})->theta, joined);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(
      RestrictedPosterior::Make(known.posterior, restriction, 1, stop.get_token()).error().code,
      ErrorCode::kCancelled);
  EXPECT_EQ(whole->Next(100'000, stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST(RestrictedPosteriorTest, BadRestrictionsAreRefusedWithAdvice) {
  const Known known(Correlated(3, 0.5));
  const auto refusal = [&](const Restriction& restriction) {
    const auto answer = known.Ask(restriction);
    if (answer) return std::string("accepted");
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(answer.error().advice.empty());
    return answer.error().Text();
  };
  EXPECT_THAT(refusal({{{"x", 0}}, {}}),
              HasSubstr("no parameter 'x'. The model's parameters are a, b, c"));
  EXPECT_THAT(refusal({{}, {"y"}}), HasSubstr("no parameter 'y'"));
  EXPECT_THAT(refusal({{{"a", 0}, {"a", 0}}, {}}), HasSubstr("a is fixed twice"));
  EXPECT_THAT(refusal({{}, {"b", "b"}}), HasSubstr("b is named twice"));
  EXPECT_THAT(refusal({{{"a", NAN}}, {}}), HasSubstr("no finite number"));
  EXPECT_THAT(refusal({{{"a", 0}}, {"a"}}), HasSubstr("both fixed and asked about"));
  EXPECT_THAT(refusal({{{"a", 0}, {"b", 0}, {"c", 0}}, {}}), HasSubstr("all parameters are fixed"));
  Prior prior;
  prior.parameters = {{"u", "mV", PriorKind::kUniform, 0, 10},
                      {"k", "", PriorKind::kInteger, 1, 4}};
  const auto outside = [&](const char* name, double value) {
    return Divide(prior, {{{name, value}}, {}}).error().Text();
  };
  EXPECT_THAT(outside("u", 11), HasSubstr("u = 11 lies outside"));
  EXPECT_THAT(outside("u", 11), HasSubstr("[0, 10] mV"));
  EXPECT_THAT(outside("k", 1.5), HasSubstr("k = 1.5 lies outside"));
  const auto query = Accepted(known.Ask({{}, {"a"}}));
  EXPECT_EQ(query->LogDensity(std::vector<double>(1001, 0), {}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_THAT(query->Mode(100, {}).error().Text(), HasSubstr("Fix the others"));
}

TEST(RestrictedPosteriorTest, LowAcceptanceEndsInBoundedTime) {
  Known known(Correlated(4, 0.5));
  // Almost nothing of the slice lies in the support.
  known.posterior.inside = [](std::span<const float> rows) {
    std::vector<std::uint8_t> inside;
    for (std::size_t i = 0; i < rows.size(); i += 4) {
      const bool slice = std::abs(rows[i] + 0.5f) < 1e-5f;
      inside.push_back(!slice || std::abs(rows[i + 1] - 0.123f) < 1e-6f ? 1 : 0);
    }
    return inside;
  };
  const auto query = known.Ask({{{"a", -0.5}}, {}});
  const Error error = query ? (*query)->Next(100, {}).error() : query.error();
  EXPECT_EQ(error.code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(error.advice, HasSubstr("Fix fewer parameters"));
}

}  // namespace
}  // namespace inferon::trainer
