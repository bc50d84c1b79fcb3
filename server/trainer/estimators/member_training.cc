#include "server/trainer/estimators/member_training.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include "common/base/trace.h"

namespace inferon::estimators {
namespace {

// Adds the members' progress up.
class JointProgress {
 public:
  JointProgress(std::uint32_t members, const TrainingOptions& whole)
      : report_(whole.progress), members_(members, {0, whole.max_epochs}), rates_(members) {}

  void Add(std::uint32_t member, const TrainingProgress& own) {
    const std::scoped_lock lock(mutex_);
    members_[member] = {own.epoch, own.max_epochs};
    rates_[member] = own.rows_per_second;
    TrainingProgress all = own;
    all.epoch = all.max_epochs = 0;
    for (const Epochs& epochs : members_) {
      all.epoch += epochs.finished;
      all.max_epochs += epochs.planned;
    }
    all.rows_per_second = 0;
    for (const double rate : rates_) all.rows_per_second += rate;
    report_(all);
  }

  // It took so many epochs, fewer than planned where it stopped early.
  void Finish(std::uint32_t member, std::uint32_t epochs) {
    const std::scoped_lock lock(mutex_);
    members_[member] = {epochs, epochs};
    rates_[member] = 0;
  }

 private:
  struct Epochs {
    std::uint32_t finished, planned;
  };
  const std::function<void(const TrainingProgress&)>& report_;
  std::mutex mutex_;
  std::vector<Epochs> members_;
  std::vector<double> rates_;
};

void Append(const TrainingResult& part, TrainingResult* all) {
  const double before = all->members * all->best_heldout_loss;
  all->members += 1;
  all->best_heldout_loss = (before + part.best_heldout_loss) / all->members;
  all->epochs += part.epochs;
  all->training_loss.insert(all->training_loss.end(), part.training_loss.begin(),
                            part.training_loss.end());
  all->heldout_loss.insert(all->heldout_loss.end(), part.heldout_loss.begin(),
                           part.heldout_loss.end());
}

// The members of one training: threads take the next one until none is left.
class MemberQueue {
 public:
  MemberQueue(std::uint32_t count, const TrainingOptions& whole, const TrainMember& train)
      : whole_(whole),
        train_(train),
        progress_(count, whole),
        statuses_(count),
        results_(count),
        stop_with_whole_(whole.stop, [this] { stop_.request_stop(); }) {}

  // Until no member is left or one has failed.
  void Work() {
    for (std::uint32_t m = next_++; m < results_.size() && !failed_; m = next_++) {
      try {
        statuses_[m] = train_(m, Own(m), &results_[m]);
      } catch (...) {
        Keep(std::current_exception());
        return Fail();
      }
      if (!statuses_[m]) return Fail();
      progress_.Finish(m, results_[m].epochs);
    }
  }

  // When all have ended. Throws what a member threw; else the first failure that is not the echo of
  // another one.
  Status Joined(TrainingResult* result) const {
    if (exception_) std::rethrow_exception(exception_);
    const Status* first = nullptr;
    for (const Status& status : statuses_) {
      if (!status && (first == nullptr || first->error().code == ErrorCode::kCancelled)) {
        first = &status;
      }
    }
    if (first != nullptr) return *first;
    for (const TrainingResult& part : results_) Append(part, result);
    return {};
  }

 private:
  TrainingOptions Own(std::uint32_t member) {
    TrainingOptions own = whole_;
    own.stop = stop_.get_token();
    if (whole_.progress) {
      own.progress = [this, member](const TrainingProgress& p) { progress_.Add(member, p); };
    }
    return own;
  }

  void Keep(std::exception_ptr exception) {
    const std::scoped_lock lock(mutex_);
    if (!exception_) exception_ = std::move(exception);
  }

  void Fail() {
    failed_ = true;
    stop_.request_stop();
  }

  const TrainingOptions& whole_;
  const TrainMember& train_;
  JointProgress progress_;
  std::vector<Status> statuses_;
  std::vector<TrainingResult> results_;
  std::mutex mutex_;
  std::exception_ptr exception_;  // Guarded by mutex_; the first.
  std::atomic<std::uint32_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::stop_source stop_;
  const std::stop_callback<std::function<void()>> stop_with_whole_;  // Last.
};

}  // namespace

Status TrainMembers(std::uint32_t count, const TrainingOptions& whole, const TrainMember& train,
                    TrainingResult* result) {
  MemberQueue queue(count, whole, train);
  const auto most = std::min(count, static_cast<std::uint32_t>(whole.members_at_once));
  {
    std::vector<std::jthread> others;
    const auto work = [&queue, trace = CurrentTrace()] {
      const TraceScope scope(trace);
      queue.Work();
    };
    try {
      while (others.size() + 1 < most) others.emplace_back(work);
    } catch (const std::system_error&) {  // No more threads: those there are do all the work.
    }
    queue.Work();
  }
  return queue.Joined(result);
}

}  // namespace inferon::estimators
