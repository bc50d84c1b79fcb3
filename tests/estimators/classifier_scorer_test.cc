#include "server/trainer/estimators/classifier_scorer.h"

#include <gmock/gmock.h>

#include <cmath>

#include "common/base/files.h"
#include "server/trainer/estimators/classifier_storage.h"
#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

using testing::HasSubstr;

constexpr std::size_t kRows = 203;

ClassifierOptions Options() {
  ClassifierOptions options;
  options.dimension = 3;
  options.hidden = 20;  // No multiple of a vector.
  options.blocks = 1;
  options.members = 2;
  return options;
}

TensorFile RandomWeights(const ClassifierOptions& o) {
  TensorFile file;
  std::uint64_t part = 0;
  const auto add = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    for (const auto& [suffix, shape] : {std::pair{".weight", std::vector<std::int64_t>{out, in}},
                                        std::pair{".bias", std::vector<std::int64_t>{out}}}) {
      std::vector<float> values(static_cast<std::size_t>(shape.size() == 2 ? in * out : out));
      FillUniform(StreamKey(9, "weights"), part++, 0, values);
      for (float& v : values) v = v - 0.5f;
      file.Put(name + suffix, shape, std::span<const float>(values));
    }
  };
  const std::int64_t h = o.hidden;
  for (std::size_t m = 0; m < o.members; ++m) {
    add(MemberPrefix(m) + "first", static_cast<std::int64_t>(kExpansion * o.dimension), h);
    add(MemberPrefix(m) + "block0.first", h, h);
    add(MemberPrefix(m) + "block0.second", h, h);
    add(MemberPrefix(m) + "logit", h, 1);
  }
  return file;
}

std::vector<float> RandomTheta() {
  std::vector<float> theta(kRows * 3);
  FillUniform(StreamKey(9, "theta"), 0, 0, theta);
  return theta;
}

// The network in double precision, written again.
double Reference(const TensorFile& file, const float* theta) {
  const auto layer = [&](const std::string& name, const std::vector<double>& in, bool relu) {
    const auto out = static_cast<std::size_t>(file.tensors.at(name + ".bias").shape[0]);
    const auto w = *file.Floats(name + ".weight", file.tensors.at(name + ".weight").shape);
    const auto b = *file.Floats(name + ".bias", file.tensors.at(name + ".bias").shape);
    std::vector<double> y(out);
    for (std::size_t o = 0; o < out; ++o) {
      y[o] = b[o];
      for (std::size_t i = 0; i < in.size(); ++i) y[o] += double{w[o * in.size() + i]} * in[i];
      if (relu) y[o] = std::max(0.0, y[o]);
    }
    return y;
  };
  std::array<float, 9> expanded{};
  ExpandTheta(theta, 3, expanded.data());
  double sum = 0;
  for (std::size_t m = 0; m < 2; ++m) {
    const std::string p = MemberPrefix(m);
    auto h = layer(p + "first", {expanded.begin(), expanded.end()}, true);
    const auto change = layer(p + "block0.second", layer(p + "block0.first", h, true), false);
    for (std::size_t i = 0; i < h.size(); ++i) h[i] = std::max(0.0, h[i] + change[i]);
    sum += 1 / (1 + std::exp(-layer(p + "logit", h, false)[0]));
  }
  return sum / 2;
}

TEST(ClassifierScorerTest, ScoreIsTheFormula) {
  const TensorFile file = RandomWeights(Options());
  const auto classifier = MakeClassifier(Options(), file);
  ASSERT_TRUE(classifier) << classifier.error().Text();
  const std::vector<float> theta = RandomTheta();
  const auto scores = (*classifier)->Score({theta.data(), kRows, 3});
  for (std::size_t i = 0; i < kRows; ++i) {
    EXPECT_NEAR(scores[i], Reference(file, theta.data() + 3 * i), 1e-5);
  }
}

TEST(ClassifierScorerTest, ScoreDependsOnItsRowOnly) {
  const auto classifier = MakeClassifier(Options(), RandomWeights(Options()));
  const std::vector<float> theta = RandomTheta();
  const auto together = (*classifier)->Score({theta.data(), kRows, 3});
  for (std::size_t i = 0; i < kRows; ++i) {
    EXPECT_EQ((*classifier)->Score({theta.data() + 3 * i, 1, 3})[0], together[i]);
  }
  for (const std::size_t from : {1u, 7u, 100u}) {
    const auto part = (*classifier)->Score({theta.data() + 3 * from, kRows - from, 3});
    for (std::size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], together[from + i]);
  }
  EXPECT_TRUE((*classifier)->Score({theta.data(), 0, 3}).empty());
}

TEST(ClassifierScorerTest, LoadedScoresTheSameBits) {
  const TemporaryFolder folder;
  const auto classifier = MakeClassifier(Options(), RandomWeights(Options()));
  const std::string json = (*classifier)->Save(folder.path() / "c.safetensors");
  const auto loaded = LoadClassifier(json, folder.path() / "c.safetensors");
  ASSERT_TRUE(loaded) << loaded.error().Text();
  const std::vector<float> theta = RandomTheta();
  EXPECT_EQ((*loaded)->Score({theta.data(), kRows, 3}),
            (*classifier)->Score({theta.data(), kRows, 3}));
}

TEST(ClassifierScorerTest, DamagedModelIsDataLoss) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "c.safetensors";
  const std::string json = (*MakeClassifier(Options(), RandomWeights(Options())))->Save(path);
  const auto code = [&](const std::string& text) {
    const auto loaded = LoadClassifier(text, path);
    return loaded ? std::string("loaded") : loaded.error().message;
  };
  EXPECT_THAT(code("{"), HasSubstr("damaged"));
  EXPECT_THAT(code("{}"), HasSubstr("damaged"));
  EXPECT_THAT(code(R"({"kind":"other","schema":1})"), HasSubstr("kind"));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = json;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_THAT(code(with("\"schema\":1", "\"schema\":2")), HasSubstr("schema"));
  EXPECT_THAT(code(with("\"hidden\":20", "\"hidden\":21")), HasSubstr("expected F32"));
  EXPECT_THAT(code(with("\"hidden\":20", "\"hidden\":0")), HasSubstr("hidden"));
  EXPECT_THAT(code(with("\"members\":2", "\"members\":3")), HasSubstr("missing"));
  std::filesystem::remove(path);
  EXPECT_THAT(code(json), HasSubstr("cannot read"));
}

TEST(ClassifierScorerTest, WeightThatIsNotFiniteIsDataLoss) {
  TensorFile file = RandomWeights(Options());
  std::vector<float> bias(20, std::nanf(""));
  file.Put("member1.first.bias", {20}, std::span<const float>(bias));
  EXPECT_EQ(MakeClassifier(Options(), file).error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::estimators
