#include "tests/bench/sbibm/c2st.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/philox.h"
#include "tests/paths.h"

namespace inferon::sbibm {
namespace {

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

// Standard normal rows, the first column shifted and all columns stretched.
std::vector<double> Sample(std::size_t rows, std::size_t d, double shift, double stretch,
                           std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "sample"));
  std::vector<double> all;
  for (std::size_t i = 0; i < rows * d; ++i) {
    all.push_back(stretch * Normal(random) + (i % d == 0 ? shift : 0));
  }
  return all;
}

// Oracle's accuracy; nothing without scikit-learn.
std::optional<double> ByScikitLearn(const std::vector<double>& a, const std::vector<double>& b,
                                    std::size_t d) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name, const std::vector<double>& values) {
    WriteFileAtomically(folder.path() / name, {reinterpret_cast<const char*>(values.data()),
                                               values.size() * sizeof(double)});
  };
  write("a", a);
  write("b", b);
  const std::string command = fmt::format(
      "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 /usr/bin/python3 -W ignore "
      "{}/tests/bench/sbibm/c2st_reference.py {}/a {}/b {}",
      INFERON_SOURCE_DIR, folder.path().string(), folder.path().string(), d);
  std::FILE* pipe = popen(command.c_str(), "r");
  char line[64] = {};
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  const int status = pclose(pipe);
  if (!read || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return std::stod(line);
}

struct Pair {
  std::size_t d;
  double shift, stretch;
  double expected;  // Near which the accuracy lies.
};

TEST(C2stTest, AgreesWithScikitLearnWithinAHundredth) {
  for (const Pair& pair : {Pair{2, 0.2513, 1, 0.55}, Pair{2, 0.7706, 1, 0.65},
                           Pair{2, 1.6832, 1, 0.8}, Pair{3, 0, 1.9, 0.77}}) {
    const auto a = Sample(10'000, pair.d, 0, 1, 1);
    const auto b = Sample(10'000, pair.d, pair.shift, pair.stretch, 2);
    const double own = C2st(a, b, pair.d, 1);
    EXPECT_NEAR(own, pair.expected, 0.03);
    const auto oracle = ByScikitLearn(a, b, pair.d);
    if (!oracle) GTEST_SKIP() << "no scikit-learn for /usr/bin/python3 (python3-sklearn)";
    EXPECT_NEAR(own, *oracle, 0.01) << "near " << pair.expected;
    RecordProperty(fmt::format("near_{}", static_cast<int>(100 * pair.expected)),
                   fmt::format("{:.4f} {:.4f}", own, *oracle));
    std::printf("own %.4f, scikit-learn %.4f\n", own, *oracle);
  }
}

// A difference that no single column shows: the sign of the product of two columns.
TEST(C2stTest, FindsADependenceBetweenColumns) {
  auto a = Sample(4000, 2, 0, 1, 3), b = Sample(4000, 2, 0, 1, 4);
  for (std::size_t i = 0; i < 4000; ++i) {
    if (b[2 * i] * b[2 * i + 1] < 0) b[2 * i] = -b[2 * i];
  }
  EXPECT_NEAR(C2st(a, b, 2, 1), 0.75, 0.02);
}

TEST(C2stTest, EqualDistributionsAreNotToldApart) {
  EXPECT_NEAR(C2st(Sample(4000, 3, 0, 1, 5), Sample(4000, 3, 0, 1, 6), 3, 1), 0.5, 0.02);
}

}  // namespace
}  // namespace inferon::sbibm
