#include "server/trainer/registry/batching_estimator.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace inferon::trainer {
namespace {

using estimators::DensityEstimator;
using estimators::DensityQuestion;
using estimators::MatrixView;
using estimators::RowSource;

// The log density of theta is x[0] + theta[0]. Passes can be held up; those of x[0] = 13 fail.
class Fake : public DensityEstimator {
 public:
  std::size_t dimension() const override { return 1; }
  std::size_t input_columns() const override { return 1; }
  std::size_t weight_count() const override { return 1; }
  std::vector<float> Sample(std::span<const float>, std::size_t, std::uint64_t, std::uint64_t,
                            std::vector<double>*) const override {
    return {};
  }
  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    std::vector<double> result;
    for (std::size_t i = 0; i < theta.rows; ++i) result.push_back(x[0] + theta.data[i]);
    return result;
  }
  void LogDensityOfMany(std::span<const DensityQuestion> questions) const override {
    {
      std::unique_lock lock(mu_);
      passes_.push_back(questions.size());
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    }
    for (const DensityQuestion& question : questions) {
      if (question.x[0] == 13) throw std::runtime_error("unlucky");
    }
    DensityEstimator::LogDensityOfMany(questions);
  }
  std::vector<double> LogDensityPairs(const RowSource&, MatrixView) const override { return {}; }
  double OutlierScore(std::span<const float>) const override { return 0; }
  std::string Save(const std::filesystem::path&) const override { return {}; }

  void Open(bool open) const {
    const std::lock_guard lock(mu_);
    open_ = open;
    changed_.notify_all();
  }
  void AwaitPasses(std::size_t count) const {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return passes_.size() >= count; });
  }
  std::vector<std::size_t> passes() const {
    const std::lock_guard lock(mu_);
    return passes_;
  }

 private:
  mutable std::mutex mu_;
  mutable std::condition_variable changed_;
  mutable bool open_ = true;                 // Guarded by mu_.
  mutable std::vector<std::size_t> passes_;  // Guarded by mu_; questions in each.
};

class BatchingEstimatorTest : public ::testing::Test {
 protected:
  explicit BatchingEstimatorTest(BatchingLimits limits = {.most_rows = 8, .most_passes = 1}) {
    auto fake = std::make_unique<Fake>();
    fake_ = fake.get();
    estimator_ = MakeBatchingEstimator(std::move(fake), limits);
  }

  double Ask(float x, std::size_t rows = 1) const {
    const std::vector<float> theta(rows, 0.5f);
    return estimator_->LogDensity(std::span(&x, 1), {theta.data(), rows, 1}).back();
  }

  const Fake* fake_;
  std::unique_ptr<DensityEstimator> estimator_;
};

TEST_F(BatchingEstimatorTest, AQuestionAloneIsAnsweredAtOnce) {
  EXPECT_EQ(Ask(1), 1.5);
  EXPECT_EQ(Ask(2), 2.5);
  EXPECT_EQ(fake_->passes(), (std::vector<std::size_t>{1, 1}));
}

TEST_F(BatchingEstimatorTest, QuestionsThatWaitGoTogetherAndKeepTheirOwnAnswers) {
  fake_->Open(false);
  std::vector<double> answers(12);
  {
    std::vector<std::jthread> askers;
    askers.emplace_back([&] { answers[0] = Ask(0); });
    fake_->AwaitPasses(1);
    for (std::size_t i = 1; i < answers.size(); ++i) {
      askers.emplace_back([&, i] { answers[i] = Ask(static_cast<float>(i)); });
    }
    fake_->Open(true);
  }
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], 0.5 + double(i));
  std::size_t questions = 0;
  for (const std::size_t pass : fake_->passes()) {
    EXPECT_LE(pass, 8u) << "most_rows";
    questions += pass;
  }
  EXPECT_EQ(questions, answers.size());
}

TEST_F(BatchingEstimatorTest, ALargeQuestionGoesAlone) {
  EXPECT_EQ(Ask(3, 8), 3.5);
  EXPECT_EQ(fake_->passes().size(), 1u);
  EXPECT_EQ(Ask(3, 9), 3.5);
  EXPECT_EQ(fake_->passes().size(), 1u) << "not put together with anything";
}

TEST_F(BatchingEstimatorTest, AFailureReachesItsAskersAndEndsWithThem) {
  EXPECT_THROW(Ask(13), std::runtime_error);
  EXPECT_EQ(Ask(1), 1.5);
}

TEST_F(BatchingEstimatorTest, ManyThreadsAllGetTheirAnswers) {
  std::vector<std::jthread> askers;
  for (int t = 0; t < 16; ++t) {
    askers.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const auto x = static_cast<float>(100 * t + i + 20);
        ASSERT_EQ(Ask(x, 1 + static_cast<std::size_t>(i % 5)), x + 0.5);
      }
    });
  }
}

}  // namespace
}  // namespace inferon::trainer
