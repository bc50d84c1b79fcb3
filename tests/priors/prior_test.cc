#include "common/priors/prior.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>

#include "tests/fuzz/mutate.h"

namespace inferon {
namespace {

using testing::HasSubstr;

constexpr const char* kAll = R"({"parameters": [
  {"name": "g", "unit": "nS", "prior": "uniform", "low": -2, "high": 3},
  {"name": "tau", "prior": "loguniform", "low": 0.1, "high": 10},
  {"name": "v", "unit": "mV", "prior": "normal", "mean": -60, "sd": 4},
  {"name": "c", "prior": "lognormal", "mu": 1, "sigma": 0.5},
  {"name": "k", "prior": "integer", "low": -1, "high": 3},
  {"name": "r", "prior": "real"},
  {"name": "p", "prior": "positive"}]})";

Prior All() { return *ParsePrior(kAll); }

std::string Refusal(const std::string& parameter) {
  const auto prior = ParsePrior("{\"parameters\": [" + parameter + "]}");
  return prior ? "accepted" : prior.error().Text();
}

TEST(PriorTest, JsonRoundTripsEveryKind) {
  const auto prior = ParsePrior(kAll);
  ASSERT_TRUE(prior) << prior.error().Text();
  EXPECT_EQ(prior->Names(), (std::vector<std::string>{"g", "tau", "v", "c", "k", "r", "p"}));
  EXPECT_EQ(prior->parameters[0].unit, "nS");
  EXPECT_EQ(prior->parameters[2].kind, PriorKind::kNormal);
  EXPECT_EQ(prior->parameters[2].second, 4);
  const auto again = ParsePrior(PriorJson(*prior));
  ASSERT_TRUE(again) << again.error().Text();
  EXPECT_EQ(*again, *prior);
}

TEST(PriorTest, RefusalsNameTheParameterAndWhatToDo) {
  EXPECT_THAT(Refusal(R"({"prior": "real"})"), HasSubstr("parameter 1 has no proper \"name\""));
  EXPECT_THAT(Refusal(R"({"name": "2a", "prior": "real"})"), HasSubstr("a letter first"));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "cauchy"})"), HasSubstr("Choose one of uniform"));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "real", "low": 1})"),
              HasSubstr("parameter a has an unknown key \"low\""));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "normal", "mean": 1})"),
              HasSubstr("no finite number \"sd\""));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "normal", "mean": "1", "sd": 1})"),
              HasSubstr("no finite number \"mean\""));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "normal", "mean": 1, "sd": 0})"),
              HasSubstr("\"sd\" is not above 0"));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "uniform", "low": 1, "high": 1})"),
              HasSubstr("\"high\" is not above \"low\""));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "uniform", "low": -1e308, "high": 1e308})"),
              HasSubstr("\"high\" is not above \"low\""));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "loguniform", "low": 0, "high": 1})"),
              HasSubstr("\"low\" is not above 0"));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "integer", "low": 0.5, "high": 3})"),
              HasSubstr("whole numbers"));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "integer", "low": 0, "high": 1048576})"),
              HasSubstr("not 2 to 1048576 values"));
  EXPECT_EQ(Refusal(R"({"name": "a", "prior": "integer", "low": 1, "high": 1048576})"), "accepted");
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "real"}, {"name": "a", "prior": "real"})"),
              HasSubstr("two parameters have the name a"));
  EXPECT_THAT(Refusal(R"({"name": "a", "prior": "real", "prior": "positive"})"),
              HasSubstr("stands twice"));
  EXPECT_THAT(Refusal(""), HasSubstr("0 parameters"));
  EXPECT_THAT(ParsePrior("{").error().message, HasSubstr("not JSON"));
  EXPECT_THAT(ParsePrior(R"({"parameters": [], "x": 1})").error().message, HasSubstr("\"x\""));
}

