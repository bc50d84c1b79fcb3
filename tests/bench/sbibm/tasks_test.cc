#include "tests/bench/sbibm/tasks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "tests/bench/sbibm/matrix.h"

namespace inferon::sbibm {
namespace {

TEST(SbibmTasksTest, UnknownTaskIsRefusedWithTheNames) {
  const auto task = FindTask("slpc");
  ASSERT_FALSE(task);
  EXPECT_NE(task.error().advice.find("slcp"), std::string::npos);
}

// Mean and variance of x at one theta against the formulas.
TEST(SbibmTasksTest, SimulatorsHaveTheirMoments) {
  struct Case {
    const char* task;
    std::vector<double> theta;
    std::size_t column;
    double mean, variance;
  };
  const double r = std::tanh(0.5);
  for (const Case& c : {Case{"gaussian_linear", std::vector<double>(10, 0.3), 4, 0.3, 0.1},
                        Case{"gaussian_linear_uniform", std::vector<double>(10, -1), 9, -1, 0.1},
                        Case{"gaussian_mixture", {2, -3}, 1, -3, 0.505},
                        Case{"two_moons", {0.2, 0.3}, 1, 0.1 / std::sqrt(2), 0.0101 / 2},
                        Case{"slcp", {1, 2, 1.5, -0.8, 0.5}, 2, 1, std::pow(1.5, 4)},
                        Case{"slcp", {1, 2, 1.5, -0.8, 0.5}, 7, 2, std::pow(0.8, 4)}}) {
    const auto task = FindTask(c.task);
    ASSERT_TRUE(task);
    PhiloxSequence random(StreamKey(1, c.task));
    std::vector<float> x(task->columns);
    double sum = 0, squares = 0;
    constexpr int kRuns = 40'000;
    for (int i = 0; i < kRuns; ++i) {
      task->simulate(c.theta, random, x.data());
      sum += x[c.column];
      squares += (x[c.column] - c.mean) * (x[c.column] - c.mean);
    }
    EXPECT_NEAR(sum / kRuns, c.mean, 4 * std::sqrt(c.variance / kRuns)) << c.task;
    EXPECT_NEAR(squares / kRuns, c.variance, 0.05 * c.variance) << c.task;
  }
  // SLCP's two columns of a draw are correlated by tanh of the fifth parameter.
  const auto slcp = FindTask("slcp");
  PhiloxSequence random(StreamKey(2, "slcp"));
  std::vector<float> x(8);
  double product = 0;
  for (int i = 0; i < 40'000; ++i) {
    slcp->simulate(std::vector<double>{0, 0, 1, 1, 0.5}, random, x.data());
    product += x[0] * x[1] / 40'000;
  }
  EXPECT_NEAR(product, r, 0.03);
}

// The stored posterior of gaussian_linear is N(x / 2, 0.05): the reader, the task and the data fit.
TEST(SbibmTasksTest, StoredPosteriorOfTheLinearTaskIsTheExactOne) {
  const char* data = std::getenv("INFERON_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFERON_TEST_DATA is not set";
  const auto task = FindTask("gaussian_linear");
  const auto reference = ReadReference(std::string(data) + "/sbibm", *task, 3);
  ASSERT_TRUE(reference) << reference.error().Text();
  ASSERT_EQ(reference->posterior.size(), 100'000u);
  for (std::size_t j = 0; j < 10; ++j) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < 10'000; ++i) mean += reference->posterior[10 * i + j] / 10'000;
    for (std::size_t i = 0; i < 10'000; ++i) {
      variance += std::pow(reference->posterior[10 * i + j] - mean, 2) / 10'000;
    }
    EXPECT_NEAR(mean, reference->x[j] / 2, 0.01);
    EXPECT_NEAR(variance, 0.05, 0.003);
  }
  EXPECT_FALSE(ReadReference(std::string(data) + "/sbibm", *task, 11));
}

TEST(SbibmMatrixTest, ProductsAreTheDefinition) {
  constexpr std::size_t kRows = 13, kInner = 7, kStride = 9, kWidth = 32;
  std::vector<float> a(kRows * kStride), b(kInner * kWidth), out(kRows * kWidth, 1);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 11) - 5;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 3;
  AddProduct(kRows, kInner, kWidth, a.data(), kStride, b.data(), out.data());
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kWidth; ++j) {
      float sum = 1;
      for (std::size_t k = 0; k < kInner; ++k) sum += a[i * kStride + k] * b[k * kWidth + j];
      EXPECT_EQ(out[i * kWidth + j], sum);
    }
  }
  std::vector<float> transposed(a.size());
  Transpose(kRows, kStride, a.data(), transposed.data());
  EXPECT_EQ(transposed[3 * kRows + 12], a[12 * kStride + 3]);
}

}  // namespace
}  // namespace inferon::sbibm
