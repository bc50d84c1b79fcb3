#include "server/trainer/registry/batching_estimator.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>

namespace inferon::trainer {
namespace {

using estimators::DensityEstimator;
using estimators::DensityQuestion;
using estimators::MatrixView;
using estimators::RowSource;

class BatchingEstimator : public DensityEstimator {
 public:
  BatchingEstimator(std::unique_ptr<DensityEstimator> inner, BatchingLimits limits)
      : inner_(std::move(inner)), limits_(limits) {}

  std::size_t dimension() const override { return inner_->dimension(); }
  std::size_t input_columns() const override { return inner_->input_columns(); }
  std::size_t weight_count() const override { return inner_->weight_count(); }
  bool exact_density() const override { return inner_->exact_density(); }
  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    return inner_->Sample(x, count, seed, first_draw, log_density);
  }
  std::optional<estimators::DensitySlopes> LogDensitySlopes(std::span<const float> x,
                                                            MatrixView theta) const override {
    return inner_->LogDensitySlopes(x, theta);
  }
  std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const override {
    return inner_->LogDensityPairs(x, theta);
  }
  double OutlierScore(std::span<const float> x) const override { return inner_->OutlierScore(x); }
  std::string Save(const std::filesystem::path& weights) const override {
    return inner_->Save(weights);
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    if (theta.rows > limits_.most_rows) return inner_->LogDensity(x, theta);
    std::vector<double> result(theta.rows);
    Entry entry{{x, theta, result.data()}};
    std::unique_lock lock(mu_);
    waiting_.push_back(&entry);
    while (!entry.done) {
      if (!entry.taken && passes_ < limits_.most_passes) {
        RunPass(lock);
      } else {
        changed_.wait(lock);
      }
    }
    if (entry.error) std::rethrow_exception(entry.error);
    return result;
  }

 private:
  // A question of a thread that waits for its answer.
  struct Entry {
    DensityQuestion question;
    bool taken = false;  // By a pass that is under way.
    bool done = false;
    std::exception_ptr error = nullptr;
  };

  // The oldest questions that fit into a pass; at least one is waiting.
  std::vector<Entry*> Take() const {
    std::vector<Entry*> batch;
    std::size_t rows = 0;
    while (!waiting_.empty()) {
      rows += waiting_.front()->question.theta.rows;
      if (!batch.empty() && rows > limits_.most_rows) break;
      waiting_.front()->taken = true;
      batch.push_back(waiting_.front());
      waiting_.pop_front();
    }
    return batch;
  }

  // Answers the oldest questions, this thread's own or others'. Holds the lock but for the pass.
  void RunPass(std::unique_lock<std::mutex>& lock) const {
    const std::vector<Entry*> batch = Take();
    ++passes_;
    lock.unlock();
    std::vector<DensityQuestion> questions;
    for (const Entry* entry : batch) questions.push_back(entry->question);
    std::exception_ptr error;
    try {
      inner_->LogDensityOfMany(questions);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    --passes_;
    for (Entry* entry : batch) {
      entry->error = error;
      entry->done = true;
    }
    changed_.notify_all();
  }

  const std::unique_ptr<DensityEstimator> inner_;
  const BatchingLimits limits_;
  mutable std::mutex mu_;
  mutable std::condition_variable changed_;
  mutable std::deque<Entry*> waiting_;  // Guarded by mu_; not taken by a pass yet.
  mutable int passes_ = 0;              // Guarded by mu_; under way.
};

}  // namespace

std::unique_ptr<DensityEstimator> MakeBatchingEstimator(std::unique_ptr<DensityEstimator> inner,
                                                        BatchingLimits limits) {
  return std::make_unique<BatchingEstimator>(std::move(inner), limits);
}

}  // namespace inferon::trainer