TEST(PriorTest, LimitsHoldAtTheirEdges) {
  const auto many = [](std::size_t n) {
    std::string list;
    for (std::size_t i = 0; i < n; ++i) {
      list += fmt::format("{}{{\"name\": \"p{}\", \"prior\": \"real\"}}", i == 0 ? "" : ", ", i);
    }
    return Refusal(list);
  };
  EXPECT_EQ(many(kMaxParameters), "accepted");
  EXPECT_THAT(many(kMaxParameters + 1), HasSubstr("65 parameters"));
  std::string text = kAll;
  text.resize(kMaxPriorBytes, ' ');
  EXPECT_TRUE(ParsePrior(text));
  EXPECT_THAT(ParsePrior(text + " ").error().message, HasSubstr("65537 bytes"));
}

TEST(PriorTest, MutatedFilesAreRefusedWithAMessageOrUsable) {
  int refused = 0;
  fuzz::ForEachMutation(kAll, 20'000, [&](const std::string& text) {
    const auto prior = ParsePrior(text);
    if (!prior) {
      ++refused;
      EXPECT_FALSE(prior.error().message.empty());
      return;
    }
    const auto again = ParsePrior(PriorJson(*prior));
    ASSERT_TRUE(again && *again == *prior);
  });
  EXPECT_GT(refused, 5'000);
}

// The mass of each density over its support, by the midpoint rule.
TEST(PriorTest, DensitiesIntegrateToOne) {
  const Prior prior = All();
  const auto mass = [&](std::size_t j, double low, double high) {
    constexpr int kSteps = 200'000;
    double sum = 0;
    for (int i = 0; i < kSteps; ++i) {
      const double v = low + (high - low) * (i + 0.5) / kSteps;
      sum += std::exp(LogDensity(prior.parameters[j], v)) * (high - low) / kSteps;
    }
    return sum;
  };
  EXPECT_NEAR(mass(0, -5, 5), 1, 1e-4);
  EXPECT_NEAR(mass(1, 0, 20), 1, 1e-4);
  EXPECT_NEAR(mass(2, -100, -20), 1, 1e-6);
  EXPECT_NEAR(mass(3, 0, 100), 1, 1e-4);
  double sum = 0;
  for (int k = -5; k <= 5; ++k) sum += std::exp(LogDensity(prior.parameters[4], k));
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(PriorTest, DrawsHaveTheirMoments) {
  const Prior prior = All();
  PhiloxSequence random(StreamKey(1, "prior"));
  const auto mean = [&](std::size_t j, bool logarithm) {
    double sum = 0;
    for (int i = 0; i < 20'000; ++i) {
      const double v = *DrawFrom(prior.parameters[j], random);
      EXPECT_TRUE(InSupport(prior.parameters[j], v));
      sum += logarithm ? std::log(v) : v;
    }
    return sum / 20'000;
  };
  EXPECT_NEAR(mean(0, false), 0.5, 0.04);
  EXPECT_NEAR(mean(1, true), 0, 0.04);
  EXPECT_NEAR(mean(2, false), -60, 0.12);
  EXPECT_NEAR(mean(3, true), 1, 0.015);
  EXPECT_NEAR(mean(4, false), 1, 0.04);
  EXPECT_EQ(DrawFrom(prior.parameters[5], random).error().code, ErrorCode::kFailedPrecondition);
}

TEST(PriorTest, DensityOfThetaIsTheSumAndMinusInfinityOutside) {
  const Prior prior = All();
  const std::vector<double> inside{0, 1, -60, 1, 2, 7, 7};
  double sum = 0;
  for (std::size_t j = 0; j < 7; ++j) sum += LogDensity(prior.parameters[j], inside[j]);
  EXPECT_DOUBLE_EQ(LogDensity(prior, inside), sum);
  for (const auto& [j, value] : {std::pair<std::size_t, double>{0, 3.01},
                                 {1, 0.05},
                                 {3, 0},
                                 {4, 1.5},
                                 {4, 4},
                                 {6, -1},
                                 {5, std::nan("")}}) {
    std::vector<double> outside = inside;
    outside[j] = value;
    EXPECT_EQ(LogDensity(prior, outside), -INFINITY) << j;
  }
}

}  // namespace
}  // namespace inferon
